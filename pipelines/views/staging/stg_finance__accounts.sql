-- title: Accounts of the ledger
-- grain: one row per account
-- key: account_id
-- serve: none
-- mart: none
select position, event_at, account_id, account_code, account_name, account_type, parent_code
from account_opened

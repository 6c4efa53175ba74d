-- title: Accounts of the ledger
-- grain: one row per account
-- key: account_id
-- serve: live
-- mart: current
-- column account_type: asset, liability, equity, income or expense
select account_id, account_code, account_name, account_type, parent_code, event_at as opened_at
from stg_finance__accounts

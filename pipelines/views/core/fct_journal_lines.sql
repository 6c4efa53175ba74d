-- title: Lines of journal entries
-- grain: one row per line of an entry
-- key: entry_id, line_no
-- serve: none
-- mart: history
-- column shop_id: The cost centre
select
    position, event_at, entry_id, line_no, shop_id, currency, business_date, posted_at,
    document_type, document_id, reversal_of, account_code, party_id, debit, credit
from stg_finance__journal_lines

-- title: Lines of journal entries
-- grain: one row per line of an entry
-- key: entry_id, line_no
-- serve: none
-- mart: none
select
    position, event_at, entry_id, shop_id, currency, business_date, posted_at, document_type,
    document_id, reversal_of,
    line['line_no'] as line_no,
    line['account_code'] as account_code,
    line['debit'] as debit,
    line['credit'] as credit,
    line['party_id'] as party_id
from (
    select
        position, event_at, entry_id, shop_id, currency, business_date, posted_at, document_type,
        document_id, reversal_of, unnest(lines) as line
    from journal_posted
)

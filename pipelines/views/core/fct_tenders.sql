-- title: Money taken and paid back
-- grain: one row per tender of an invoice or a return
-- key: none
-- serve: none
-- mart: history
-- column amount: Signed: what is paid back is negative
-- column payments: 1 for a payment, 0 for money paid back: sums up to the number of payments
select
    position, event_at, 'invoice' as document_type, invoice_id as document_id, shop_id, currency,
    business_date, business_hour, tender, amount, reference, 1 as payments
from stg_sales__invoice_tenders
union all
select
    position, event_at, 'return' as document_type, return_id as document_id, shop_id, currency,
    business_date, business_hour, tender, -amount as amount, reference, 0 as payments
from stg_sales__return_tenders

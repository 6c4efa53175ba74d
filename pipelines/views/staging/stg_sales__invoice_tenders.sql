-- title: How invoices were paid
-- grain: one row per tender of an invoice
-- key: none
-- serve: none
-- mart: none
--
-- An invoice may be paid with two cards, so no column tells its tenders apart.
select
    position, event_at, invoice_id, shop_id, currency, business_date, business_hour,
    tender['tender'] as tender,
    tender['amount'] as amount,
    tender['reference'] as reference
from (
    select
        position, event_at, invoice_id, shop_id, currency, business_date, business_hour,
        unnest(tenders) as tender
    from invoice_issued
)

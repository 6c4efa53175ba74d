-- title: How returns were paid back
-- grain: one row per tender of a return
-- key: none
-- serve: none
-- mart: none
select
    position, event_at, return_id, invoice_id, shop_id, currency, business_date, business_hour,
    tender['tender'] as tender,
    tender['amount'] as amount,
    tender['reference'] as reference
from (
    select
        position, event_at, return_id, invoice_id, shop_id, currency, business_date, business_hour,
        unnest(tenders) as tender
    from return_processed
)

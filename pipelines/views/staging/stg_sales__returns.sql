-- title: Returns
-- grain: one row per return
-- key: return_id
-- serve: none
-- mart: none
select
    position, event_at, return_id, return_number, invoice_id, shop_id, customer_id, currency,
    business_date, business_hour, returned_at, reason, taxable, tax, round_off, total, cost
from return_processed

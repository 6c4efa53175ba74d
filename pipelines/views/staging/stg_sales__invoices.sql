-- title: Invoices
-- grain: one row per invoice
-- key: invoice_id
-- serve: none
-- mart: none
select
    position, event_at, invoice_id, invoice_number, shop_id, till, customer_id, currency,
    business_date, business_hour, issued_at, discount, taxable, tax, round_off, total, cost
from invoice_issued

-- title: Lines of returns
-- grain: one row per line of a return
-- key: return_id, line_no
-- serve: none
-- mart: none
--
-- Quantities and amounts are positive, as the return states them.
select
    position, event_at, return_id, return_number, invoice_id, shop_id, customer_id, currency,
    business_date, business_hour, returned_at,
    line['line_no'] as line_no,
    line['invoice_line_no'] as invoice_line_no,
    line['product_id'] as product_id,
    line['quantity'] as quantity,
    line['unit'] as unit,
    line['taxable'] as taxable,
    line['tax_rate'] as tax_rate,
    line['cgst'] as cgst,
    line['sgst'] as sgst,
    line['igst'] as igst,
    line['total'] as total,
    line['cost'] as cost
from (
    select
        position, event_at, return_id, return_number, invoice_id, shop_id, customer_id, currency,
        business_date, business_hour, returned_at, unnest(lines) as line
    from return_processed
)

-- title: Lines of invoices
-- grain: one row per line of an invoice
-- key: invoice_id, line_no
-- serve: none
-- mart: none
select
    position, event_at, invoice_id, invoice_number, shop_id, customer_id, currency, business_date,
    business_hour, issued_at,
    line['line_no'] as line_no,
    line['product_id'] as product_id,
    line['quantity'] as quantity,
    line['unit'] as unit,
    line['unit_price'] as unit_price,
    line['discount'] as discount,
    line['taxable'] as taxable,
    line['tax_rate'] as tax_rate,
    line['cgst'] as cgst,
    line['sgst'] as sgst,
    line['igst'] as igst,
    line['total'] as total,
    line['cost'] as cost
from (
    select
        position, event_at, invoice_id, invoice_number, shop_id, customer_id, currency,
        business_date, business_hour, issued_at, unnest(lines) as line
    from invoice_issued
)

-- title: Lines sold and taken back
-- grain: one row per line of an invoice or a return
-- key: document_id, line_no
-- serve: none
-- mart: history
-- column document_type: invoice or return
-- column quantity: Signed, as all amounts: a return is negative
-- column taxable: After discount, without tax: revenue
-- column cost: What the goods had cost when they were sold
-- column invoices: 1 on the first line of an invoice, else 0: sums up to the number of invoices
select
    position, event_at, 'invoice' as document_type, invoice_id as document_id,
    invoice_number as document_number, line_no, invoice_id, shop_id, customer_id, currency,
    business_date, business_hour, issued_at as document_at, product_id, quantity, unit, tax_rate,
    discount, taxable, cgst, sgst, igst, total, cost,
    case when line_no = 1 then 1 else 0 end as invoices
from stg_sales__invoice_lines
union all
select
    position, event_at, 'return' as document_type, return_id as document_id,
    return_number as document_number, line_no, invoice_id, shop_id, customer_id, currency,
    business_date, business_hour, returned_at as document_at, product_id, -quantity as quantity,
    unit, tax_rate, cast(0 as decimal(18, 2)) as discount, -taxable as taxable, -cgst as cgst,
    -sgst as sgst, -igst as igst, -total as total, -cost as cost, 0 as invoices
from stg_sales__return_lines

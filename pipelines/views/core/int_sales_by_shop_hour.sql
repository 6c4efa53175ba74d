-- title: Sales by shop and hour, without names
-- grain: one row per shop, business date and hour
-- key: shop_id, business_date, business_hour
-- serve: none
-- mart: none
--
-- Lines are summed up on ids first, so that only the small result is joined with names.
select
    shop_id, business_date, business_hour,
    sum(invoices) as invoices,
    sum(taxable) as revenue,
    sum(cgst) + sum(sgst) + sum(igst) as tax,
    sum(quantity) as units,
    sum(cost) as cost,
    sum(taxable) - sum(cost) as margin,
    count(*) filter (where document_type = 'invoice') as lines
from fct_sales_lines
group by shop_id, business_date, business_hour

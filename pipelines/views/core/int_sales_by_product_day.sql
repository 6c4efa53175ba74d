-- title: Sales by shop, product and day, without names
-- grain: one row per business date, shop and product
-- key: business_date, shop_id, product_id
-- serve: none
-- mart: none
select
    business_date, shop_id, product_id,
    sum(taxable) as revenue,
    sum(quantity) as units,
    sum(cost) as cost
from fct_sales_lines
group by business_date, shop_id, product_id

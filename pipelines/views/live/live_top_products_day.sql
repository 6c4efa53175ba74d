-- title: Products by day
-- grain: one row per business date, shop and product sold or taken back
-- key: business_date, shop_id, product_id
-- serve: live
-- mart: current
-- column revenue: Net of returns, without tax
-- column units: Units sold less units taken back
-- column margin: Revenue less cost
--
-- Sort by revenue, units or margin and limit to get the top of a day.
select
    s.business_date, s.shop_id, s.product_id, p.product_name, p.category_id, p.category_name,
    s.revenue, s.units, s.revenue - s.cost as margin
from int_sales_by_product_day as s
left join dim_product as p on p.product_id = s.product_id

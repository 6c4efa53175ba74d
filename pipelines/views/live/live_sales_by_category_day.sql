-- title: Sales by category and day
-- grain: one row per business date, shop and category
-- key: business_date, shop_id, category_id
-- serve: live
-- mart: current
-- column category_name: By the category the product has now
-- column revenue: Net of returns, without tax
-- column margin: Revenue less cost
-- column units: Units sold less units taken back
select
    business_date, shop_id, category_id, category_name,
    sum(revenue) as revenue,
    sum(margin) as margin,
    sum(units) as units
from live_top_products_day
group by business_date, shop_id, category_id, category_name

-- title: Stock by shop and product, without names
-- grain: one row per shop and product that ever moved
-- key: shop_id, product_id
-- serve: none
-- mart: none
select shop_id, product_id, sum(quantity) as on_hand, sum(value) as value
from fct_stock_movements
group by shop_id, product_id

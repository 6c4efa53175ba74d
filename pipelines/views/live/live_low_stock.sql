-- title: Low stock
-- grain: one row per shop and product whose stock is at or below its reorder level
-- key: shop_id, product_id
-- serve: live
-- mart: current
select shop_id, product_id, product_name, category_id, on_hand, value, reorder_level
from live_stock_on_hand
where on_hand <= reorder_level

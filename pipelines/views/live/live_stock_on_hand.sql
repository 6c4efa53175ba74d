-- title: Stock on hand
-- grain: one row per shop and product that ever moved
-- key: shop_id, product_id
-- serve: live
-- mart: current
-- column on_hand: Sum of all movements
-- column value: What the stock had cost
-- column reorder_level: Stock at or below which it is low
select
    s.shop_id, s.product_id, p.product_name, p.category_id, s.on_hand, s.value, p.reorder_level
from int_stock_by_product as s
left join dim_product as p on p.product_id = s.product_id

-- title: Movements of stock
-- grain: one row per movement
-- key: movement_id
-- serve: none
-- mart: history
-- column quantity: Signed: in is positive, out is negative
-- column value: Signed like the quantity
select
    position, event_at, movement_id, movement_group_id, shop_id, product_id, reason, document_type,
    document_id, business_date, moved_at, batch, expires_on, quantity, unit_cost, value
from stg_inventory__movements

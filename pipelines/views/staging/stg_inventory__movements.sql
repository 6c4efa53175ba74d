-- title: Movements of stock
-- grain: one row per movement
-- key: movement_id
-- serve: none
-- mart: none
select
    position, event_at, movement_group_id, shop_id, reason, document_type, document_id,
    business_date, moved_at,
    movement['movement_id'] as movement_id,
    movement['product_id'] as product_id,
    movement['batch'] as batch,
    movement['expires_on'] as expires_on,
    movement['quantity'] as quantity,
    movement['unit_cost'] as unit_cost,
    movement['value'] as value
from (
    select
        position, event_at, movement_group_id, shop_id, reason, document_type, document_id,
        business_date, moved_at, unnest(movements) as movement
    from stock_moved
)

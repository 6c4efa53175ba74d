-- title: Stock corrected by hand
-- grain: one row per adjustment and product
-- key: position, product_id
-- serve: none
-- mart: none
select
    position, event_at, adjustment_id, shop_id, reason_code, note, business_date, adjusted_at,
    line['product_id'] as product_id,
    line['quantity'] as quantity,
    line['unit_cost'] as unit_cost
from (
    select
        position, event_at, adjustment_id, shop_id, reason_code, note, business_date, adjusted_at,
        unnest(lines) as line
    from inventory_adjusted
)

-- title: Stock corrected by hand, with the reason
-- grain: one row per adjustment and product
-- key: position, product_id
-- serve: none
-- mart: history
-- column quantity: Signed difference
-- column reason_code: opening, count, damage, theft or other
select
    position, event_at, adjustment_id, shop_id, product_id, reason_code, note, business_date,
    adjusted_at, quantity, unit_cost
from stg_inventory__adjusted_lines

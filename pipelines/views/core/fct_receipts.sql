-- title: Goods received
-- grain: one row per line of a goods receipt note
-- key: grn_id, line_no
-- serve: none
-- mart: history
select
    position, event_at, grn_id, grn_number, line_no, purchase_order_id, vendor_id, shop_id,
    product_id, currency, business_date, received_at, batch, expires_on, quantity, unit_cost, value
from stg_purchase__grn_lines

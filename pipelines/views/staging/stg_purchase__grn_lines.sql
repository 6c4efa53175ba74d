-- title: Lines of goods receipts
-- grain: one row per line of a goods receipt note
-- key: grn_id, line_no
-- serve: none
-- mart: none
select
    position, event_at, grn_id, grn_number, purchase_order_id, vendor_id, shop_id, currency,
    business_date, received_at,
    line['line_no'] as line_no,
    line['product_id'] as product_id,
    line['quantity'] as quantity,
    line['unit_cost'] as unit_cost,
    line['value'] as value,
    line['batch'] as batch,
    line['expires_on'] as expires_on
from (
    select
        position, event_at, grn_id, grn_number, purchase_order_id, vendor_id, shop_id, currency,
        business_date, received_at, unnest(lines) as line
    from grn_received
)

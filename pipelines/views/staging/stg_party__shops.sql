-- title: Shops
-- grain: one row per shop
-- key: shop_id
-- serve: none
-- mart: none
select
    position, event_at, shop_id, code as shop_code, name as shop_name, time_zone, currency,
    state_code, gstin, prices_include_tax
from shop_opened

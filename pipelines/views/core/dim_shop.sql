-- title: Shops
-- grain: one row per shop
-- key: shop_id
-- serve: live
-- mart: current
-- column time_zone: IANA name; decides the business date
-- column currency: ISO 4217; all amounts of the shop are in it
select
    shop_id, shop_code, shop_name, time_zone, currency, state_code, gstin, prices_include_tax,
    event_at as opened_at
from stg_party__shops

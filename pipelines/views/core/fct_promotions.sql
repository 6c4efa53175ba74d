-- title: Products promoted
-- grain: one row per promotion, event and product
-- key: position, product_id
-- serve: none
-- mart: history
-- column ends_on: Inclusive
-- column display: Where in the shop it is displayed, if it is
-- column mailer: Where in the mailer it is printed, if it is
select position, event_at, promotion_id, shop_id, product_id, starts_on, ends_on, display, mailer
from stg_product__promotion_items

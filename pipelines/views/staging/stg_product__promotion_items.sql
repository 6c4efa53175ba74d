-- title: Products in promotions
-- grain: one row per promotion, event and product
-- key: position, product_id
-- serve: none
-- mart: none
select
    position, event_at, promotion_id, shop_id, starts_on, ends_on,
    item['product_id'] as product_id,
    item['display'] as display,
    item['mailer'] as mailer
from (
    select position, event_at, promotion_id, shop_id, starts_on, ends_on, unnest(items) as item
    from promotion_planned
)

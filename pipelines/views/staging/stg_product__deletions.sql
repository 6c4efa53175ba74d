-- title: Deleted products
-- grain: one row per deletion of a product
-- key: position
-- serve: none
-- mart: none
select position, event_at, product_id, deleted_at
from product_deleted

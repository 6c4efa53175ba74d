-- title: Categories of products
-- grain: one row per category
-- key: category_id
-- serve: none
-- mart: none
select position, event_at, category_id, name as category_name, parent_id
from category_created

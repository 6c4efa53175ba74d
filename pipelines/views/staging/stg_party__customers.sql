-- title: States of customers
-- grain: one row per state a customer has had
-- key: position
-- serve: none
-- mart: none
select
    position, event_at, customer_id, code as customer_code, name as customer_name, customer_group,
    phone, email, gstin, is_active
from customer_created
union all
select
    position, event_at, customer_id, code as customer_code, name as customer_name, customer_group,
    phone, email, gstin, is_active
from customer_updated

-- title: Customers
-- grain: one row per customer
-- key: customer_id
-- serve: live
-- mart: current
with newest as (
    select customer_id, max(position) as position
    from stg_party__customers
    group by customer_id
)
select
    c.customer_id, c.customer_code, c.customer_name, c.customer_group, c.phone, c.email, c.gstin,
    c.is_active, c.event_at as changed_at
from stg_party__customers as c
join newest as n on n.customer_id = c.customer_id and n.position = c.position

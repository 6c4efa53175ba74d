-- title: Products
-- grain: one row per product, deleted ones included
-- key: product_id
-- serve: live
-- mart: current
-- column is_deleted: Not sold any more; sales of the past still name it
-- column reorder_level: Stock of a shop at or below which it is low
with newest as (
    select product_id, max(position) as position
    from stg_product__products
    group by product_id
),
deleted as (
    select product_id, max(position) as position
    from stg_product__deletions
    group by product_id
)
select
    p.product_id, p.sku, p.name as product_name, p.category_id, c.category_name, p.brand, p.unit,
    p.barcode, p.package_size, p.price, p.standard_cost, p.tax_rate, p.hsn, p.vendor_id,
    p.reorder_level, p.is_active,
    coalesce(d.position > p.position, false) as is_deleted,
    p.event_at as changed_at
from stg_product__products as p
join newest as n on n.product_id = p.product_id and n.position = p.position
left join deleted as d on d.product_id = p.product_id
left join stg_product__categories as c on c.category_id = p.category_id

-- title: States of products
-- grain: one row per state a product has had
-- key: position
-- serve: none
-- mart: none
--
-- Creation and each change carry the whole state; the newest position wins.
select
    position, event_at, product_id, sku, name, category_id, brand, unit, barcode, package_size,
    price, standard_cost, tax_rate, hsn, vendor_id, reorder_level, is_active
from product_created
union all
select
    position, event_at, product_id, sku, name, category_id, brand, unit, barcode, package_size,
    price, standard_cost, tax_rate, hsn, vendor_id, reorder_level, is_active
from product_updated

-- title: Vendors
-- grain: one row per vendor
-- key: vendor_id
-- serve: none
-- mart: none
select
    position, event_at, vendor_id, code as vendor_code, name as vendor_name, gstin, lead_time_days
from vendor_created

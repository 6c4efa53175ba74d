-- title: Vendors
-- grain: one row per vendor
-- key: vendor_id
-- serve: live
-- mart: current
-- column lead_time_days: Days from order to receipt, as agreed
select vendor_id, vendor_code, vendor_name, gstin, lead_time_days, event_at as known_since
from stg_party__vendors

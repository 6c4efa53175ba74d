//! Shops, customers, vendors.

use crate::record::record;
use crate::{CustomerId, ShopId, VendorId};

record! {
    pub struct ShopOpened {
        pub shop_id: ShopId,
        /// Short and unique; part of document numbers.
        pub code: String,
        pub name: String,
        /// IANA name; decides the business date.
        pub time_zone: String,
        /// ISO 4217.
        pub currency: String,
        /// Two-digit GST state code of the place of business.
        pub state_code: String,
        pub gstin: Option<String>,
        /// Whether list prices include tax.
        pub prices_include_tax: bool,
    }
}

record! {
    /// A customer's whole state after the change.
    pub struct Customer {
        pub customer_id: CustomerId,
        pub code: String,
        pub name: String,
        /// Free grouping, for example a household's composition.
        pub customer_group: Option<String>,
        pub phone: Option<String>,
        pub email: Option<String>,
        pub gstin: Option<String>,
        pub is_active: bool,
    }
}

record! {
    pub struct VendorCreated {
        pub vendor_id: VendorId,
        pub code: String,
        pub name: String,
        pub gstin: Option<String>,
        /// Days from order to receipt, as agreed.
        pub lead_time_days: i32,
    }
}

//! What was bought and came in.

use chrono::{DateTime, NaiveDate, Utc};

use crate::record::record;
use crate::{Amount, GrnId, ProductId, PurchaseOrderId, Quantity, Rate, ShopId, VendorId};

record! {
    pub struct GrnLine {
        pub line_no: i32,
        pub product_id: ProductId,
        pub quantity: Quantity,
        pub unit_cost: Rate,
        pub value: Amount,
        pub batch: Option<String>,
        pub expires_on: Option<NaiveDate>,
    }
}

record! {
    /// Goods a vendor delivered to a shop.
    pub struct GrnReceived {
        pub grn_id: GrnId,
        pub grn_number: String,
        pub purchase_order_id: Option<PurchaseOrderId>,
        pub vendor_id: VendorId,
        pub shop_id: ShopId,
        pub currency: String,
        pub business_date: NaiveDate,
        pub received_at: DateTime<Utc>,
        pub value: Amount,
        pub lines: Vec<GrnLine>,
    }
}

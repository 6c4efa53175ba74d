//! Master data of goods, and the promotions planned for them.

use chrono::{DateTime, NaiveDate, Utc};

use crate::record::record;
use crate::{CategoryId, Percent, ProductId, PromotionId, Quantity, Rate, ShopId, VendorId};

record! {
    /// A product's whole state after the change.
    pub struct Product {
        pub product_id: ProductId,
        /// The number people know it by; unique.
        pub sku: String,
        pub name: String,
        pub category_id: CategoryId,
        pub brand: Option<String>,
        /// Unit of quantity, for example EA or KG.
        pub unit: String,
        pub barcode: Option<String>,
        pub package_size: Option<String>,
        /// List price per unit; whether tax is in it is the shop's rule.
        pub price: Rate,
        /// Expected purchase cost per unit, without tax.
        pub standard_cost: Rate,
        pub tax_rate: Percent,
        /// Harmonised system code for tax returns.
        pub hsn: Option<String>,
        /// The vendor it is usually bought from.
        pub vendor_id: Option<VendorId>,
        /// Stock of a shop at or below which it is low.
        pub reorder_level: Quantity,
        pub is_active: bool,
    }
}

record! {
    pub struct ProductDeleted {
        pub product_id: ProductId,
        pub deleted_at: DateTime<Utc>,
    }
}

record! {
    pub struct CategoryCreated {
        pub category_id: CategoryId,
        pub name: String,
        pub parent_id: Option<CategoryId>,
    }
}

record! {
    /// One product in a promotion.
    pub struct PromotionItem {
        pub product_id: ProductId,
        /// Where in the shop it is displayed, if it is.
        pub display: Option<String>,
        /// Where in the mailer it is printed, if it is.
        pub mailer: Option<String>,
    }
}

record! {
    /// What one shop promotes in a period; a large plan comes as several events.
    pub struct PromotionPlanned {
        pub promotion_id: PromotionId,
        pub shop_id: ShopId,
        pub starts_on: NaiveDate,
        /// Inclusive.
        pub ends_on: NaiveDate,
        pub items: Vec<PromotionItem>,
    }
}

//! Stock and why it changed.

use chrono::{DateTime, NaiveDate, Utc};
use uuid::Uuid;

use crate::record::{record, word};
use crate::{AdjustmentId, Amount, MovementGroupId, MovementId, ProductId, Quantity, Rate, ShopId};

word! {
    /// Why stock moved.
    pub enum MovementReason {
        Opening = "opening",
        Receipt = "receipt",
        Sale = "sale",
        SaleReturn = "sale_return",
        Adjustment = "adjustment",
    }
}

record! {
    /// One change of stock of one product.
    pub struct StockMovement {
        pub movement_id: MovementId,
        pub product_id: ProductId,
        pub batch: Option<String>,
        pub expires_on: Option<NaiveDate>,
        /// Signed: in is positive, out is negative.
        pub quantity: Quantity,
        pub unit_cost: Rate,
        /// Signed like the quantity.
        pub value: Amount,
        /// Stock of the product at the shop once moved.
        pub on_hand_after: Quantity,
    }
}

record! {
    /// All movements that one document causes at one shop.
    pub struct StockMoved {
        pub movement_group_id: MovementGroupId,
        pub shop_id: ShopId,
        pub reason: MovementReason,
        /// The document's kind, for example invoice.
        pub document_type: String,
        pub document_id: Uuid,
        pub business_date: NaiveDate,
        pub moved_at: DateTime<Utc>,
        pub movements: Vec<StockMovement>,
    }
}

record! {
    pub struct AdjustedLine {
        pub product_id: ProductId,
        /// Signed difference.
        pub quantity: Quantity,
        pub unit_cost: Rate,
    }
}

record! {
    pub struct InventoryAdjusted {
        pub adjustment_id: AdjustmentId,
        pub shop_id: ShopId,
        /// `opening`, `count`, `damage`, `theft`, `other`.
        pub reason_code: String,
        pub note: Option<String>,
        pub business_date: NaiveDate,
        pub adjusted_at: DateTime<Utc>,
        pub lines: Vec<AdjustedLine>,
    }
}

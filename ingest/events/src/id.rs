//! One type per id, so that a shop can't be passed for a product.

use std::fmt;
use std::str::FromStr;

use arrow::datatypes::DataType;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::Column;

macro_rules! ids {
    ($($(#[doc = $doc:expr])* $name:ident),* $(,)?) => {$(
        $(#[doc = $doc])*
        #[derive(
            Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
            sqlx::Type, postgres_types::ToSql, postgres_types::FromSql, utoipa::ToSchema,
        )]
        #[serde(transparent)]
        #[sqlx(transparent)]
        #[postgres(transparent)]
        #[schema(value_type = Uuid)]
        pub struct $name(pub Uuid);

        impl $name {
            /// A new id; ids made later sort later.
            #[must_use]
            #[expect(clippy::new_without_default, reason = "a default id would be a new one each time")]
            pub fn new() -> Self {
                Self(Uuid::now_v7())
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }

        impl FromStr for $name {
            type Err = uuid::Error;
            fn from_str(text: &str) -> Result<Self, Self::Err> {
                text.parse().map(Self)
            }
        }

        impl Column for $name {
            fn data_type() -> DataType {
                DataType::Utf8
            }
            fn json_schema() -> serde_json::Value {
                Uuid::json_schema()
            }
        }
    )*};
}

ids! {
    /// An event, once and for all.
    EventId,
    /// A shop: a place that sells and holds stock.
    ShopId,
    ProductId,
    CategoryId,
    PromotionId,
    CustomerId,
    VendorId,
    /// A customer or a vendor, where either may stand.
    PartyId,
    InvoiceId,
    ReturnId,
    /// A goods receipt note.
    GrnId,
    PurchaseOrderId,
    AdjustmentId,
    /// The movements that one document causes at one shop.
    MovementGroupId,
    MovementId,
    AccountId,
    EntryId,
    UserId,
}

//! Who acts and what they may do.

use std::fmt;

use millrace_events::{ShopId, UserId};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::{Error, Result};

macro_rules! permissions {
    ($($(#[doc = $doc:expr])* $variant:ident = $text:literal),* $(,)?) => {
        /// One thing a person may be allowed to do.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        pub enum Permission {
            $($(#[doc = $doc])* #[serde(rename = $text)] $variant),*
        }

        impl Permission {
            pub const ALL: &'static [Self] = &[$(Self::$variant),*];

            #[must_use]
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $text),* }
            }
        }
    };
}

permissions! {
    ProductRead = "product.read",
    ProductWrite = "product.write",
    PromotionWrite = "promotion.write",
    PartyRead = "party.read",
    CustomerWrite = "customer.write",
    VendorWrite = "vendor.write",
    ShopWrite = "shop.write",
    StockRead = "stock.read",
    StockAdjust = "stock.adjust",
    LedgerRead = "ledger.read",
    JournalPost = "journal.post",
    InvoiceRead = "invoice.read",
    InvoiceIssue = "invoice.issue",
    /// Sell at another price than the list's.
    PriceOverride = "price.override",
    /// Give a document the time it happened at, when that is not now.
    Backdate = "document.backdate",
    ReturnProcess = "return.process",
    GoodsReceive = "goods.receive",
    /// Define views while the system runs, and drop them.
    ViewDefine = "view.define",
    /// Examine the system, replay dead letters.
    SystemOperate = "system.operate",
}

impl fmt::Display for Permission {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Has every permission at every shop.
pub const ADMIN: &str = "admin";

/// What a role grants; unknown roles grant nothing.
#[must_use]
pub fn grants(role: &str) -> &'static [Permission] {
    use Permission::*;
    match role {
        ADMIN => Permission::ALL,
        "manager" => &[
            ProductRead,
            ProductWrite,
            PromotionWrite,
            PartyRead,
            CustomerWrite,
            VendorWrite,
            StockRead,
            StockAdjust,
            LedgerRead,
            InvoiceRead,
            InvoiceIssue,
            PriceOverride,
            ReturnProcess,
            GoodsReceive,
        ],
        "cashier" => &[
            ProductRead,
            PartyRead,
            CustomerWrite,
            StockRead,
            InvoiceRead,
            InvoiceIssue,
            ReturnProcess,
        ],
        "buyer" => &[ProductRead, PartyRead, VendorWrite, StockRead, GoodsReceive],
        "accountant" => &[ProductRead, PartyRead, StockRead, LedgerRead, JournalPost, InvoiceRead],
        "analyst" => &[ProductRead, PartyRead, StockRead, LedgerRead, InvoiceRead],
        _ => &[],
    }
}

/// Who a command acts for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Actor {
    pub user_id: UserId,
    pub name: String,
    pub roles: Vec<String>,
    /// The shops the roles hold at; an administrator's hold everywhere.
    pub shops: Vec<ShopId>,
}

impl Actor {
    /// Millrace itself: seeding, imports, the demo.
    #[must_use]
    pub fn system() -> Self {
        Self {
            user_id: UserId(Uuid::nil()),
            name: "Millrace".into(),
            roles: vec![ADMIN.into()],
            shops: Vec::new(),
        }
    }

    #[must_use]
    pub fn is_admin(&self) -> bool {
        self.roles.iter().any(|role| role == ADMIN)
    }

    /// Whether this person may do it, at the shop where one is meant.
    #[must_use]
    pub fn may(&self, permission: Permission, shop: Option<ShopId>) -> bool {
        let granted = self.roles.iter().any(|role| grants(role).contains(&permission));
        granted && shop.is_none_or(|shop| self.sees(shop))
    }

    /// Whether rows of this shop may be shown.
    #[must_use]
    pub fn sees(&self, shop: ShopId) -> bool {
        self.is_admin() || self.shops.contains(&shop)
    }

    /// The shops to filter by; none for somebody who sees all of them.
    #[must_use]
    pub fn shop_scope(&self) -> Option<&[ShopId]> {
        (!self.is_admin()).then_some(self.shops.as_slice())
    }

    /// # Errors
    /// [`Error::Forbidden`].
    pub fn require(&self, permission: Permission, shop: Option<ShopId>) -> Result<()> {
        if self.may(permission, shop) { Ok(()) } else { Err(Error::Forbidden { permission, shop }) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cashier_sells_at_the_own_shop_only() {
        let (own, other) = (ShopId::new(), ShopId::new());
        let cashier = Actor {
            user_id: UserId::new(),
            name: "Asha".into(),
            roles: vec!["cashier".into()],
            shops: vec![own],
        };
        assert!(cashier.may(Permission::InvoiceIssue, Some(own)));
        assert!(!cashier.may(Permission::InvoiceIssue, Some(other)));
        assert!(!cashier.may(Permission::PriceOverride, Some(own)));
        assert!(Actor::system().may(Permission::PriceOverride, Some(other)));
    }
}

//! The standard chart of a retailer. Documents post to these accounts only.

use millrace_events::event::AccountType;

macro_rules! chart {
    ($($(#[doc = $doc:expr])* $variant:ident = $code:literal, $name:literal, $type:ident;)*) => {
        /// An account that documents post to.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Account {
            $($(#[doc = $doc])* $variant),*
        }

        impl Account {
            pub const ALL: &'static [Self] = &[$(Self::$variant),*];

            #[must_use]
            pub fn code(self) -> &'static str {
                match self { $(Self::$variant => $code),* }
            }

            #[must_use]
            pub fn name(self) -> &'static str {
                match self { $(Self::$variant => $name),* }
            }

            #[must_use]
            pub fn account_type(self) -> AccountType {
                match self { $(Self::$variant => AccountType::$type),* }
            }
        }
    };
}

chart! {
    Cash = "1000", "Cash in tills", Asset;
    /// What card acquirers still owe.
    CardClearing = "1010", "Card clearing", Asset;
    UpiClearing = "1020", "UPI clearing", Asset;
    WalletClearing = "1030", "Wallet clearing", Asset;
    Inventory = "1200", "Inventory", Asset;
    GstInput = "1300", "GST input credit", Asset;
    Payables = "2000", "Accounts payable", Liability;
    /// Goods received whose bill has not come.
    GrnAccrual = "2010", "Goods received, not billed", Liability;
    CgstOutput = "2100", "CGST output", Liability;
    SgstOutput = "2110", "SGST output", Liability;
    IgstOutput = "2120", "IGST output", Liability;
    OpeningEquity = "3000", "Opening balance equity", Equity;
    Sales = "4000", "Sales", Income;
    SalesReturns = "4010", "Sales returns", Income;
    CostOfGoodsSold = "5000", "Cost of goods sold", Expense;
    StockAdjustment = "5100", "Stock adjustment", Expense;
    RoundOff = "5900", "Round-off", Expense;
}

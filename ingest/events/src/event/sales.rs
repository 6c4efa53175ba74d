//! What the till sells and takes back.

use chrono::{DateTime, NaiveDate, Utc};

use crate::record::{record, word};
use crate::{Amount, CustomerId, InvoiceId, Percent, ProductId, Quantity, Rate, ReturnId, ShopId};

word! {
    /// How a bill is paid.
    pub enum TenderKind {
        Cash = "cash",
        Card = "card",
        Upi = "upi",
        Wallet = "wallet",
    }
}

record! {
    pub struct Tender {
        pub tender: TenderKind,
        /// What was kept: change given is already taken off.
        pub amount: Amount,
        /// The provider's reference, where there is one.
        pub reference: Option<String>,
    }
}

record! {
    pub struct InvoiceLine {
        /// From 1.
        pub line_no: i32,
        pub product_id: ProductId,
        pub quantity: Quantity,
        pub unit: String,
        pub unit_price: Rate,
        pub discount: Amount,
        /// Base of the tax: after discount, without tax.
        pub taxable: Amount,
        pub tax_rate: Percent,
        pub cgst: Amount,
        pub sgst: Amount,
        pub igst: Amount,
        /// taxable + taxes.
        pub total: Amount,
        /// What the goods had cost, at the valuation of the moment.
        pub cost: Amount,
    }
}

record! {
    pub struct InvoiceIssued {
        pub invoice_id: InvoiceId,
        /// Gapless per shop and series.
        pub invoice_number: String,
        pub shop_id: ShopId,
        pub till: Option<String>,
        pub customer_id: Option<CustomerId>,
        pub currency: String,
        /// The shop's local date of the sale.
        pub business_date: NaiveDate,
        /// The shop's local hour of the sale, 0 to 23.
        pub business_hour: i32,
        pub issued_at: DateTime<Utc>,
        pub discount: Amount,
        pub taxable: Amount,
        pub tax: Amount,
        /// Signed; makes the total a whole unit of currency.
        pub round_off: Amount,
        pub total: Amount,
        pub cost: Amount,
        pub lines: Vec<InvoiceLine>,
        pub tenders: Vec<Tender>,
    }
}

record! {
    /// A line taken back, at the original line's price, tax rate and cost.
    pub struct ReturnLine {
        pub line_no: i32,
        pub invoice_line_no: i32,
        pub product_id: ProductId,
        /// Positive: what comes back.
        pub quantity: Quantity,
        pub unit: String,
        pub taxable: Amount,
        pub tax_rate: Percent,
        pub cgst: Amount,
        pub sgst: Amount,
        pub igst: Amount,
        pub total: Amount,
        pub cost: Amount,
    }
}

record! {
    pub struct ReturnProcessed {
        pub return_id: ReturnId,
        pub return_number: String,
        pub invoice_id: InvoiceId,
        pub shop_id: ShopId,
        pub customer_id: Option<CustomerId>,
        pub currency: String,
        pub business_date: NaiveDate,
        pub business_hour: i32,
        pub returned_at: DateTime<Utc>,
        pub reason: Option<String>,
        pub taxable: Amount,
        pub tax: Amount,
        pub round_off: Amount,
        pub total: Amount,
        pub cost: Amount,
        pub lines: Vec<ReturnLine>,
        /// What was paid back, positive.
        pub tenders: Vec<Tender>,
    }
}

//! A basket of the data set as an invoice.

use chrono::{DateTime, Utc};
use millrace_events::event::TenderKind;
use millrace_events::{Amount, InvoiceId, Quantity};
use millrace_sales::{IssueInvoice, IssueLine, TenderInput};
use rand::Rng;
use rust_decimal::Decimal;

use crate::Masters;
use crate::dataset::{Basket, BasketLine};
use crate::masters::{customer_id, id, product_id, seeded, shop_id};

/// How people pay, in per cent: derived, not from the data set.
const TENDERS: [(TenderKind, u32); 4] = [
    (TenderKind::Upi, 42),
    (TenderKind::Cash, 33),
    (TenderKind::Card, 20),
    (TenderKind::Wallet, 5),
];
/// Tills of a shop.
const TILLS: i64 = 4;

/// Makes invoices out of baskets.
#[derive(Clone, Copy, Debug)]
pub struct Basketry<'a> {
    masters: &'a Masters,
}

impl<'a> Basketry<'a> {
    #[must_use]
    pub fn new(masters: &'a Masters) -> Self {
        Self { masters }
    }

    /// At `issued_at` with the basket's own id; now and with a new id without it.
    #[must_use]
    pub fn invoice(&self, basket: &Basket, issued_at: Option<DateTime<Utc>>) -> IssueInvoice {
        let past = issued_at.map(|_| InvoiceId(id("invoice", basket.basket_id)));
        let lines = basket.lines.iter();
        IssueInvoice {
            invoice_id: Some(past.unwrap_or_else(InvoiceId::new)),
            shop_id: shop_id(basket.store_id),
            till: Some(format!("T{}", basket.basket_id.rem_euclid(TILLS) + 1)),
            customer_id: Some(customer_id(basket.household_id)),
            issued_at,
            lines: lines.map(|line| self.line(line)).collect(),
            tenders: vec![TenderInput {
                tender: tender(basket.basket_id),
                amount: None,
                reference: None,
            }],
        }
    }

    /// The same share off the list price as in the data set.
    fn line(&self, line: &BasketLine) -> IssueLine {
        let quantity = Quantity::from(line.quantity);
        let gross = self.masters.products[&line.product_id].price.times(quantity);
        let full_cents = line.paid_cents + line.discount_cents;
        let share = Decimal::from(line.discount_cents) / Decimal::from(full_cents.max(1));
        IssueLine {
            product_id: product_id(line.product_id),
            quantity,
            unit_price: None,
            discount: Amount::rounded(gross.decimal() * share),
        }
    }
}

fn tender(basket_id: i64) -> TenderKind {
    let mut left = seeded(0, "tender", basket_id).random_range(0..100);
    for (tender, share) in TENDERS {
        if left < share {
            return tender;
        }
        left -= share;
    }
    TenderKind::Cash
}

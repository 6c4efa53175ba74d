//! What goods that come back are worth: their part of the original line.
//!
//! Parts are cut from the running total, so that a line taken back in pieces comes to exactly what
//! it was sold for, and an invoice taken back whole to exactly what was paid.

use millrace_events::event::ReturnLine;
use millrace_events::{Amount, Percent, ProductId, Quantity};
use millrace_kernel::from_row;

use crate::price::share;

/// An invoice line as sold, and what of it came back already.
#[derive(Clone, Debug)]
pub(super) struct SoldLine {
    pub line_no: i32,
    pub product_id: ProductId,
    pub unit: String,
    pub tax_rate: Percent,
    pub quantity: Quantity,
    pub taxable: Amount,
    pub cgst: Amount,
    pub sgst: Amount,
    pub igst: Amount,
    pub cost: Amount,
    pub returned_quantity: Quantity,
    pub returned_taxable: Amount,
    pub returned_cgst: Amount,
    pub returned_sgst: Amount,
    pub returned_igst: Amount,
    pub returned_cost: Amount,
}

from_row!(SoldLine {
    line_no,
    product_id,
    unit,
    tax_rate,
    quantity,
    taxable,
    cgst,
    sgst,
    igst,
    cost,
    returned_quantity,
    returned_taxable,
    returned_cgst,
    returned_sgst,
    returned_igst,
    returned_cost,
});

impl SoldLine {
    /// What may still come back.
    pub fn left(&self) -> Quantity {
        self.quantity - self.returned_quantity
    }

    /// The line of a return for `quantity` of it.
    pub fn take_back(&self, line_no: i32, quantity: Quantity) -> ReturnLine {
        let so_far = self.returned_quantity + quantity;
        let part = |whole, returned| share(whole, so_far, self.quantity) - returned;
        let taxable = part(self.taxable, self.returned_taxable);
        let cgst = part(self.cgst, self.returned_cgst);
        let sgst = part(self.sgst, self.returned_sgst);
        let igst = part(self.igst, self.returned_igst);
        ReturnLine {
            line_no,
            invoice_line_no: self.line_no,
            product_id: self.product_id,
            quantity,
            unit: self.unit.clone(),
            taxable,
            tax_rate: self.tax_rate,
            cgst,
            sgst,
            igst,
            total: taxable + cgst + sgst + igst,
            cost: part(self.cost, self.returned_cost),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_add_up_to_the_line() {
        let amount = |text: &str| text.parse::<Amount>().expect("amount");
        let mut line = SoldLine {
            line_no: 1,
            product_id: ProductId::new(),
            unit: "EA".into(),
            tax_rate: Percent::from(18),
            quantity: Quantity::from(3),
            taxable: amount("10.00"),
            cgst: amount("0.90"),
            sgst: amount("0.90"),
            igst: Amount::ZERO,
            cost: amount("7.01"),
            returned_quantity: Quantity::ZERO,
            returned_taxable: Amount::ZERO,
            returned_cgst: Amount::ZERO,
            returned_sgst: Amount::ZERO,
            returned_igst: Amount::ZERO,
            returned_cost: Amount::ZERO,
        };
        let mut totals = Vec::new();
        for _ in 0..3 {
            let piece = line.take_back(1, Quantity::from(1));
            line.returned_quantity += piece.quantity;
            line.returned_taxable += piece.taxable;
            line.returned_cgst += piece.cgst;
            line.returned_sgst += piece.sgst;
            line.returned_cost += piece.cost;
            totals.push(piece.total.to_string());
        }
        assert_eq!(totals, ["3.93", "3.94", "3.93"]);
        assert_eq!(line.returned_taxable, line.taxable);
        assert_eq!(line.returned_cost, line.cost);
        assert!(line.left().is_zero());
    }
}

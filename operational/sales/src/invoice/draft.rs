//! A basket priced by the shop's rules and the list, before stock and number.

use std::collections::HashMap;

use millrace_events::event::{InvoiceIssued, InvoiceLine};
use millrace_events::{Amount, CustomerId, InvoiceId, ProductId, ShopId};
use millrace_kernel::{Error, FieldErrors, Result, Tx};
use millrace_party::Shop;
use millrace_product::Sellable;

use super::issue::{IssueInvoice, IssueLine};
use crate::{price, tender};

#[derive(Clone, Debug)]
pub(super) struct Draft {
    /// Without number and cost as yet.
    pub issued: InvoiceIssued,
    pub shop_code: String,
    pub change: Amount,
}

/// Prices the baskets. Everything that is wrong with any of them is told at once.
pub(super) async fn price(tx: &Tx, items: &[IssueInvoice]) -> Result<Vec<Draft>> {
    let mut shop_ids: Vec<ShopId> = items.iter().map(|item| item.shop_id).collect();
    shop_ids.sort_unstable();
    shop_ids.dedup();
    let customer_ids: Vec<CustomerId> = items.iter().filter_map(|item| item.customer_id).collect();
    let lines = items.iter().flat_map(|item| &item.lines);
    let product_ids = lines.map(|line| line.product_id).collect();
    let (shops, customers, products) = futures::try_join!(
        millrace_party::shops(tx, &shop_ids),
        millrace_party::known_customers(tx, &customer_ids),
        millrace_product::sellable(tx, product_ids),
    )?;
    let context = tx.context();
    let mut errors = FieldErrors::default();
    let mut drafts = Vec::with_capacity(items.len());
    for (index, item) in items.iter().enumerate() {
        let shop =
            shops.get(&item.shop_id).ok_or_else(|| Error::not_found("shop", item.shop_id))?;
        errors.of_batch(index, items.len(), |errors| {
            let known = item.customer_id.is_none_or(|id| customers.contains(&id));
            errors.require(known, "customer_id", "unknown", "is not an active customer");
            context.refuse_future(errors, "issued_at", item.issued_at);
            let sold_at = item.issued_at.unwrap_or(context.now());
            let lines = price_lines(errors, item, shop, &products);
            let complete = lines.len() == item.lines.len();
            let mut draft = draft(item, shop, sold_at, lines);
            if complete {
                let total = draft.issued.total;
                (draft.issued.tenders, draft.change) = tender::settle(errors, &item.tenders, total);
            }
            drafts.push(draft);
        });
    }
    errors.into_result()?;
    Ok(drafts)
}

fn price_lines(
    errors: &mut FieldErrors,
    item: &IssueInvoice,
    shop: &Shop,
    products: &HashMap<ProductId, Sellable>,
) -> Vec<InvoiceLine> {
    let mut lines = Vec::with_capacity(item.lines.len());
    errors.each("lines", &item.lines, |errors, line| {
        let product = products.get(&line.product_id).filter(|product| product.is_active);
        let Some(product) = product else {
            errors.push("product_id", "unknown", "is not a product that is sold");
            return;
        };
        let line_no = i32::try_from(lines.len() + 1).expect("an invoice has few lines");
        match price_line(line, line_no, product, shop) {
            Some(priced) => lines.push(priced),
            None => errors.push("discount", "too_large", "must not be more than the line"),
        }
    });
    lines
}

fn price_line(
    line: &IssueLine,
    line_no: i32,
    product: &Sellable,
    shop: &Shop,
) -> Option<InvoiceLine> {
    let unit_price = line.unit_price.unwrap_or(product.price);
    let net = price::gross(unit_price, line.quantity) - line.discount;
    if net.is_negative() {
        return None;
    }
    let priced = price::split(net, product.tax_rate, shop.prices_include_tax);
    Some(InvoiceLine {
        line_no,
        product_id: line.product_id,
        quantity: line.quantity,
        unit: product.unit.clone(),
        unit_price,
        discount: line.discount,
        taxable: priced.taxable,
        tax_rate: product.tax_rate,
        cgst: priced.cgst,
        sgst: priced.sgst,
        // Goods handed over the counter are supplied where the shop is: never inter-state.
        igst: Amount::ZERO,
        total: priced.total,
        cost: Amount::ZERO,
    })
}

fn draft(
    item: &IssueInvoice,
    shop: &Shop,
    issued_at: chrono::DateTime<chrono::Utc>,
    lines: Vec<InvoiceLine>,
) -> Draft {
    let (business_date, business_hour) = shop.business_time(issued_at);
    let sum: Amount = lines.iter().map(|line| line.total).sum();
    let taxable: Amount = lines.iter().map(|line| line.taxable).sum();
    let total = price::to_cash_unit(sum, &shop.currency);
    let issued = InvoiceIssued {
        invoice_id: item.invoice_id.unwrap_or_else(InvoiceId::new),
        invoice_number: String::new(),
        shop_id: item.shop_id,
        till: item.till.clone(),
        customer_id: item.customer_id,
        currency: shop.currency.clone(),
        business_date,
        business_hour,
        issued_at,
        discount: lines.iter().map(|line| line.discount).sum(),
        taxable,
        tax: sum - taxable,
        round_off: total - sum,
        total,
        cost: Amount::ZERO,
        lines,
        tenders: Vec::new(),
    };
    Draft { issued, shop_code: shop.code.clone(), change: Amount::ZERO }
}

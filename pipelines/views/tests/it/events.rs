//! Random but plausible business, from a seed.

use chrono::{DateTime, Duration, NaiveDate, Utc};
use millrace_events::catalogue::{ProductCreated, ProductUpdated};
use millrace_events::event::*;
use millrace_events::*;
use rand::seq::IndexedRandom;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use uuid::Uuid;

/// An event as the log has it: its relation and its payload as JSON.
#[derive(Clone, Debug)]
pub struct Recorded {
    pub table: String,
    pub payload: String,
    pub at: DateTime<Utc>,
}

/// Makes transactions.
#[derive(Debug)]
pub struct Business {
    rng: ChaCha8Rng,
    now: DateTime<Utc>,
    shops: Vec<ShopId>,
    products: Vec<Product>,
    invoices: Vec<InvoiceIssued>,
}

fn day() -> NaiveDate {
    NaiveDate::from_ymd_opt(2026, 3, 1).expect("a date")
}

impl Business {
    pub fn new(seed: u64) -> Self {
        let rng = ChaCha8Rng::seed_from_u64(seed);
        let now = day().and_hms_opt(8, 0, 0).expect("a time").and_utc();
        Self { rng, now, shops: vec![], products: vec![], invoices: vec![] }
    }

    fn id(&mut self) -> Uuid {
        Uuid::from_u128(self.rng.random())
    }

    fn record<E: Event>(&self, event: &E) -> Recorded {
        let payload = serde_json::to_string(event).expect("JSON");
        Recorded { table: E::spec().table_name(), payload, at: self.now }
    }

    /// Shops, accounts, products.
    pub fn masters(&mut self) -> Vec<Vec<Recorded>> {
        let mut made = Vec::new();
        for name in ["High Street", "Station"] {
            let shop = ShopOpened {
                shop_id: ShopId(self.id()),
                code: name[..2].to_owned(),
                name: name.to_owned(),
                time_zone: "Asia/Kolkata".into(),
                currency: "INR".into(),
                state_code: "29".into(),
                gstin: None,
                prices_include_tax: true,
            };
            self.shops.push(shop.shop_id);
            made.push(vec![self.record(&shop)]);
        }
        for (code, account_type) in [("1000", AccountType::Asset), ("4000", AccountType::Income)] {
            let account = AccountOpened {
                account_id: AccountId(self.id()),
                account_code: code.into(),
                account_name: format!("Account {code}"),
                account_type,
                parent_code: None,
            };
            made.push(vec![self.record(&account)]);
        }
        let category = CategoryCreated {
            category_id: CategoryId(self.id()),
            name: "Dairy".into(),
            parent_id: None,
        };
        made.push(vec![self.record(&category)]);
        for number in 0..12 {
            let product = Product {
                product_id: ProductId(self.id()),
                sku: format!("{number}"),
                name: format!("Product {number}"),
                category_id: category.category_id,
                brand: None,
                unit: "EA".into(),
                barcode: None,
                package_size: None,
                price: Rate::from(100),
                standard_cost: Rate::from(60),
                tax_rate: Percent::from(18),
                hsn: None,
                vendor_id: None,
                reorder_level: Quantity::from(3),
                is_active: true,
            };
            made.push(vec![self.record(&ProductCreated(product.clone()))]);
            self.products.push(product);
        }
        made
    }

    /// The next transaction.
    pub fn next(&mut self) -> Vec<Recorded> {
        self.now += Duration::seconds(self.rng.random_range(1..600));
        match self.rng.random_range(0..20) {
            0 => vec![self.product_changed()],
            1 => vec![self.product_deleted()],
            2 | 3 if !self.invoices.is_empty() => vec![self.returned()],
            _ => self.sale(),
        }
    }

    fn product_changed(&mut self) -> Recorded {
        let index = self.rng.random_range(0..self.products.len());
        self.products[index].name.push('+');
        self.products[index].reorder_level = Quantity::from(self.rng.random_range(0..40));
        self.record(&ProductUpdated(self.products[index].clone()))
    }

    fn product_deleted(&mut self) -> Recorded {
        let product_id = self.products.choose(&mut self.rng).expect("products").product_id;
        self.record(&ProductDeleted { product_id, deleted_at: self.now })
    }

    fn sale(&mut self) -> Vec<Recorded> {
        let shop_id = *self.shops.choose(&mut self.rng).expect("shops");
        let count = self.rng.random_range(1..5);
        let lines: Vec<InvoiceLine> = (1..=count)
            .map(|line_no| {
                let product = self.products.choose(&mut self.rng).expect("products");
                let units = self.rng.random_range(1..4);
                InvoiceLine {
                    line_no,
                    product_id: product.product_id,
                    quantity: Quantity::from(units),
                    unit: "EA".into(),
                    unit_price: product.price,
                    discount: Amount::ZERO,
                    taxable: Amount::from(units * 100),
                    tax_rate: product.tax_rate,
                    cgst: Amount::from(units * 9),
                    sgst: Amount::from(units * 9),
                    igst: Amount::ZERO,
                    total: Amount::from(units * 118),
                    cost: Amount::from(units * 60),
                }
            })
            .collect();
        let taxable: Amount = lines.iter().map(|line| line.taxable).sum();
        let total: Amount = lines.iter().map(|line| line.total).sum();
        let invoice = InvoiceIssued {
            invoice_id: InvoiceId(self.id()),
            invoice_number: format!("N{}", self.invoices.len()),
            shop_id,
            till: None,
            customer_id: None,
            currency: "INR".into(),
            business_date: self.now.date_naive(),
            business_hour: self.rng.random_range(8..20),
            issued_at: self.now,
            discount: Amount::ZERO,
            taxable,
            tax: total - taxable,
            round_off: Amount::ZERO,
            total,
            cost: lines.iter().map(|line| line.cost).sum(),
            tenders: vec![Tender { tender: TenderKind::Cash, amount: total, reference: None }],
            lines,
        };
        let sign = |quantity: Quantity| -quantity;
        let moved = StockMoved {
            movement_group_id: MovementGroupId(self.id()),
            shop_id,
            reason: MovementReason::Sale,
            document_type: "invoice".into(),
            document_id: invoice.invoice_id.0,
            business_date: invoice.business_date,
            moved_at: self.now,
            movements: invoice
                .lines
                .iter()
                .map(|line| StockMovement {
                    movement_id: MovementId(Uuid::from_u128(self.rng.random())),
                    product_id: line.product_id,
                    batch: None,
                    expires_on: None,
                    quantity: sign(line.quantity),
                    unit_cost: Rate::from(60),
                    value: -line.cost,
                    on_hand_after: Quantity::ZERO,
                })
                .collect(),
        };
        let side = |line_no, code: &str, debit, credit| JournalLine {
            line_no,
            account_code: code.into(),
            debit,
            credit,
            party_id: None,
        };
        let posted = JournalPosted {
            entry_id: EntryId(self.id()),
            shop_id,
            currency: "INR".into(),
            business_date: invoice.business_date,
            posted_at: self.now,
            document_type: "invoice".into(),
            document_id: invoice.invoice_id.0,
            reversal_of: None,
            memo: None,
            lines: vec![side(1, "1000", total, Amount::ZERO), side(2, "4000", Amount::ZERO, total)],
        };
        let made = vec![self.record(&invoice), self.record(&moved), self.record(&posted)];
        self.invoices.push(invoice);
        made
    }

    fn returned(&mut self) -> Recorded {
        let invoice = self.invoices.choose(&mut self.rng).expect("invoices").clone();
        let line = invoice.lines[0].clone();
        let event = ReturnProcessed {
            return_id: ReturnId(self.id()),
            return_number: "R".into(),
            invoice_id: invoice.invoice_id,
            shop_id: invoice.shop_id,
            customer_id: None,
            currency: "INR".into(),
            business_date: invoice.business_date,
            business_hour: invoice.business_hour,
            returned_at: self.now,
            reason: None,
            taxable: line.taxable,
            tax: line.total - line.taxable,
            round_off: Amount::ZERO,
            total: line.total,
            cost: line.cost,
            lines: vec![ReturnLine {
                line_no: 1,
                invoice_line_no: 1,
                product_id: line.product_id,
                quantity: line.quantity,
                unit: line.unit,
                taxable: line.taxable,
                tax_rate: line.tax_rate,
                cgst: line.cgst,
                sgst: line.sgst,
                igst: line.igst,
                total: line.total,
                cost: line.cost,
            }],
            tenders: vec![Tender { tender: TenderKind::Cash, amount: line.total, reference: None }],
        };
        self.record(&event)
    }
}

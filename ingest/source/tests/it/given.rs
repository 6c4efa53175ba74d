//! Events as the services write them, made from a seed.

use bytes::Bytes;
use chrono::{DateTime, Utc};
use millrace_events::catalogue::ProductCreated;
use millrace_events::event::*;
use millrace_events::{
    AccountId, Amount, CategoryId, CustomerId, EntryId, Envelope, Event, EventId, InvoiceId, Lsn,
    MovementGroupId, MovementId, PartyId, Percent, Position, ProductId, Quantity, Rate, ShopId,
};
use millrace_source::{EventType, Message};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rust_decimal::Decimal;
use uuid::Uuid;

/// Makes events.
pub struct Given {
    random: ChaCha8Rng,
}

/// An event's envelope and where it goes.
pub struct Written {
    pub event_type: &'static str,
    pub topic: millrace_events::Topic,
    pub event_id: Uuid,
    pub key: String,
    pub envelope: Bytes,
}

impl Given {
    pub fn seed(seed: u64) -> Self {
        Self { random: ChaCha8Rng::seed_from_u64(seed) }
    }

    pub fn below(&mut self, bound: u32) -> u32 {
        self.random.random_range(0..bound)
    }

    pub fn uuid(&mut self) -> Uuid {
        Uuid::from_u128(self.random.random())
    }

    fn amount(&mut self) -> Amount {
        Amount::rounded(Decimal::new(self.random.random_range(0..10_000_000), 2))
    }

    fn rate(&mut self) -> Rate {
        Rate::rounded(Decimal::new(self.random.random_range(0..100_000_000), 4))
    }

    fn quantity(&mut self) -> Quantity {
        Quantity::rounded(Decimal::new(self.random.random_range(-20_000..20_000), 3))
    }

    fn percent(&mut self) -> Percent {
        Percent::from(i64::from([0, 5, 12, 18][self.below(4) as usize]))
    }

    fn at(&mut self) -> DateTime<Utc> {
        let micros = self.random.random_range(1_700_000_000_000_000..1_800_000_000_000_000);
        DateTime::from_timestamp_micros(micros).expect("a time")
    }

    pub fn write<E: Event>(&mut self, payload: &E) -> Written {
        let spec = E::spec();
        let event_id = self.uuid();
        let envelope = Envelope {
            event_id: EventId(event_id),
            timestamp: self.at(),
            trace_id: format!("{:032x}", self.random.random::<u128>()),
            payload,
        };
        Written {
            event_type: spec.event_type,
            topic: spec.topic,
            event_id,
            key: payload.aggregate_id(),
            envelope: envelope.to_json().expect("json").into(),
        }
    }

    pub fn invoice(&mut self, lines: i32) -> Written {
        let at = self.at();
        let payload = InvoiceIssued {
            invoice_id: InvoiceId(self.uuid()),
            invoice_number: format!("S01-{:06}", self.below(1_000_000)),
            shop_id: ShopId(self.uuid()),
            till: Some(format!("till {}", self.below(9))),
            customer_id: (self.below(2) == 0).then(|| CustomerId(self.uuid())),
            currency: "INR".into(),
            business_date: at.date_naive(),
            business_hour: self.below(24) as i32,
            issued_at: at,
            discount: self.amount(),
            taxable: self.amount(),
            tax: self.amount(),
            round_off: -self.amount(),
            total: self.amount(),
            cost: self.amount(),
            lines: (1..=lines).map(|line_no| self.invoice_line(line_no)).collect(),
            tenders: vec![
                Tender { tender: TenderKind::Cash, amount: self.amount(), reference: None },
                Tender {
                    tender: TenderKind::Upi,
                    amount: self.amount(),
                    reference: Some(format!("upi/{}", self.below(1_000_000))),
                },
            ],
        };
        self.write(&payload)
    }

    fn invoice_line(&mut self, line_no: i32) -> InvoiceLine {
        InvoiceLine {
            line_no,
            product_id: ProductId(self.uuid()),
            quantity: self.quantity(),
            unit: "EA".into(),
            unit_price: self.rate(),
            discount: self.amount(),
            taxable: self.amount(),
            tax_rate: self.percent(),
            cgst: self.amount(),
            sgst: self.amount(),
            igst: Amount::ZERO,
            total: self.amount(),
            cost: self.amount(),
        }
    }

    pub fn stock(&mut self, movements: usize) -> Written {
        let at = self.at();
        let movement = |given: &mut Self| StockMovement {
            movement_id: MovementId(given.uuid()),
            product_id: ProductId(given.uuid()),
            batch: (given.below(4) == 0).then(|| "B \"7\" é\n".into()),
            expires_on: (given.below(4) == 0).then(|| at.date_naive()),
            quantity: given.quantity(),
            unit_cost: given.rate(),
            value: -given.amount(),
            on_hand_after: given.quantity(),
        };
        let movements = (0..movements).map(|_| movement(self)).collect();
        let payload = StockMoved {
            movement_group_id: MovementGroupId(self.uuid()),
            shop_id: ShopId(self.uuid()),
            reason: MovementReason::Sale,
            document_type: "invoice".into(),
            document_id: self.uuid(),
            business_date: at.date_naive(),
            moved_at: at,
            movements,
        };
        self.write(&payload)
    }

    pub fn journal(&mut self, lines: i32) -> Written {
        let at = self.at();
        let line = |given: &mut Self, line_no| JournalLine {
            line_no,
            account_code: format!("{}", 1000 + given.below(100)),
            debit: given.amount(),
            credit: Amount::ZERO,
            party_id: (given.below(3) == 0).then(|| PartyId(given.uuid())),
        };
        let payload = JournalPosted {
            entry_id: EntryId(self.uuid()),
            shop_id: ShopId(self.uuid()),
            currency: "INR".into(),
            business_date: at.date_naive(),
            posted_at: at,
            document_type: "invoice".into(),
            document_id: self.uuid(),
            reversal_of: (self.below(5) == 0).then(|| EntryId(self.uuid())),
            memo: (self.below(2) == 0).then(|| "a memo, \\ with escapes \u{1F600}".into()),
            lines: (1..=lines).map(|line_no| line(self, line_no)).collect(),
        };
        self.write(&payload)
    }

    pub fn account(&mut self) -> Written {
        let payload = AccountOpened {
            account_id: AccountId(self.uuid()),
            account_code: format!("{}", self.below(10_000)),
            account_name: "Cash at till".into(),
            account_type: AccountType::Asset,
            parent_code: None,
        };
        self.write(&payload)
    }

    pub fn product(&mut self) -> Written {
        let payload = Product {
            product_id: ProductId(self.uuid()),
            sku: format!("{}", self.below(100_000)),
            name: "Rice, 5 kg".into(),
            category_id: CategoryId(self.uuid()),
            brand: None,
            unit: "EA".into(),
            barcode: Some("8901234567890".into()),
            package_size: None,
            price: self.rate(),
            standard_cost: self.rate(),
            tax_rate: self.percent(),
            hsn: None,
            vendor_id: None,
            reorder_level: self.quantity(),
            is_active: self.below(2) == 0,
        };
        self.write(&ProductCreated(payload))
    }

    /// The events of a sale, or now and then of something smaller.
    pub fn transaction(&mut self) -> Vec<Written> {
        match self.below(8) {
            0 => vec![self.account()],
            1 => vec![self.product(), self.product()],
            _ => vec![self.stock(5), self.journal(7), self.invoice(5)],
        }
    }
}

/// A log of two partitions a topic, as the relay would have written these transactions.
pub fn log(transactions: impl IntoIterator<Item = Vec<Written>>) -> Vec<Message> {
    let mut offsets = std::collections::HashMap::new();
    let mut messages: Vec<Message> = Vec::new();
    for (index, events) in transactions.into_iter().enumerate() {
        let size = events.len() as u32;
        for (number, event) in (1..).zip(events) {
            let partition = i32::from(event.key.bytes().last().unwrap_or_default() % 2);
            let offset: &mut i64 = offsets.entry((event.topic, partition)).or_default();
            messages.push(Message {
                topic: event.topic,
                partition,
                offset: *offset,
                position: Position(messages.len() as u64 + 1),
                lsn: Lsn(index as u64 * 64 + 64),
                number,
                size,
                event_id: event.event_id,
                event_type: EventType::of(event.event_type),
                traceparent: None,
                key: event.key.into(),
                value: Some(event.envelope),
            });
            *offset += 1;
        }
    }
    messages
}

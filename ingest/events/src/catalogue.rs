//! One row per event: its type, topic and owner. Everything downstream is derived from these rows.

use arrow::datatypes::{DataType, Field, Schema, SchemaRef, TimeUnit};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::column::object_schema;
use crate::event::*;
use crate::{Column, ColumnSpec, Record, envelope};

/// A Kafka topic of business events.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Topic {
    Products,
    Parties,
    Finance,
    Inventory,
    Billing,
    Purchase,
    Views,
}

impl Topic {
    pub const ALL: &'static [Self] = &[
        Self::Products,
        Self::Parties,
        Self::Finance,
        Self::Inventory,
        Self::Billing,
        Self::Purchase,
        Self::Views,
    ];

    /// The control topic of one partition on which the relay tells how far it is.
    pub const FRONTIER: &'static str = "millrace.frontier.v1";

    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Products => "products.events.v1",
            Self::Parties => "parties.events.v1",
            Self::Finance => "finance.events.v1",
            Self::Inventory => "inventory.events.v1",
            Self::Billing => "billing.events.v1",
            Self::Purchase => "purchase.events.v1",
            Self::Views => "views.events.v1",
        }
    }
}

impl std::fmt::Display for Topic {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A payload that can be published.
pub trait Event: Record + Column + Serialize + DeserializeOwned + Send + Sync + 'static {
    fn spec() -> &'static EventSpec;
    /// The id whose events keep their order: the message key.
    fn aggregate_id(&self) -> String;
}

/// A row of the catalogue.
#[derive(Debug)]
pub struct EventSpec {
    /// `noun.verb`, in the past tense.
    pub event_type: &'static str,
    pub version: &'static str,
    pub topic: Topic,
    pub source_service: &'static str,
    /// What happened, in a sentence.
    pub doc: &'static str,
    columns: fn() -> Vec<ColumnSpec>,
}

impl EventSpec {
    /// Name of the base relation and, behind `raw_`, of the raw mart table.
    #[must_use]
    pub fn table_name(&self) -> String {
        self.event_type.replace('.', "_")
    }

    /// The payload's fields.
    #[must_use]
    pub fn columns(&self) -> Vec<ColumnSpec> {
        (self.columns)()
    }

    /// Columns of the base relation: `position`, what the envelope tells, then the payload's fields.
    #[must_use]
    pub fn arrow_schema(&self) -> SchemaRef {
        let mut fields = vec![
            Field::new("position", DataType::Int64, false),
            Field::new("event_id", DataType::Utf8, false),
            Field::new(
                "event_at",
                DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into())),
                false,
            ),
            Field::new("source_service", DataType::Utf8, false),
        ];
        fields.extend(self.columns().iter().map(ColumnSpec::field));
        Schema::new(fields).into()
    }

    /// JSON schema (2020-12) of the whole envelope with this payload.
    #[must_use]
    pub fn json_schema(&self) -> serde_json::Value {
        let mut payload = object_schema(&self.columns());
        payload["description"] = self.doc.into();
        serde_json::json!({
            "$schema": "https://json-schema.org/draft/2020-12/schema",
            "title": self.event_type,
            "type": "object",
            "properties": {
                "event_id": {"type": "string", "format": "uuid"},
                "event_type": {"const": self.event_type},
                "version": {"const": self.version},
                "timestamp": {"type": "string", "format": "date-time"},
                "trace_id": {"type": "string"},
                "source_service": {"const": self.source_service},
                "payload": payload,
            },
            "required": ["event_id", "event_type", "version", "timestamp", "trace_id", "source_service", "payload"],
        })
    }
}

/// The row of an event type, if it is known.
#[must_use]
pub fn find(event_type: &str) -> Option<&'static EventSpec> {
    EVENTS.iter().copied().find(|spec| spec.event_type == event_type)
}

macro_rules! catalogue {
    ($($type:ident = $event_type:literal, $topic:ident, $service:literal, |$event:ident| $key:expr, $doc:literal;)*) => {
        /// Every event there is.
        pub static EVENTS: &[&EventSpec] = &[$({
            static SPEC: EventSpec = EventSpec {
                event_type: $event_type,
                version: envelope::VERSION,
                topic: Topic::$topic,
                source_service: $service,
                doc: $doc,
                columns: <$type as Record>::columns,
            };
            &SPEC
        }),*];

        $(impl Event for $type {
            fn spec() -> &'static EventSpec {
                find($event_type).expect("an event with a catalogue row is in the catalogue")
            }
            fn aggregate_id(&self) -> String {
                let $event = self;
                $key.to_string()
            }
        })*
    };
}

/// Events that carry the whole state of a record, under a type of their own each.
macro_rules! states {
    ($($(#[doc = $doc:expr])* $name:ident of $record:ident;)*) => {$(
        $(#[doc = $doc])*
        #[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
        #[serde(transparent)]
        pub struct $name(pub $record);

        impl Record for $name {
            fn columns() -> Vec<ColumnSpec> {
                $record::columns()
            }
        }

        impl Column for $name {
            fn data_type() -> DataType {
                $record::data_type()
            }
            fn json_schema() -> serde_json::Value {
                $record::json_schema()
            }
        }
    )*};
}

states! {
    ProductCreated of Product;
    ProductUpdated of Product;
    CustomerCreated of Customer;
    CustomerUpdated of Customer;
}

catalogue! {
    ProductCreated = "product.created", Products, "product-service", |e| e.0.product_id, "A product can be sold from now on.";
    ProductUpdated = "product.updated", Products, "product-service", |e| e.0.product_id, "A product's data changed; the payload is its new state.";
    ProductDeleted = "product.deleted", Products, "product-service", |e| e.product_id, "A product is not sold any more.";
    CategoryCreated = "category.created", Products, "product-service", |e| e.category_id, "A category of products exists.";
    PromotionPlanned = "promotion.planned", Products, "product-service", |e| e.promotion_id, "A shop will promote products in a period.";
    ShopOpened = "shop.opened", Parties, "customer-vendor-service", |e| e.shop_id, "A shop can sell and hold stock.";
    CustomerCreated = "customer.created", Parties, "customer-vendor-service", |e| e.0.customer_id, "A customer is known.";
    CustomerUpdated = "customer.updated", Parties, "customer-vendor-service", |e| e.0.customer_id, "A customer's data changed; the payload is the new state.";
    VendorCreated = "vendor.created", Parties, "customer-vendor-service", |e| e.vendor_id, "A vendor is known.";
    AccountOpened = "account.opened", Finance, "finance-service", |e| e.account_id, "An account of the ledger can be posted to.";
    JournalPosted = "journal.posted", Finance, "finance-service", |e| e.entry_id, "A balanced entry was posted.";
    StockMoved = "stock.moved", Inventory, "inventory-service", |e| e.shop_id, "Stock of a shop changed.";
    InventoryAdjusted = "inventory.adjusted", Inventory, "inventory-service", |e| e.shop_id, "Stock was corrected by hand, with a reason.";
    InvoiceIssued = "invoice.issued", Billing, "sales-service", |e| e.invoice_id, "A bill was issued and paid at the till.";
    ReturnProcessed = "return.processed", Billing, "sales-service", |e| e.invoice_id, "Goods of an invoice were taken back and paid back.";
    ViewDefined = "view.defined", Views, "api-gateway", |e| e.name, "A view was created or given another definition.";
    ViewDropped = "view.dropped", Views, "api-gateway", |e| e.name, "A view that had been defined was removed.";
    GrnReceived = "grn.received", Purchase, "purchase-service", |e| e.grn_id, "A vendor's delivery was taken in.";
}

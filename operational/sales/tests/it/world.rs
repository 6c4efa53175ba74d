//! A shop with goods on its shelves, in a database of its own.

use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::http::{Method, Request, Response, StatusCode};
use chrono::{DateTime, TimeZone, Utc};
use millrace_events::event::TenderKind;
use millrace_events::{
    Amount, CustomerId, Percent, ProductId, Quantity, Rate, ShopId, UserId, VendorId,
};
use millrace_inventory::{AdjustLine, AdjustStock, ReasonCode};
use millrace_kernel::{
    Actor, Authenticator, Batch, Claims, Context, Error, Kernel, Service, SettableClock,
};
use millrace_party::{CreateCustomer, CreateVendor, OpenShop};
use millrace_product::{CreateCategory, CreateProduct};
use millrace_sales::{Invoice, IssueInvoice, IssueLine, TenderInput};
use serde_json::Value;
use tower::ServiceExt;

pub const SERVICES: [&Service; 6] = [
    &millrace_product::SERVICE,
    &millrace_party::SERVICE,
    &millrace_finance::SERVICE,
    &millrace_inventory::SERVICE,
    &millrace_sales::SERVICE,
    &millrace_purchase::SERVICE,
];

/// Each product's opening stock.
pub const STOCK: i64 = 100;

pub struct World {
    pub kernel: Kernel,
    pub clock: SettableClock,
    pub shop: ShopId,
    /// Prices 10.50, 21, 31.50 …; tax rates 0, 5 and 18 % in turn; cost 60 % of the price.
    pub products: Vec<ProductId>,
    pub customer: CustomerId,
    pub vendor: VendorId,
}

pub fn start() -> DateTime<Utc> {
    // 15:00 on a Sunday in Kolkata.
    Utc.with_ymd_and_hms(2026, 3, 1, 9, 30, 0).single().expect("time")
}

impl World {
    pub async fn new() -> anyhow::Result<Self> {
        Self::with_products(6).await
    }

    /// With ids that depend on the numbers only, so that two worlds are alike.
    pub async fn with_products(count: u128) -> anyhow::Result<Self> {
        let server = millrace_local::testing::database().await?;
        let clock = SettableClock::at(start());
        let (kernel, _) =
            millrace_kernel::testing::fresh(&server, Arc::new(clock.clone()), &SERVICES).await?;
        let system = Context::system(&kernel);
        let id = uuid::Uuid::from_u128;
        let shop = ShopId(id(0x5109));
        kernel.run(&system, &open_shop(shop, "MUM01")).await?;
        let category = CreateCategory {
            category_id: Some(millrace_events::CategoryId(id(0xca7))),
            name: "Grocery".into(),
            parent_id: None,
        };
        let category = kernel.run(&system, &category).await?.output()?.category_id;
        let products: Vec<CreateProduct> = (1..=count)
            .map(|n| product(ProductId(id(n)), i64::try_from(n).expect("few"), category))
            .collect();
        let created = kernel.run(&system, &Batch(products)).await?.output()?;
        let customer = CustomerId(id(0xc057));
        kernel.run(&system, &create_customer(customer)).await?;
        let vendor = VendorId(id(0xbe4d));
        let create_vendor = CreateVendor {
            vendor_id: Some(vendor),
            code: "V1".into(),
            name: "Dairy".into(),
            gstin: Some("27AAPFU0939F1ZV".into()),
            lead_time_days: 3,
        };
        kernel.run(&system, &create_vendor).await?;
        let products: Vec<ProductId> = created.iter().map(|product| product.product_id).collect();
        let world = Self { kernel, clock, shop, products, customer, vendor };
        let lines = world.products.iter().map(|product| (*product, STOCK)).collect::<Vec<_>>();
        for lines in lines.chunks(1000) {
            world.adjust(ReasonCode::Opening, lines).await?;
        }
        Ok(world)
    }

    pub fn system(&self) -> Context {
        Context::system(&self.kernel)
    }

    pub async fn adjust(
        &self,
        reason_code: ReasonCode,
        lines: &[(ProductId, i64)],
    ) -> Result<(), Error> {
        let lines = lines.iter().map(|(product_id, quantity)| AdjustLine {
            product_id: *product_id,
            quantity: Quantity::from(*quantity),
            unit_cost: None,
        });
        let command = AdjustStock {
            adjustment_id: None,
            shop_id: self.shop,
            reason_code,
            note: None,
            adjusted_at: None,
            lines: lines.collect(),
        };
        self.kernel.run(&self.system(), &command).await.map(drop)
    }

    /// A basket paid in cash, to the rupee.
    pub fn basket(&self, lines: &[(ProductId, i64)]) -> IssueInvoice {
        let lines = lines.iter().map(|(product_id, quantity)| IssueLine {
            product_id: *product_id,
            quantity: Quantity::from(*quantity),
            unit_price: None,
            discount: Amount::ZERO,
        });
        IssueInvoice {
            invoice_id: None,
            shop_id: self.shop,
            till: Some("T1".into()),
            customer_id: None,
            issued_at: None,
            lines: lines.collect(),
            tenders: vec![cash()],
        }
    }

    pub async fn sell(&self, lines: &[(ProductId, i64)]) -> Result<Invoice, Error> {
        self.kernel.run(&self.system(), &self.basket(lines)).await?.output()
    }

    pub async fn scalar<T>(&self, sql: &'static str) -> anyhow::Result<T>
    where
        T: Send + Unpin + for<'r> sqlx::Decode<'r, sqlx::Postgres> + sqlx::Type<sqlx::Postgres>,
    {
        Ok(sqlx::query_scalar(sql).fetch_one(self.kernel.pool()).await?)
    }

    /// All services behind access tokens, as served.
    pub fn server(&self) -> Server {
        let clock = Arc::new(self.clock.clone());
        let authenticator = Authenticator::new(&"a secret for tests only".into(), clock);
        let (router, _) = millrace_sales::routes()
            .merge(millrace_purchase::routes())
            .merge(millrace_inventory::routes())
            .merge(millrace_finance::routes())
            .merge(millrace_party::routes())
            .merge(millrace_product::routes())
            .split_for_parts();
        let layer = axum::middleware::from_fn_with_state(
            authenticator.clone(),
            Authenticator::authenticate,
        );
        Server { router: router.layer(layer).with_state(self.kernel.clone()), authenticator }
    }
}

pub struct Server {
    router: Router,
    authenticator: Authenticator,
}

pub struct Answer {
    pub status: StatusCode,
    pub response: Response<()>,
    pub text: String,
}

impl Answer {
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_else(|error| panic!("{error}: {}", self.text))
    }

    pub fn header(&self, name: &str) -> Option<&str> {
        self.response.headers().get(name).and_then(|value| value.to_str().ok())
    }

    /// Paths of the refused fields, in order.
    pub fn fields(&self) -> Vec<String> {
        let json = self.json();
        let errors = json["errors"].as_array().cloned().unwrap_or_default();
        errors.iter().map(|error| error["field"].as_str().unwrap_or_default().to_owned()).collect()
    }
}

impl Server {
    pub fn token(&self, role: &str, shops: &[ShopId]) -> String {
        self.authenticator.sign(&Claims {
            sub: UserId(uuid::Uuid::from_u128(0x05e4)),
            name: role.into(),
            roles: vec![role.into()],
            shops: shops.to_vec(),
            exp: start().timestamp() + 3600,
        })
    }

    pub async fn send(
        &self,
        token: &str,
        (method, uri): (Method, &str),
        headers: &[(&str, &str)],
        body: impl Into<String>,
    ) -> anyhow::Result<Answer> {
        let mut request = Request::builder()
            .method(method)
            .uri(uri)
            .header("authorization", format!("Bearer {token}"))
            .header("content-type", "application/json");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let response = self.router.clone().oneshot(request.body(Body::from(body.into()))?).await?;
        let (parts, body) = response.into_parts();
        let text = String::from_utf8(axum::body::to_bytes(body, 1 << 24).await?.to_vec())?;
        let status = parts.status;
        Ok(Answer { status, response: Response::from_parts(parts, ()), text })
    }
}

pub fn open_shop(shop_id: ShopId, code: &str) -> OpenShop {
    OpenShop {
        shop_id: Some(shop_id),
        code: code.into(),
        name: format!("Shop {code}"),
        time_zone: "Asia/Kolkata".into(),
        currency: "INR".into(),
        state_code: "27".into(),
        gstin: None,
        prices_include_tax: true,
    }
}

pub fn cash() -> TenderInput {
    TenderInput { tender: TenderKind::Cash, amount: None, reference: None }
}

pub fn actor(role: &str, shops: &[ShopId]) -> Arc<Actor> {
    Arc::new(Actor {
        user_id: UserId(uuid::Uuid::from_u128(0x05e5)),
        name: role.into(),
        roles: vec![role.into()],
        shops: shops.to_vec(),
    })
}

fn create_customer(customer_id: CustomerId) -> CreateCustomer {
    CreateCustomer {
        customer_id: Some(customer_id),
        code: "C1".into(),
        name: "Asha".into(),
        customer_group: None,
        phone: Some("+919800000001".into()),
        email: None,
        gstin: None,
        is_active: true,
    }
}

fn product(
    product_id: ProductId,
    number: i64,
    category_id: millrace_events::CategoryId,
) -> CreateProduct {
    let rate = |paise: i64| Rate::rounded(rust_decimal::Decimal::new(paise, 2));
    CreateProduct {
        product_id: Some(product_id),
        sku: format!("SKU-{number}"),
        name: format!("Thing {number}"),
        category_id,
        brand: None,
        unit: "EA".into(),
        barcode: None,
        package_size: None,
        price: rate(1050 * number),
        standard_cost: rate(630 * number),
        tax_rate: [0, 5, 18].map(Percent::from)[usize::try_from(number % 3).expect("small")],
        hsn: Some("1905".into()),
        vendor_id: None,
        reorder_level: Quantity::from(10),
        is_active: true,
    }
}

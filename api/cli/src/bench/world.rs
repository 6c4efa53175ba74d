//! What is sold in the benchmarks: 8 shops, 10,000 products with a hot one, 5 lines an invoice.

use anyhow::Result;
use millrace_events::event::TenderKind;
use millrace_events::{CategoryId, InvoiceId, Percent, ProductId, Quantity, Rate, ShopId};
use millrace_inventory::{AdjustLine, AdjustStock, ReasonCode};
use millrace_kernel::{Batch, BatchCommand, Context, Kernel};
use millrace_party::OpenShop;
use millrace_product::{CreateCategory, CreateProduct};
use millrace_sales::{IssueInvoice, IssueLine, TenderInput};
use rand::Rng;
use rand_chacha::ChaCha8Rng;

const SHOPS: usize = 8;
const PRODUCTS: usize = 10_000;
/// Of the small world.
const FEW: usize = 200;
const CATEGORIES: usize = 40;
pub const LINES: usize = 5;
const OPENING_UNITS: i64 = 1_000_000;
const CHUNK: usize = 1000;
/// One invoice in so many has the hot product on it.
const HOT_ONE_IN: u32 = 4;

#[derive(Clone, Debug)]
pub struct World {
    shops: Vec<ShopId>,
    /// The first is the hot one.
    products: Vec<ProductId>,
}

impl World {
    /// Makes masters and opening stock through the commands.
    ///
    /// # Errors
    /// The first command that is refused.
    pub async fn make(kernel: &Kernel) -> Result<Self> {
        Self::make_with(kernel, SHOPS, PRODUCTS).await
    }

    /// The same with 2 shops and 200 products: quickly made, for tests.
    ///
    /// # Errors
    /// The first command that is refused.
    pub async fn make_small(kernel: &Kernel) -> Result<Self> {
        Self::make_with(kernel, 2, FEW).await
    }

    async fn make_with(kernel: &Kernel, shops: usize, products: usize) -> Result<Self> {
        let shops: Vec<ShopId> = (0..shops).map(|_| ShopId::new()).collect();
        let products: Vec<ProductId> = (0..products).map(|_| ProductId::new()).collect();
        let categories: Vec<CategoryId> = (0..CATEGORIES).map(|_| CategoryId::new()).collect();
        run(kernel, shops.iter().enumerate().map(shop).collect()).await?;
        let named = categories.iter().enumerate().map(|(n, id)| CreateCategory {
            category_id: Some(*id),
            name: format!("Category {n}"),
            parent_id: None,
        });
        run(kernel, named.collect()).await?;
        let priced = products.iter().enumerate();
        run(kernel, priced.map(|(n, id)| product(n, *id, categories[n % CATEGORIES])).collect())
            .await?;
        for shop in &shops {
            for products in products.chunks(CHUNK) {
                run(kernel, vec![opening(*shop, products)]).await?;
            }
        }
        Ok(Self { shops, products })
    }

    #[must_use]
    pub fn invoice(&self, random: &mut ChaCha8Rng) -> IssueInvoice {
        let mut picked = Vec::with_capacity(LINES);
        if random.random_ratio(1, HOT_ONE_IN) {
            picked.push(0);
        }
        while picked.len() < LINES {
            let product = random.random_range(1..self.products.len());
            if !picked.contains(&product) {
                picked.push(product);
            }
        }
        let line = |product: usize| IssueLine {
            product_id: self.products[product],
            quantity: Quantity::from(1),
            unit_price: None,
            discount: millrace_events::Amount::ZERO,
        };
        IssueInvoice {
            invoice_id: Some(InvoiceId::new()),
            shop_id: self.shops[random.random_range(0..self.shops.len())],
            till: Some("T1".into()),
            customer_id: None,
            issued_at: None,
            lines: picked.into_iter().map(line).collect(),
            tenders: vec![TenderInput { tender: TenderKind::Upi, amount: None, reference: None }],
        }
    }
}

async fn run<C: BatchCommand + Clone>(kernel: &Kernel, commands: Vec<C>) -> Result<()> {
    for commands in commands.chunks(CHUNK) {
        kernel.run(&Context::system(kernel), &Batch(commands.to_vec())).await?;
    }
    Ok(())
}

fn shop((n, id): (usize, &ShopId)) -> OpenShop {
    OpenShop {
        shop_id: Some(*id),
        code: format!("B{n}"),
        name: format!("Shop {n}"),
        time_zone: "Asia/Kolkata".into(),
        currency: "INR".into(),
        state_code: "27".into(),
        gstin: None,
        prices_include_tax: true,
    }
}

fn product(n: usize, id: ProductId, category_id: CategoryId) -> CreateProduct {
    let rupees = 10 + (n as i64 * 37) % 490;
    CreateProduct {
        product_id: Some(id),
        sku: format!("B{n}"),
        name: format!("Product {n}"),
        category_id,
        brand: None,
        unit: "EA".into(),
        barcode: None,
        package_size: None,
        price: Rate::from(rupees),
        standard_cost: Rate::from(rupees * 7 / 10),
        tax_rate: Percent::from([0, 5, 18][n % 3]),
        hsn: None,
        vendor_id: None,
        reorder_level: Quantity::from(10),
        is_active: true,
    }
}

fn opening(shop_id: ShopId, products: &[ProductId]) -> AdjustStock {
    let line = |product: &ProductId| AdjustLine {
        product_id: *product,
        quantity: Quantity::from(OPENING_UNITS),
        unit_cost: None,
    };
    AdjustStock {
        adjustment_id: None,
        shop_id,
        reason_code: ReasonCode::Opening,
        note: None,
        adjusted_at: None,
        lines: products.iter().map(line).collect(),
    }
}

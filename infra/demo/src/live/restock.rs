//! Buyers: what the live view calls low is delivered, as much as sells in a while.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Result, bail};
use millrace_events::{GrnId, ProductId, Quantity, ShopId, VendorId};
use millrace_purchase::{ReceiveGoods, ReceiveLine};
use reqwest::StatusCode;
use rust_decimal::Decimal;
use serde::Deserialize;
use tokio_util::sync::CancellationToken;

use super::{ShopClient, Tally};
use crate::Masters;
use crate::masters::ProductMaster;

const PAUSE: Duration = Duration::from_secs(2);
/// Reorder levels that a delivery brings.
const LEVELS: Decimal = Decimal::from_parts(40, 0, 0, false, 0);
const LINES_MAX: usize = 200;

#[derive(Deserialize)]
struct LowStock {
    rows: Vec<Low>,
}

#[derive(Deserialize)]
struct Low {
    shop_id: ShopId,
    product_id: ProductId,
}

pub(super) async fn run(
    client: ShopClient,
    masters: Arc<Masters>,
    tally: Arc<Tally>,
    stop: CancellationToken,
) {
    let products: HashMap<ProductId, &ProductMaster> =
        masters.products.values().map(|product| (product.product_id, product)).collect();
    while stop.run_until_cancelled(tokio::time::sleep(PAUSE)).await.is_some() {
        let round = order(&client, &masters, &products, &tally);
        if let Some(Err(error)) = stop.run_until_cancelled(round).await {
            tracing::warn!(error = format!("{error:#}"), "a delivery could not be received");
        }
    }
}

/// One round over the view.
async fn order(
    client: &ShopClient,
    masters: &Masters,
    products: &HashMap<ProductId, &ProductMaster>,
    tally: &Tally,
) -> Result<()> {
    let answer = client.get("/api/v1/views/live_low_stock?limit=1000").await?;
    if answer.status != StatusCode::OK {
        bail!("{}: {}", answer.status, answer.body);
    }
    let mut deliveries: HashMap<(ShopId, VendorId), Vec<ReceiveLine>> = HashMap::new();
    for low in answer.json::<LowStock>()?.rows {
        let Some(product) = products.get(&low.product_id) else { continue };
        let vendor = masters.vendors[product.vendor].vendor_id;
        let units = Quantity::rounded(product.reorder_level.decimal() * LEVELS);
        deliveries.entry((low.shop_id, vendor)).or_default().push(ReceiveLine {
            product_id: low.product_id,
            quantity: units,
            unit_cost: product.cost,
            batch: None,
            expires_on: None,
        });
    }
    for ((shop_id, vendor_id), lines) in deliveries {
        for lines in lines.chunks(LINES_MAX) {
            let note = ReceiveGoods {
                grn_id: Some(GrnId::new()),
                shop_id,
                vendor_id,
                purchase_order_id: None,
                received_at: None,
                lines: lines.to_vec(),
            };
            let key = format!("delivery/{}", note.grn_id.expect("it was given one above"));
            let answer = client.post("/api/v1/purchases/grn", &key, &note).await?;
            if answer.status != StatusCode::CREATED {
                bail!("{}: {}", answer.status, answer.body);
            }
            Tally::count(&tally.received);
        }
    }
    Ok(())
}

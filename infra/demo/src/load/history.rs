//! Opening stock, then week by week deliveries and invoices: shops beside each other, a shop's own
//! past in order.

use std::collections::BTreeMap;

use anyhow::{Context as _, Result};
use chrono::{DateTime, NaiveDateTime, NaiveTime, TimeDelta, TimeZone, Utc};
use futures::{StreamExt, TryStreamExt, stream};
use indicatif::ProgressBar;
use millrace_events::Quantity;
use millrace_inventory::{AdjustLine, AdjustStock, ReasonCode};
use millrace_kernel::{Batch, Command, Context, Kernel};
use millrace_purchase::{ReceiveGoods, ReceiveLine};
use millrace_sales::IssueInvoice;

use super::{Key, progress};
use crate::basket::Basketry;
use crate::dataset::{Basket, Week};
use crate::masters::{id, product_id, shop_id};
use crate::supply::{Delivery, Supply};
use crate::{Dataset, Masters, SupplyPlan, TIME_ZONE};

/// Shops whose past is written at the same time.
const SHOPS_AT_ONCE: usize = 4;
/// Invoices in one transaction: three events each.
const INVOICES_CHUNK: usize = 250;
const DELIVERIES_CHUNK: usize = 50;
/// Lines of one stock document.
const LINES_MAX: usize = 1000;

pub(super) async fn load(
    kernel: &Kernel,
    key: &Key,
    dataset: &Dataset,
    masters: &Masters,
    supply: &SupplyPlan,
) -> Result<()> {
    let past = Past { kernel, key, masters, basketry: Basketry::new(masters) };
    past.opening(dataset, supply).await?;

    let mut weeks: BTreeMap<Week, BTreeMap<i64, Vec<&Basket>>> = BTreeMap::new();
    for basket in &dataset.baskets {
        weeks.entry(basket.week).or_default().entry(basket.store_id).or_default().push(basket);
    }
    let bar = progress::bar("invoices", dataset.baskets.len(), "invoices");
    for (week, shops) in &weeks {
        let none = Vec::new();
        let deliveries = supply.deliveries.get(week).unwrap_or(&none);
        let shops = shops.iter().map(|(store, baskets)| {
            let arriving = deliveries.iter().filter(move |delivery| delivery.store == *store);
            past.week(*week, *store, arriving.collect(), baskets, &bar)
        });
        stream::iter(shops).buffer_unordered(SHOPS_AT_ONCE).try_collect::<Vec<()>>().await?;
    }
    progress::finish(&bar);
    Ok(())
}

struct Past<'a> {
    kernel: &'a Kernel,
    key: &'a Key,
    masters: &'a Masters,
    basketry: Basketry<'a>,
}

impl Past<'_> {
    async fn opening(&self, dataset: &Dataset, supply: &SupplyPlan) -> Result<()> {
        let Some(first) = dataset.baskets.first() else { return Ok(()) };
        let before = self.opens(first.week) - TimeDelta::hours(1);
        let documents = supply.opening.iter().flat_map(|(store, supplies)| {
            supplies
                .chunks(LINES_MAX)
                .enumerate()
                .map(move |(part, supplies)| (*store, part, supplies))
        });
        let documents: Vec<AdjustStock> = documents
            .map(|(store, part, supplies)| AdjustStock {
                adjustment_id: Some(millrace_events::AdjustmentId(id(
                    "opening",
                    format_args!("{store}/{part}"),
                ))),
                shop_id: shop_id(store),
                reason_code: ReasonCode::Opening,
                note: Some("Opening stock of the demo".into()),
                adjusted_at: Some(before),
                lines: supplies.iter().map(|supply| self.opening_line(supply)).collect(),
            })
            .collect();
        let bar = progress::bar("opening stock", documents.len(), "documents");
        for (number, document) in documents.into_iter().enumerate() {
            self.run("opening", number, &Batch(vec![document])).await?;
            bar.inc(1);
        }
        progress::finish(&bar);
        Ok(())
    }

    fn opening_line(&self, supply: &Supply) -> AdjustLine {
        AdjustLine {
            product_id: product_id(supply.product),
            quantity: Quantity::from(supply.units),
            unit_cost: Some(self.masters.products[&supply.product].cost),
        }
    }

    async fn week(
        &self,
        week: Week,
        store: i64,
        deliveries: Vec<&Delivery>,
        baskets: &[&Basket],
        bar: &ProgressBar,
    ) -> Result<()> {
        let notes: Vec<ReceiveGoods> =
            deliveries.iter().flat_map(|delivery| self.notes(delivery)).collect();
        for (number, notes) in notes.chunks(DELIVERIES_CHUNK).enumerate() {
            let step = format!("deliveries/{week}/{store}");
            self.run(&step, number, &Batch(notes.to_vec())).await?;
        }
        for (number, baskets) in baskets.chunks(INVOICES_CHUNK).enumerate() {
            let invoices: Vec<IssueInvoice> =
                baskets.iter().map(|basket| self.invoice(basket)).collect();
            self.run(&format!("invoices/{week}/{store}"), number, &Batch(invoices)).await?;
            bar.inc(baskets.len() as u64);
        }
        Ok(())
    }

    fn notes(&self, delivery: &Delivery) -> Vec<ReceiveGoods> {
        let Delivery { store, vendor, week, lines } = delivery;
        let line = |supply: &Supply| ReceiveLine {
            product_id: product_id(supply.product),
            quantity: Quantity::from(supply.units),
            unit_cost: self.masters.products[&supply.product].cost,
            batch: None,
            expires_on: None,
        };
        let note = |(part, lines): (usize, &[Supply])| ReceiveGoods {
            grn_id: Some(millrace_events::GrnId(id(
                "grn",
                format_args!("{week}/{store}/{vendor}/{part}"),
            ))),
            shop_id: shop_id(*store),
            vendor_id: self.masters.vendors[*vendor].vendor_id,
            purchase_order_id: None,
            received_at: Some(self.opens(*week)),
            lines: lines.iter().map(line).collect(),
        };
        lines.chunks(LINES_MAX).enumerate().map(note).collect()
    }

    fn invoice(&self, basket: &Basket) -> IssueInvoice {
        let at = utc(self.masters.shifted(basket.at));
        self.basketry.invoice(basket, Some(at))
    }

    /// Monday at midnight, when the week's deliveries are in.
    fn opens(&self, week: Week) -> DateTime<Utc> {
        utc(self.masters.week_days(week).0.and_time(NaiveTime::MIN))
    }

    async fn run<C: Command>(&self, step: &str, number: usize, command: &C) -> Result<()> {
        let context = Context::system(self.kernel).with_key(self.key.of(step, number));
        self.kernel
            .run(&context, command)
            .await
            .with_context(|| format!("loading the demo's {step}, part {number}"))?;
        Ok(())
    }
}

fn utc(local: NaiveDateTime) -> DateTime<Utc> {
    TIME_ZONE
        .from_local_datetime(&local)
        .earliest()
        .map_or_else(|| local.and_utc(), |at| at.to_utc())
}

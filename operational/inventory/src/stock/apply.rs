//! The one way stock changes.

use std::collections::BTreeSet;

use chrono::{DateTime, NaiveDate, Utc};
use millrace_events::event::{MovementReason, StockMoved, StockMovement};
use millrace_events::{Amount, MovementGroupId, MovementId, ProductId, Quantity, ShopId};
use millrace_kernel::{FieldError, FieldErrors, Refusal, Result, Tx};
use uuid::Uuid;

use super::store::{self, HeldRows};
use super::value::{Level, unit_cost};
use crate::SCHEMA;

/// All movements that one document causes at one shop.
#[derive(Clone, Debug)]
pub struct StockDocument {
    pub shop_id: ShopId,
    pub reason: MovementReason,
    pub document_type: &'static str,
    pub document_id: Uuid,
    pub business_date: NaiveDate,
    pub moved_at: DateTime<Utc>,
    pub lines: Vec<StockLine>,
}

#[derive(Clone, Copy, Debug)]
pub enum StockLine {
    /// Goods leave at moving average; the quantity is positive.
    Out { product_id: ProductId, quantity: Quantity },
    /// Goods come, worth `value`; the quantity is positive.
    In { product_id: ProductId, quantity: Quantity, value: Amount },
}

impl StockLine {
    fn product_id(&self) -> ProductId {
        match self {
            Self::Out { product_id, .. } | Self::In { product_id, .. } => *product_id,
        }
    }
}

/// A line that asks for more than there is.
struct Shortage {
    document: usize,
    line: usize,
    product_id: ProductId,
    wanted: Quantity,
    available: Quantity,
}

/// Rows of stock that stay locked until the transaction ends.
#[derive(Debug)]
pub struct HeldStock(HeldRows);

/// Locks the rows of these goods, in a fixed order; goods without a row have no stock.
///
/// # Errors
/// [`millrace_kernel::Error::Database`].
pub async fn hold(tx: &Tx, goods: BTreeSet<(ShopId, ProductId)>) -> Result<HeldStock> {
    Ok(HeldStock(store::hold(tx, &goods).await?))
}

/// Moves stock for documents, in order, and tells each document's movements, one per line.
///
/// # Errors
/// As [`apply_to`].
pub async fn apply(tx: &mut Tx, documents: &[StockDocument]) -> Result<Vec<StockMoved>> {
    tx.settle(SCHEMA).await?;
    let goods: BTreeSet<(ShopId, ProductId)> = documents
        .iter()
        .flat_map(|document| {
            document.lines.iter().map(|line| (document.shop_id, line.product_id()))
        })
        .collect();
    let mut lines = documents.iter().flat_map(|document| &document.lines);
    if lines.any(|line| matches!(line, StockLine::In { .. })) {
        store::make_rows(tx, &goods).await?;
    }
    let held = hold(tx, goods).await?;
    apply_to(tx, held, documents).await
}

/// As [`apply`], for goods that are held already.
///
/// # Errors
/// `insufficient_stock` naming every line (`lines[n].quantity`) that can't be served; then
/// nothing moves.
pub async fn apply_to(
    tx: &mut Tx,
    HeldStock(mut held): HeldStock,
    documents: &[StockDocument],
) -> Result<Vec<StockMoved>> {
    let mut shortages = Vec::new();
    let moved: Vec<StockMoved> = documents
        .iter()
        .enumerate()
        .map(|(index, document)| move_stock(index, document, &mut held, &mut shortages))
        .collect();
    if !shortages.is_empty() {
        return Err(refuse(tx, shortages, documents.len()).await?.into());
    }
    store::write(tx, &held, &moved);
    for event in &moved {
        tx.append(event)?;
    }
    Ok(moved)
}

fn move_stock(
    index: usize,
    document: &StockDocument,
    held: &mut HeldRows,
    shortages: &mut Vec<Shortage>,
) -> StockMoved {
    let mut movements = Vec::with_capacity(document.lines.len());
    for (line_index, line) in document.lines.iter().enumerate() {
        let product_id = line.product_id();
        let mut none = Level::default();
        let row = held.get_mut(&(document.shop_id, product_id));
        let has_row = row.is_some();
        let level = row.map_or(&mut none, |held| &mut held.level);
        let (quantity, value) = match *line {
            StockLine::In { quantity, value, .. } => {
                assert!(has_row, "goods that come have a row, made before it was held");
                level.put(quantity, value);
                (quantity, value)
            }
            StockLine::Out { quantity, .. } => match level.take(quantity) {
                Some(value) => (-quantity, -value),
                None => {
                    let available = level.on_hand;
                    let wanted = quantity;
                    let line = line_index;
                    shortages.push(Shortage {
                        document: index,
                        line,
                        product_id,
                        wanted,
                        available,
                    });
                    continue;
                }
            },
        };
        movements.push(StockMovement {
            movement_id: MovementId::new(),
            product_id,
            batch: None,
            expires_on: None,
            quantity,
            unit_cost: unit_cost(value, quantity),
            value,
            on_hand_after: level.on_hand,
        });
    }
    StockMoved {
        movement_group_id: MovementGroupId::new(),
        shop_id: document.shop_id,
        reason: document.reason,
        document_type: document.document_type.to_owned(),
        document_id: document.document_id,
        business_date: document.business_date,
        moved_at: document.moved_at,
        movements,
    }
}

async fn refuse(tx: &mut Tx, shortages: Vec<Shortage>, documents: usize) -> Result<Refusal> {
    let ids: Vec<ProductId> = shortages.iter().map(|shortage| shortage.product_id).collect();
    let products = millrace_product::sellable(tx, ids).await?;
    let mut errors = FieldErrors::default();
    for shortage in &shortages {
        let Shortage { document, line, product_id, wanted, available } = shortage;
        let name = products.get(product_id).map_or_else(
            || format!("product {product_id}"),
            |product| format!("{} ({})", product.name, product.sku),
        );
        let message = format!("{name}: {wanted} wanted, {available} available");
        errors.of_batch(*document, documents, |errors| {
            errors.push(&format!("lines[{line}].quantity"), "insufficient_stock", message);
        });
    }
    let errors: Vec<FieldError> = errors.into_vec();
    let detail = format!("there is not enough stock for {} line(s)", errors.len());
    Ok(Refusal::conflict("insufficient_stock", detail).with(errors))
}

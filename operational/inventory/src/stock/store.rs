//! Stock rows, locked and written.

use std::collections::{BTreeMap, BTreeSet};

use millrace_events::event::StockMoved;
use millrace_events::{Amount, ProductId, Quantity, ShopId};
use millrace_kernel::arrays::of_values;
use millrace_kernel::{Column, Result, Tx, value};

use super::row_id::RowId;
use super::value::Level;
use crate::SCHEMA;

/// A locked row.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Held {
    row: RowId,
    pub level: Level,
}

/// Rows in the order they are locked in: everybody locks by shop, then by product, so that two
/// commands wait for each other but never in a circle.
pub(crate) type HeldRows = BTreeMap<(ShopId, ProductId), Held>;

/// Makes empty rows where none are.
pub(crate) async fn make_rows(tx: &Tx, goods: &BTreeSet<(ShopId, ProductId)>) -> Result<()> {
    let (shops, products): (Vec<_>, Vec<_>) = goods.iter().copied().unzip();
    tx.execute(
        "insert into inventory.stock (shop_id, product_id, on_hand, value) \
         select shop_id, product_id, 0, 0 \
         from unnest($1::uuid[], $2::uuid[]) as k (shop_id, product_id) \
         order by shop_id, product_id on conflict do nothing",
        &[&shops, &products],
    )
    .await?;
    Ok(())
}

/// Holds the rows of these goods, in order, until the transaction ends; goods without a row have
/// nothing.
///
/// The lookup is per key by its shape, not by the planner's choice: the plan may be from a time when
/// the table was empty.
pub(crate) async fn hold(tx: &Tx, goods: &BTreeSet<(ShopId, ProductId)>) -> Result<HeldRows> {
    tx.require_settled(SCHEMA);
    let (shops, products): (Vec<_>, Vec<_>) = goods.iter().copied().unzip();
    let rows: Vec<(ShopId, ProductId, RowId, Quantity, Amount)> = tx
        .fetch_all(
            "select k.shop_id, k.product_id, s.ctid, s.on_hand, s.value \
             from (select unnest($1::uuid[]) as shop_id, unnest($2::uuid[]) as product_id) as k \
             cross join lateral ( \
                 select ctid, on_hand, value from inventory.stock \
                 where shop_id = k.shop_id and product_id = k.product_id and batch = '' \
                 for update) as s",
            &[&shops, &products],
        )
        .await?;
    let held = |(shop_id, product_id, row, on_hand, value)| {
        ((shop_id, product_id), Held { row, level: Level { on_hand, value } })
    };
    Ok(rows.into_iter().map(held).collect())
}

const COLUMNS: [Column; 13] = [
    ("movement_group_id", "uuid"),
    ("shop_id", "uuid"),
    ("reason", "text"),
    ("document_type", "text"),
    ("document_id", "uuid"),
    ("business_date", "date"),
    ("moved_at", "timestamptz"),
    ("movement_ids", "uuid[]"),
    ("product_ids", "uuid[]"),
    ("quantities", "numeric[]"),
    ("unit_costs", "numeric[]"),
    ("values", "numeric[]"),
    ("on_hand_after", "numeric[]"),
];

/// Writes the new levels of rows that are held, and the movements that led there, when the
/// transaction ends.
pub(crate) fn write(tx: &mut Tx, held: &HeldRows, documents: &[StockMoved]) {
    tx.defer(
        SCHEMA,
        "update inventory.stock as s set on_hand = n.on_hand, value = n.value \
         from (select unnest($1::tid[]) as row, unnest($2::numeric[]) as on_hand, \
             unnest($3::numeric[]) as value) as n \
         where s.ctid = n.row",
        |to| {
            to.bind(held.values().map(|held| held.row).collect::<Vec<_>>())
                .bind(held.values().map(|held| held.level.on_hand).collect::<Vec<_>>())
                .bind(held.values().map(|held| held.level.value).collect::<Vec<_>>())
        },
    );
    let row = |moved: &StockMoved| {
        let lines = || moved.movements.iter();
        vec![
            value(moved.movement_group_id),
            value(moved.shop_id),
            value(moved.reason.as_str()),
            value(moved.document_type.clone()),
            value(moved.document_id),
            value(moved.business_date),
            value(moved.moved_at),
            value(of_values(lines().map(|line| line.movement_id))),
            value(of_values(lines().map(|line| line.product_id))),
            value(of_values(lines().map(|line| line.quantity))),
            value(of_values(lines().map(|line| line.unit_cost))),
            value(of_values(lines().map(|line| line.value))),
            value(of_values(lines().map(|line| line.on_hand_after))),
        ]
    };
    tx.insert(SCHEMA, "movement_groups", &COLUMNS, documents.iter().map(row).collect());
}

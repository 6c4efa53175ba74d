//! Stock rows, locked and written.

use std::collections::BTreeMap;

use millrace_events::event::{StockMoved, StockMovement};
use millrace_events::{Amount, ProductId, Quantity, ShopId};
use millrace_kernel::{Result, Tx};

use super::value::Level;

/// Levels in the order their rows are locked in: everybody locks by shop, then by product, so
/// that two commands wait for each other but never in a circle.
pub(crate) type Levels = BTreeMap<(ShopId, ProductId), Level>;

/// Makes empty rows where none are.
pub(crate) async fn make_rows(tx: &mut Tx, keys: &[(ShopId, ProductId)]) -> Result<()> {
    let (shops, products): (Vec<_>, Vec<_>) = keys.iter().copied().unzip();
    sqlx::query(
        "insert into inventory.stock (shop_id, product_id, on_hand, value) \
         select shop_id, product_id, 0, 0 \
         from unnest($1::uuid[], $2::uuid[]) as k (shop_id, product_id) \
         order by shop_id, product_id on conflict do nothing",
    )
    .bind(shops)
    .bind(products)
    .execute(tx.connection())
    .await?;
    Ok(())
}

/// Holds the rows of these keys until the transaction ends; a key without a row has nothing.
pub(crate) async fn lock(tx: &mut Tx, keys: &[(ShopId, ProductId)]) -> Result<Levels> {
    let (shops, products): (Vec<_>, Vec<_>) = keys.iter().copied().unzip();
    let rows: Vec<(ShopId, ProductId, Quantity, Amount)> = sqlx::query_as(
        "select s.shop_id, s.product_id, s.on_hand, s.value \
         from unnest($1::uuid[], $2::uuid[]) as k (shop_id, product_id) \
         join inventory.stock s \
             on s.shop_id = k.shop_id and s.product_id = k.product_id and s.batch = '' \
         order by s.shop_id, s.product_id \
         for update of s",
    )
    .bind(shops)
    .bind(products)
    .fetch_all(tx.connection())
    .await?;
    let mut levels: Levels = keys.iter().map(|key| (*key, Level::default())).collect();
    for (shop_id, product_id, on_hand, value) in rows {
        levels.insert((shop_id, product_id), Level { on_hand, value });
    }
    Ok(levels)
}

/// Writes the new levels and the movements that led there.
pub(crate) async fn write(tx: &mut Tx, levels: &Levels, documents: &[StockMoved]) -> Result<()> {
    let lines = || {
        (0_i32..).zip(documents).flat_map(|(document, moved)| {
            moved.movements.iter().map(move |movement| (document, movement))
        })
    };
    let column = |pick: fn(&StockMovement) -> uuid::Uuid| -> Vec<uuid::Uuid> {
        lines().map(|(_, movement)| pick(movement)).collect()
    };
    sqlx::query(
        "with level as ( \
             update inventory.stock s set on_hand = l.on_hand, value = l.value \
             from unnest($1::uuid[], $2::uuid[], $3::numeric[], $4::numeric[]) \
                 as l (shop_id, product_id, on_hand, value) \
             where s.shop_id = l.shop_id and s.product_id = l.product_id and s.batch = '') \
         insert into inventory.movements (movement_id, movement_group_id, shop_id, product_id, \
             reason, document_type, document_id, business_date, moved_at, quantity, unit_cost, \
             value, on_hand_after) \
         select m.movement_id, d.movement_group_id, d.shop_id, m.product_id, d.reason, \
             d.document_type, d.document_id, d.business_date, d.moved_at, m.quantity, m.unit_cost, \
             m.value, m.on_hand_after \
         from unnest($5::int[], $6::uuid[], $7::uuid[], $8::numeric[], $9::numeric[], \
             $10::numeric[], $11::numeric[]) \
             as m (document, movement_id, product_id, quantity, unit_cost, value, on_hand_after) \
         join unnest($12::int[], $13::uuid[], $14::uuid[], $15::text[], $16::text[], $17::uuid[], \
             $18::date[], $19::timestamptz[]) \
             as d (document, movement_group_id, shop_id, reason, document_type, document_id, \
                 business_date, moved_at) on d.document = m.document",
    )
    .bind(levels.keys().map(|(shop, _)| *shop).collect::<Vec<_>>())
    .bind(levels.keys().map(|(_, product)| *product).collect::<Vec<_>>())
    .bind(levels.values().map(|level| level.on_hand).collect::<Vec<_>>())
    .bind(levels.values().map(|level| level.value).collect::<Vec<_>>())
    .bind(lines().map(|(document, _)| document).collect::<Vec<_>>())
    .bind(column(|movement| movement.movement_id.0))
    .bind(column(|movement| movement.product_id.0))
    .bind(lines().map(|(_, movement)| movement.quantity).collect::<Vec<_>>())
    .bind(lines().map(|(_, movement)| movement.unit_cost).collect::<Vec<_>>())
    .bind(lines().map(|(_, movement)| movement.value).collect::<Vec<_>>())
    .bind(lines().map(|(_, movement)| movement.on_hand_after).collect::<Vec<_>>())
    .bind((0_i32..).zip(documents).map(|(document, _)| document).collect::<Vec<_>>())
    .bind(documents.iter().map(|moved| moved.movement_group_id).collect::<Vec<_>>())
    .bind(documents.iter().map(|moved| moved.shop_id).collect::<Vec<_>>())
    .bind(documents.iter().map(|moved| moved.reason.as_str()).collect::<Vec<_>>())
    .bind(documents.iter().map(|moved| moved.document_type.as_str()).collect::<Vec<_>>())
    .bind(documents.iter().map(|moved| moved.document_id).collect::<Vec<_>>())
    .bind(documents.iter().map(|moved| moved.business_date).collect::<Vec<_>>())
    .bind(documents.iter().map(|moved| moved.moved_at).collect::<Vec<_>>())
    .execute(tx.connection())
    .await?;
    Ok(())
}

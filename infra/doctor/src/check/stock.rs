//! STK-1 and STK-2.

use sqlx::{Postgres, Row, Transaction};

use crate::{Finding, Result};

/// STK-1.
pub(crate) async fn stock_is_its_movements(
    reader: &mut Transaction<'_, Postgres>,
) -> Result<Finding> {
    let count: i64 =
        sqlx::query_scalar("select count(*) from inventory.stock").fetch_one(&mut **reader).await?;
    let drifted = sqlx::query(
        "select coalesce(s.shop_id, m.shop_id)::text as shop_id, \
             coalesce(s.product_id, m.product_id)::text as product_id, \
             coalesce(s.on_hand, 0)::text as on_hand, coalesce(m.quantity, 0)::text as moved, \
             coalesce(s.value, 0)::text as value, coalesce(m.value, 0)::text as moved_value \
         from inventory.stock as s \
         full join (select shop_id, product_id, batch, sum(quantity) as quantity, sum(value) as value \
                    from inventory.movements group by shop_id, product_id, batch) as m \
             on m.shop_id = s.shop_id and m.product_id = s.product_id and m.batch = s.batch \
         where coalesce(s.on_hand, 0) <> coalesce(m.quantity, 0) \
             or coalesce(s.value, 0) <> coalesce(m.value, 0) \
         order by 1, 2",
    )
    .fetch_all(&mut **reader)
    .await?;
    let mut finding = Finding::new(
        "STK-1",
        "on hand per product, location and batch equals the sum of its movements",
    )
    .examined(count, "stock rows");
    for row in drifted {
        let text = |column| row.try_get::<String, _>(column);
        finding.violate(format!(
            "shop {} product {}: on hand {} worth {}, movements {} worth {}",
            text("shop_id")?,
            text("product_id")?,
            text("on_hand")?,
            text("value")?,
            text("moved")?,
            text("moved_value")?,
        ));
    }
    Ok(finding)
}

/// STK-2. No location allows negative stock yet, so any is a violation.
pub(crate) async fn stock_is_not_negative(
    reader: &mut Transaction<'_, Postgres>,
) -> Result<Finding> {
    let count: i64 =
        sqlx::query_scalar("select count(*) from inventory.stock").fetch_one(&mut **reader).await?;
    let negative: Vec<(String, String, String)> = sqlx::query_as(
        "select shop_id::text, product_id::text, on_hand::text from inventory.stock \
         where on_hand < 0 order by 1, 2",
    )
    .fetch_all(&mut **reader)
    .await?;
    let mut finding =
        Finding::new("STK-2", "stock is never negative").examined(count, "stock rows");
    for (shop, product, on_hand) in negative {
        finding.violate(format!("shop {shop} product {product}: on hand {on_hand}"));
    }
    Ok(finding)
}

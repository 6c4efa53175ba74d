//! What other contexts ask about customers, inside their own transaction.

use std::collections::HashSet;

use millrace_events::CustomerId;
use millrace_kernel::{Result, Tx};

/// Which of these customers are known and active.
///
/// # Errors
/// [`millrace_kernel::Error::Database`].
pub async fn known_customers(
    tx: &mut Tx,
    customer_ids: &[CustomerId],
) -> Result<HashSet<CustomerId>> {
    if customer_ids.is_empty() {
        return Ok(HashSet::new());
    }
    let known: Vec<CustomerId> = sqlx::query_scalar(
        "select customer_id from party.customers where customer_id = any($1) and is_active",
    )
    .bind(customer_ids)
    .fetch_all(tx.connection())
    .await?;
    Ok(known.into_iter().collect())
}

//! What other contexts ask about customers, inside their own transaction.

use std::collections::HashSet;

use millrace_events::CustomerId;
use millrace_kernel::{Result, Tx};

/// Which of these customers are known and active.
///
/// # Errors
/// [`millrace_kernel::Error::Database`].
pub async fn known_customers(tx: &Tx, customer_ids: &[CustomerId]) -> Result<HashSet<CustomerId>> {
    if customer_ids.is_empty() {
        return Ok(HashSet::new());
    }
    let known: Vec<(CustomerId,)> = tx
        .fetch_all(
            "select customer_id from party.customers where customer_id = any($1) and is_active",
            &[&customer_ids],
        )
        .await?;
    Ok(known.into_iter().map(|(customer_id,)| customer_id).collect())
}

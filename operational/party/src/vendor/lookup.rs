//! What other contexts ask about vendors, inside their own transaction.

use std::collections::HashSet;

use millrace_events::VendorId;
use millrace_kernel::{Result, Tx};

/// Which of these vendors are known.
///
/// # Errors
/// [`millrace_kernel::Error::Database`].
pub async fn known_vendors(tx: &Tx, vendor_ids: &[VendorId]) -> Result<HashSet<VendorId>> {
    let known: Vec<(VendorId,)> = tx
        .fetch_all("select vendor_id from party.vendors where vendor_id = any($1)", &[&vendor_ids])
        .await?;
    Ok(known.into_iter().map(|(vendor_id,)| vendor_id).collect())
}

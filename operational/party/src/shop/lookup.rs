//! What other contexts ask about shops, inside their own transaction.

use std::collections::HashMap;

use chrono::{DateTime, NaiveDate, Timelike, Utc};
use chrono_tz::Tz;
use millrace_events::ShopId;
use millrace_kernel::{Result, Tx, from_row};

/// The rules of a shop.
#[derive(Clone, Debug)]
pub struct Shop {
    pub shop_id: ShopId,
    /// Begins its document numbers.
    pub code: String,
    pub currency: String,
    pub prices_include_tax: bool,
    time_zone: String,
}

impl Shop {
    /// The shop's own date and hour of a moment.
    #[must_use]
    pub fn business_time(&self, at: DateTime<Utc>) -> (NaiveDate, i32) {
        let zone: Tz = self.time_zone.parse().expect("a shop is opened with a known time zone");
        let local = at.with_timezone(&zone);
        (local.date_naive(), i32::try_from(local.hour()).expect("an hour is at most 23"))
    }
}

from_row!(Shop { shop_id, code, currency, prices_include_tax, time_zone });

/// The shops of these ids; unknown ids are left out.
///
/// # Errors
/// [`millrace_kernel::Error::Database`].
pub async fn shops(tx: &Tx, shop_ids: &[ShopId]) -> Result<HashMap<ShopId, Shop>> {
    let rows: Vec<Shop> = tx
        .fetch_all(
            "select shop_id, code, currency, prices_include_tax, time_zone \
         from party.shops where shop_id = any($1)",
            &[&shop_ids],
        )
        .await?;
    Ok(rows.into_iter().map(|row| (row.shop_id, row)).collect())
}

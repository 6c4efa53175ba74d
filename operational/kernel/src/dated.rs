//! When a document happened: now, or before for those who may date it back.

use chrono::{DateTime, TimeDelta, Utc};
use millrace_events::ShopId;

use crate::{Context, FieldErrors, Need, Permission};

/// How far the clock of whoever writes a document may run ahead.
const CLOCK_SKEW: TimeDelta = TimeDelta::minutes(5);

impl Need {
    /// What writing a document at a shop takes; one that says itself when it happened takes
    /// [`Permission::Backdate`] too.
    #[must_use]
    pub fn document(
        permission: Permission,
        shop: ShopId,
        happened_at: Option<DateTime<Utc>>,
    ) -> Vec<Self> {
        let backdate = happened_at.map(|_| Self::at(Permission::Backdate, shop));
        std::iter::once(Self::at(permission, shop)).chain(backdate).collect()
    }
}

impl Context {
    /// Refuses a document whose `field` says that it happens in the future.
    pub fn refuse_future(
        &self,
        errors: &mut FieldErrors,
        field: &str,
        happened_at: Option<DateTime<Utc>>,
    ) {
        let latest = self.now() + CLOCK_SKEW;
        let past = happened_at.is_none_or(|at| at <= latest);
        errors.require(past, field, "future", "must not be in the future");
    }
}

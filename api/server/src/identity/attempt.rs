//! Lock-out after failed logins.
//!
//! An attempt is counted before the password is looked at and forgotten when it was right: so a
//! thousand guesses at once get no further than the same guesses one after another.

use chrono::{DateTime, Duration, Utc};
use sha2::{Digest, Sha256};
use sqlx::PgPool;

use crate::Error;

/// Wrong passwords in a row that are answered without delay.
const FAILURES_FREE: i32 = 5;
/// The first lock; it doubles with each further failure.
const LOCK_SECONDS: i32 = 30;
const LOCK_SECONDS_MAX: i32 = 15 * 60;
/// Attempts older than this no longer count.
const MEMORY: Duration = Duration::hours(24);

/// Counts an attempt for `email`.
///
/// # Errors
/// [`Error::LoginLocked`] with the seconds to wait.
pub(super) async fn count(pool: &PgPool, email: &str, now: DateTime<Utc>) -> Result<(), Error> {
    let counted = sqlx::query(
        "insert into identity.login_attempts as kept (email_hash, failures, last_at) values ($1, 1, $2)
         on conflict (email_hash) do update set
             failures = case when kept.last_at < $3 then 1 else kept.failures + 1 end,
             last_at = $2,
             locked_until = case
                 when kept.last_at < $3 or kept.failures + 1 < $4 then null
                 else $2 + make_interval(secs => least(
                     $6::int, $5::int * power(2, least(kept.failures + 1 - $4, 16))))
             end
         where kept.locked_until is null or kept.locked_until <= $2",
    )
    .bind(hash(email))
    .bind(now)
    .bind(now - MEMORY)
    .bind(FAILURES_FREE)
    .bind(LOCK_SECONDS)
    .bind(LOCK_SECONDS_MAX)
    .execute(pool)
    .await?
    .rows_affected();
    if counted > 0 {
        return Ok(());
    }
    let until: Option<DateTime<Utc>> = sqlx::query_scalar(
        "select locked_until from identity.login_attempts where email_hash = $1",
    )
    .bind(hash(email))
    .fetch_optional(pool)
    .await?
    .flatten();
    let left = until.map_or(0, |until| (until - now).num_seconds());
    Err(Error::LoginLocked { retry_after_seconds: left.max(1).unsigned_abs() })
}

/// Forgets the attempts for `email`, and those of anybody that no longer count.
pub(super) async fn forget(pool: &PgPool, email: &str, now: DateTime<Utc>) -> Result<(), Error> {
    sqlx::query("delete from identity.login_attempts where email_hash = $1 or last_at < $2")
        .bind(hash(email))
        .bind(now - MEMORY)
        .execute(pool)
        .await?;
    Ok(())
}

fn hash(email: &str) -> Vec<u8> {
    Sha256::digest(email.as_bytes()).to_vec()
}

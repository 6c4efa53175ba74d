//! Refresh tokens: each works once and is replaced; one that comes back ends its whole session.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::{DateTime, Duration, Utc};
use millrace_events::UserId;
use secrecy::{ExposeSecret, SecretString};
use sha2::{Digest, Sha256};
use sqlx::{PgPool, Postgres, Row, Transaction};
use uuid::Uuid;

use super::password::random;
use crate::Error;

const TOKEN_BYTES: usize = 32;
pub(super) const LIFETIME: Duration = Duration::days(7);

/// Begins a session and answers its first refresh token. Tokens past their end are dropped.
pub(super) async fn open(
    pool: &PgPool,
    user: UserId,
    now: DateTime<Utc>,
) -> Result<SecretString, Error> {
    let mut tx = pool.begin().await?;
    sqlx::query("delete from identity.refresh_tokens where expires_at < $1")
        .bind(now)
        .execute(&mut *tx)
        .await?;
    let token = hand_out(&mut tx, Uuid::now_v7(), user, now).await?;
    tx.commit().await?;
    Ok(token)
}

/// Uses up `token` and answers whose it is and the one that replaces it.
///
/// # Errors
/// [`Error::RefreshUnknown`] when it was never handed out, has expired or its session has ended;
/// [`Error::RefreshReused`] when it was used before: somebody else may hold a copy, so the session
/// ends for all.
pub(super) async fn rotate(
    pool: &PgPool,
    token: &SecretString,
    now: DateTime<Utc>,
) -> Result<(UserId, SecretString), Error> {
    let mut tx = pool.begin().await?;
    let held = sqlx::query(
        "select session_id, user_id, used_at is not null as is_used,
                revoked_at is not null or expires_at <= $2 as is_over
         from identity.refresh_tokens where token_hash = $1 for update",
    )
    .bind(hash(token))
    .bind(now)
    .fetch_optional(&mut *tx)
    .await?
    .ok_or(Error::RefreshUnknown)?;
    let session: Uuid = held.try_get("session_id")?;
    let user: UserId = held.try_get("user_id")?;
    if held.try_get("is_over")? {
        return Err(Error::RefreshUnknown);
    }
    if held.try_get("is_used")? {
        revoke(&mut tx, session, now).await?;
        tx.commit().await?;
        tracing::warn!(user_id = %user, "a used refresh token came back: session ended");
        return Err(Error::RefreshReused);
    }
    sqlx::query("update identity.refresh_tokens set used_at = $2 where token_hash = $1")
        .bind(hash(token))
        .bind(now)
        .execute(&mut *tx)
        .await?;
    let next = hand_out(&mut tx, session, user, now).await?;
    tx.commit().await?;
    Ok((user, next))
}

/// Ends the session `token` belongs to; nothing happens when there is none.
pub(super) async fn close(
    pool: &PgPool,
    token: &SecretString,
    now: DateTime<Utc>,
) -> Result<(), Error> {
    let mut tx = pool.begin().await?;
    let session: Option<Uuid> =
        sqlx::query_scalar("select session_id from identity.refresh_tokens where token_hash = $1")
            .bind(hash(token))
            .fetch_optional(&mut *tx)
            .await?;
    if let Some(session) = session {
        revoke(&mut tx, session, now).await?;
    }
    Ok(tx.commit().await?)
}

async fn revoke(
    tx: &mut Transaction<'_, Postgres>,
    session: Uuid,
    now: DateTime<Utc>,
) -> Result<(), Error> {
    sqlx::query(
        "update identity.refresh_tokens set revoked_at = $2
         where session_id = $1 and revoked_at is null",
    )
    .bind(session)
    .bind(now)
    .execute(&mut **tx)
    .await?;
    Ok(())
}

async fn hand_out(
    tx: &mut Transaction<'_, Postgres>,
    session: Uuid,
    user: UserId,
    now: DateTime<Utc>,
) -> Result<SecretString, Error> {
    let token: SecretString = URL_SAFE_NO_PAD.encode(random::<TOKEN_BYTES>()?).into();
    sqlx::query(
        "insert into identity.refresh_tokens (token_hash, session_id, user_id, issued_at, expires_at)
         values ($1, $2, $3, $4, $5)",
    )
    .bind(hash(&token))
    .bind(session)
    .bind(user)
    .bind(now)
    .bind(now + LIFETIME)
    .execute(&mut **tx)
    .await?;
    Ok(token)
}

/// The token has 256 random bits, so a fast hash keeps it as safe as a slow one would.
fn hash(token: &SecretString) -> Vec<u8> {
    Sha256::digest(token.expose_secret().as_bytes()).to_vec()
}

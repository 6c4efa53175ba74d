//! The secret that signs access tokens.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::{DateTime, Utc};
use secrecy::{ExposeSecret, SecretString};
use sqlx::PgPool;
use uuid::Uuid;

use super::password::random;
use crate::Error;

const SECRET_BYTES: usize = 32;
/// A shorter configured secret could be guessed from one token.
const CONFIGURED_LENGTH_MIN: usize = 32;

/// The configured secret, else the one kept in the database, which is made when there is none.
///
/// # Errors
/// [`Error::SecretShort`] for a configured one of fewer than 32 bytes.
pub(super) async fn load(
    pool: &PgPool,
    configured: Option<SecretString>,
    now: DateTime<Utc>,
) -> Result<SecretString, Error> {
    if let Some(secret) = configured {
        let length = secret.expose_secret().len();
        return if length >= CONFIGURED_LENGTH_MIN {
            Ok(secret)
        } else {
            Err(Error::SecretShort { length, least: CONFIGURED_LENGTH_MIN })
        };
    }
    let mut tx = pool.begin().await?;
    // Two gateways that start together on an empty table must agree on one secret.
    sqlx::query("lock table identity.signing_keys in exclusive mode").execute(&mut *tx).await?;
    let kept: Option<Vec<u8>> = sqlx::query_scalar(
        "select secret from identity.signing_keys order by created_at desc, key_id desc limit 1",
    )
    .fetch_optional(&mut *tx)
    .await?;
    let secret = match kept {
        Some(secret) => secret,
        None => {
            let secret = random::<SECRET_BYTES>()?.to_vec();
            sqlx::query(
                "insert into identity.signing_keys (key_id, secret, created_at) values ($1, $2, $3)",
            )
            .bind(Uuid::now_v7())
            .bind(&secret)
            .bind(now)
            .execute(&mut *tx)
            .await?;
            secret
        }
    };
    tx.commit().await?;
    Ok(URL_SAFE_NO_PAD.encode(secret).into())
}

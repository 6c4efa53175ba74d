//! Passwords: argon2id, a bounded number of hashes at a time, never on the async threads.

use std::sync::LazyLock;

use argon2::Argon2;
use argon2::password_hash::phc::PasswordHash;
use argon2::password_hash::{PasswordHasher, PasswordVerifier};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use rand::TryRngCore;
use rand::rngs::OsRng;
use secrecy::{ExposeSecret, SecretString};
use tokio::sync::Semaphore;

use crate::Error;

/// Each hash takes 19 MiB and a core for some 20 ms: so many at once, the rest wait.
const HASHES_AT_ONCE: usize = 2;
/// Bytes of a generated password: 120 bits.
const GENERATED_BYTES: usize = 15;
/// A longer one is refused before it is hashed.
pub(super) const LENGTH_MAX: usize = 1_024;

static PERMITS: Semaphore = Semaphore::const_new(HASHES_AT_ONCE);
/// Verified against when nobody has the address, so that the answer takes as long.
static NOBODY: LazyLock<Option<String>> =
    LazyLock::new(|| hashed(b"nobody has this password").ok());

/// A new password out of 120 random bits.
pub(super) fn generate() -> Result<SecretString, Error> {
    Ok(URL_SAFE_NO_PAD.encode(random::<GENERATED_BYTES>()?).into())
}

/// Bytes from the operating system.
pub(super) fn random<const N: usize>() -> Result<[u8; N], Error> {
    let mut bytes = [0; N];
    OsRng
        .try_fill_bytes(&mut bytes)
        .map_err(|error| Error::Randomness { reason: error.to_string() })?;
    Ok(bytes)
}

/// The PHC text of a password's argon2id hash.
pub(super) async fn hash(password: SecretString) -> Result<String, Error> {
    blocking(move || hashed(password.expose_secret().as_bytes())).await
}

/// Whether `password` is the one of `expected`. Without `expected` it takes as long, and isn't.
pub(super) async fn verify(
    password: SecretString,
    expected: Option<String>,
) -> Result<bool, Error> {
    blocking(move || {
        let is_somebody = expected.is_some();
        let Some(text) = expected.or_else(|| NOBODY.clone()) else { return Ok(false) };
        let hash = PasswordHash::new(&text)
            .map_err(|error| Error::PasswordHash { reason: error.to_string() })?;
        let is_right =
            Argon2::default().verify_password(password.expose_secret().as_bytes(), &hash).is_ok();
        Ok(is_right && is_somebody)
    })
    .await
}

fn hashed(password: &[u8]) -> Result<String, Error> {
    let hash: PasswordHash = Argon2::default()
        .hash_password(password)
        .map_err(|error| Error::PasswordHash { reason: error.to_string() })?;
    Ok(hash.to_string())
}

async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, Error> + Send + 'static,
) -> Result<T, Error> {
    let _permit = PERMITS.acquire().await.expect("the semaphore is never closed");
    tokio::task::spawn_blocking(work)
        .await
        .map_err(|error| Error::PasswordHash { reason: error.to_string() })?
}

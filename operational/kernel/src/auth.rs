//! Access tokens: signed by the gateway, checked wherever a role is served.

use std::fmt;
use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::header::AUTHORIZATION;
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation};
use millrace_events::{ShopId, UserId};
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};

use crate::{Actor, Clock, Error, Result};

/// Seconds by which the clocks of two machines may differ.
const LEEWAY_SECONDS: i64 = 30;

/// What an access token says.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Claims {
    pub sub: UserId,
    pub name: String,
    pub roles: Vec<String>,
    pub shops: Vec<ShopId>,
    /// Seconds since 1970.
    pub exp: i64,
}

/// Signs and verifies access tokens (HS256).
#[derive(Clone)]
pub struct Authenticator(Arc<Keys>);

struct Keys {
    encode: EncodingKey,
    decode: DecodingKey,
    clock: Arc<dyn Clock>,
}

impl fmt::Debug for Authenticator {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Authenticator")
    }
}

impl Authenticator {
    #[must_use]
    pub fn new(secret: &SecretString, clock: Arc<dyn Clock>) -> Self {
        let secret = secret.expose_secret().as_bytes();
        Self(Arc::new(Keys {
            encode: EncodingKey::from_secret(secret),
            decode: DecodingKey::from_secret(secret),
            clock,
        }))
    }

    /// The signed token.
    ///
    /// # Panics
    /// Never: HS256 signs any claims.
    #[must_use]
    pub fn sign(&self, claims: &Claims) -> String {
        jsonwebtoken::encode(&Header::new(Algorithm::HS256), claims, &self.0.encode)
            .expect("HS256 signs any claims")
    }

    /// # Errors
    /// [`Error::Unauthenticated`] when the token is not ours, damaged or expired.
    pub fn verify(&self, token: &str) -> Result<Actor> {
        let mut validation = Validation::new(Algorithm::HS256);
        // Expiry is judged by the injected clock below.
        validation.validate_exp = false;
        let claims = jsonwebtoken::decode::<Claims>(token, &self.0.decode, &validation)
            .map_err(|_| Error::Unauthenticated { reason: "the access token is not valid" })?
            .claims;
        if claims.exp + LEEWAY_SECONDS < self.0.clock.now().timestamp() {
            return Err(Error::Unauthenticated { reason: "the access token has expired" });
        }
        let Claims { sub, name, roles, shops, .. } = claims;
        Ok(Actor { user_id: sub, name, roles, shops })
    }

    /// Middleware: puts the request's [`Actor`] where [`crate::Context`] finds it.
    pub async fn authenticate(
        State(authenticator): State<Self>,
        mut request: Request,
        next: Next,
    ) -> Response {
        let token = request
            .headers()
            .get(AUTHORIZATION)
            .and_then(|value| value.to_str().ok())
            .and_then(|value| value.split_once(' '))
            .filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer"))
            .map(|(_, token)| token.trim());
        let actor = token
            .ok_or(Error::Unauthenticated { reason: "no access token was sent" })
            .and_then(|token| authenticator.verify(token));
        match actor {
            Ok(actor) => {
                request.extensions_mut().insert(Arc::new(actor));
                next.run(request).await
            }
            Err(error) => error.into_response(),
        }
    }
}

#[cfg(test)]
mod tests {
    use chrono::{TimeDelta, TimeZone, Utc};

    use super::*;
    use crate::SettableClock;

    #[test]
    fn a_token_is_taken_until_it_expires_and_only_with_its_secret() {
        let start = Utc.with_ymd_and_hms(2026, 3, 1, 9, 0, 0).single().expect("time");
        let clock = SettableClock::at(start);
        let ours = Authenticator::new(&"one secret".into(), Arc::new(clock.clone()));
        let theirs = Authenticator::new(&"another".into(), Arc::new(clock.clone()));
        let claims = Claims {
            sub: UserId::new(),
            name: "Asha".into(),
            roles: vec!["cashier".into()],
            shops: vec![ShopId::new()],
            exp: start.timestamp() + 900,
        };
        let token = ours.sign(&claims);
        assert_eq!(ours.verify(&token).expect("valid").user_id, claims.sub);
        assert!(theirs.verify(&token).is_err());
        clock.advance(TimeDelta::seconds(931));
        assert!(ours.verify(&token).is_err());
    }
}

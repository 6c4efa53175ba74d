//! HTTP to the gateway, signed in, with patience.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result};
use parking_lot::RwLock;
use reqwest::{Client, Response, StatusCode};
use secrecy::{ExposeSecret, SecretString};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

const TIMEOUT: Duration = Duration::from_secs(15);
const PAUSE_FIRST: Duration = Duration::from_millis(50);
const PAUSE_MAX: Duration = Duration::from_secs(2);

/// Who sells.
#[derive(Clone, Debug)]
pub struct Login {
    pub email: String,
    pub password: SecretString,
}

#[derive(Deserialize)]
struct Grant {
    access_token: SecretString,
}

/// A signed-in client of the gateway. Cheap to clone.
#[derive(Clone, Debug)]
pub struct ShopClient(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    http: Client,
    /// Without a slash at the end. It may change when the system is started again.
    url: RwLock<String>,
    login: Option<Login>,
    token: RwLock<SecretString>,
}

/// An answer that is not a failure to be tried again.
#[derive(Debug)]
pub struct Answer {
    pub status: StatusCode,
    pub body: String,
}

impl Answer {
    /// # Errors
    /// When the body is something else.
    pub fn json<T: DeserializeOwned>(&self) -> Result<T> {
        serde_json::from_str(&self.body)
            .with_context(|| format!("an unexpected answer: {}", self.body))
    }
}

impl ShopClient {
    /// Signs in when it is first refused.
    #[must_use]
    pub fn new(url: impl Into<String>, login: Login) -> Self {
        Self::make(url.into(), Some(login), SecretString::default())
    }

    /// With a token of its own.
    #[must_use]
    pub fn with_token(url: impl Into<String>, token: SecretString) -> Self {
        Self::make(url.into(), None, token)
    }

    fn make(url: String, login: Option<Login>, token: SecretString) -> Self {
        let http = Client::builder()
            .timeout(TIMEOUT)
            .build()
            .expect("a client without TLS can always be built");
        let (url, token) = (RwLock::new(url), RwLock::new(token));
        Self(Arc::new(Inner { http, url, login, token }))
    }

    /// The system is elsewhere now, and knows another token.
    pub fn move_to(&self, url: impl Into<String>, token: SecretString) {
        *self.0.url.write() = url.into();
        *self.0.token.write() = token;
    }

    /// Posts until the system has answered: with the same key, so that one sale stays one.
    ///
    /// # Errors
    /// When the body can't be written as JSON.
    pub async fn post(&self, path: &str, key: &str, body: &impl Serialize) -> Result<Answer> {
        let body = serde_json::to_string(body)?;
        self.insist(|inner, url, token| {
            inner
                .http
                .post(format!("{url}{path}"))
                .bearer_auth(token)
                .header("content-type", "application/json")
                .header("idempotency-key", key)
                .body(body.clone())
        })
        .await
    }

    /// # Errors
    /// As [`ShopClient::post`].
    pub async fn get(&self, path: &str) -> Result<Answer> {
        self.insist(|inner, url, token| inner.http.get(format!("{url}{path}")).bearer_auth(token))
            .await
    }

    async fn insist(
        &self,
        request: impl Fn(&Inner, String, &str) -> reqwest::RequestBuilder,
    ) -> Result<Answer> {
        let mut pause = PAUSE_FIRST;
        loop {
            let (url, token) = (self.0.url.read().clone(), self.0.token.read().clone());
            match request(&self.0, url, token.expose_secret()).send().await {
                Ok(response) if response.status() == StatusCode::UNAUTHORIZED => {
                    if let Err(error) = self.sign_in().await {
                        tracing::debug!(%error, "signing in again");
                    }
                }
                Ok(response) if !is_passing(&response) => {
                    let status = response.status();
                    if let Ok(body) = response.text().await {
                        return Ok(Answer { status, body });
                    }
                }
                Ok(response) => tracing::debug!(status = %response.status(), "trying again"),
                Err(error) => tracing::debug!(%error, "trying again"),
            }
            tokio::time::sleep(pause).await;
            pause = (pause * 2).min(PAUSE_MAX);
        }
    }

    async fn sign_in(&self) -> Result<()> {
        let Some(Login { email, password }) = &self.0.login else { return Ok(()) };
        let url = format!("{}/auth/login", self.0.url.read());
        let body = serde_json::json!({"email": email, "password": password.expose_secret()});
        let response = self.0.http.post(url).json(&body).send().await?.error_for_status()?;
        *self.0.token.write() = response.json::<Grant>().await?.access_token;
        Ok(())
    }
}

/// Answers that may be another the next time: busy, starting, the same key in flight.
fn is_passing(response: &Response) -> bool {
    let status = response.status();
    status.is_server_error()
        || status == StatusCode::TOO_MANY_REQUESTS
        || (status == StatusCode::CONFLICT && response.headers().contains_key("retry-after"))
}

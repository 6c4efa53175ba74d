//! How the commands of this program talk to a running system: over the gateway, with a token that
//! the system leaves in its data directory for its owner.

use std::fs::{self, OpenOptions};
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use millrace_demo::live::ShopClient;
use millrace_kernel::{Actor, Authenticator, Claims, Kernel};
use reqwest::{Method, RequestBuilder, Response};
use secrecy::{ExposeSecret, SecretString};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use tokio_util::sync::CancellationToken;

use crate::system::System;

/// The token is renewed long before its end.
const RENEWED_AFTER: Duration = Duration::from_secs(6 * 3600);
const TOKEN_HEADER: &str = "millrace-token";
/// Between two looks at a running examination.
const ASK_AGAIN: Duration = Duration::from_millis(250);
const TOKEN_HOLDS: Duration = Duration::from_secs(24 * 3600);

#[derive(Serialize, Deserialize)]
struct Pass {
    url: String,
    token: String,
}

fn path(data_dir: &Path) -> PathBuf {
    data_dir.join("operator.json")
}

/// Writes a file that only its owner may read.
///
/// # Errors
/// When the file can't be written.
pub fn write_private(path: &Path, text: &str) -> Result<()> {
    let fresh = path.with_extension("new");
    let mut file = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(&fresh)
        .with_context(|| format!("writing {}", fresh.display()))?;
    file.write_all(text.as_bytes())?;
    file.sync_all()?;
    fs::rename(&fresh, path).with_context(|| format!("writing {}", path.display()))
}

/// A token of Millrace itself that holds for a day.
#[must_use]
pub fn token(system: &System) -> SecretString {
    sign(system.identity.authenticator(), &system.kernel)
}

fn sign(authenticator: &Authenticator, kernel: &Kernel) -> SecretString {
    let Actor { user_id, name, roles, shops } = Actor::system();
    let exp = (kernel.now() + TOKEN_HOLDS).timestamp();
    authenticator.sign(&Claims { sub: user_id, name, roles, shops, exp }).into()
}

/// Leaves the pass while the system runs and renews it.
///
/// # Errors
/// When it can't be written at first.
pub fn leave_pass(system: &System) -> Result<CancellationToken> {
    let authenticator = system.identity.authenticator().clone();
    let (url, kernel) = (system.url(), system.kernel.clone());
    let path = path(&system.settings.data_dir);
    let write = move || {
        let token = sign(&authenticator, &kernel).expose_secret().to_owned();
        write_private(&path, &serde_json::to_string(&Pass { url: url.clone(), token })?)
    };
    write()?;
    let stop = CancellationToken::new();
    let stopped = stop.clone();
    tokio::spawn(async move {
        while stopped.run_until_cancelled(tokio::time::sleep(RENEWED_AFTER)).await.is_some() {
            if let Err(error) = write() {
                tracing::warn!(%error, "the operator's pass could not be renewed");
            }
        }
    });
    Ok(stop)
}

/// A client of the running system.
#[derive(Debug)]
pub struct Operator {
    client: reqwest::Client,
    url: String,
    token: SecretString,
}

impl Operator {
    /// # Errors
    /// When no system has been started in the data directory.
    pub fn of(data_dir: &Path) -> Result<Self> {
        let path = path(data_dir);
        let text = fs::read_to_string(&path).with_context(|| {
            format!(
                "no system has been started in {}: start one with `millrace up`, or name another with --data-dir",
                data_dir.display()
            )
        })?;
        let pass: Pass = serde_json::from_str(&text)
            .with_context(|| format!("{} is damaged: start the system again", path.display()))?;
        Ok(Self { client: reqwest::Client::new(), url: pass.url, token: pass.token.into() })
    }

    /// A till's client with the operator's rights.
    #[must_use]
    pub fn shop_client(&self) -> ShopClient {
        ShopClient::with_token(self.url.clone(), self.token.clone())
    }

    /// Tells a till's client where the system is after a restart.
    pub fn redirect(&self, client: &ShopClient) {
        client.move_to(self.url.clone(), self.token.clone());
    }

    /// # Errors
    /// The system's problem, or that it does not answer.
    pub async fn get<T: DeserializeOwned>(&self, path: &str) -> Result<T> {
        self.send(self.request(Method::GET, path)).await
    }

    /// # Errors
    /// As [`Operator::get`].
    pub async fn post<T: DeserializeOwned>(&self, path: &str, body: &impl Serialize) -> Result<T> {
        self.send(self.request(Method::POST, path).json(body)).await
    }

    /// Sends a command, and gives the token that a read waits for to include it.
    ///
    /// # Errors
    /// As [`Operator::get`].
    pub async fn write(&self, method: Method, path: &str, body: Option<&Value>) -> Result<String> {
        let request = self.request(method, path);
        let request = match body {
            Some(body) => request.json(body),
            None => request,
        };
        let response = self.answer(request).await?;
        let token = response.headers().get(TOKEN_HEADER).and_then(|token| token.to_str().ok());
        token.map(str::to_owned).context("the system answered without a token")
    }

    /// Has the system examined and waits for the report.
    ///
    /// # Errors
    /// As [`Operator::get`], or that the examination could not be made.
    pub async fn examine(&self) -> Result<Value> {
        let mut examination: Value = self.post("/api/v1/doctor", &Value::Null).await?;
        while examination["state"] == "running" {
            tokio::time::sleep(ASK_AGAIN).await;
            examination = self.get("/api/v1/doctor").await?;
        }
        match examination["state"].as_str() {
            Some("done") => Ok(examination["report"].take()),
            _ => bail!(
                "the examination failed: {}",
                examination["reason"].as_str().unwrap_or_default()
            ),
        }
    }

    /// For a system in the same process.
    #[must_use]
    pub fn for_system(system: &System) -> Self {
        Self { client: reqwest::Client::new(), url: system.url(), token: token(system) }
    }

    /// As [`Operator::post`], in the trace of the caller.
    ///
    /// # Errors
    /// As [`Operator::get`].
    pub async fn post_traced<T: DeserializeOwned>(
        &self,
        path: &str,
        body: &impl Serialize,
        traceparent: &str,
    ) -> Result<T> {
        self.send(self.request(Method::POST, path).header("traceparent", traceparent).json(body))
            .await
    }

    fn request(&self, method: Method, path: &str) -> RequestBuilder {
        let request = self.client.request(method, format!("{}{path}", self.url));
        request.bearer_auth(self.token.expose_secret())
    }

    async fn send<T: DeserializeOwned>(&self, request: RequestBuilder) -> Result<T> {
        let body = self.answer(request).await?.text().await?;
        serde_json::from_str(&body).context("the system answered something else than expected")
    }

    async fn answer(&self, request: RequestBuilder) -> Result<Response> {
        let response = request
            .send()
            .await
            .with_context(|| format!("{} does not answer: is the system up?", self.url))?;
        let status = response.status();
        if !status.is_success() {
            let body = response.text().await?;
            let problem: Value = serde_json::from_str(&body).unwrap_or_default();
            let detail = problem["detail"].as_str().or(problem["title"].as_str());
            bail!("{status}: {}", detail.unwrap_or(&body));
        }
        Ok(response)
    }
}

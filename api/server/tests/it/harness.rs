//! A gateway on a free port with a database of its own.

use std::future::Future;
use std::net::SocketAddr;
use std::sync::{Arc, LazyLock};

use chrono::{DateTime, TimeZone, Utc};
use metrics_exporter_prometheus::PrometheusHandle;
use millrace_events::ShopId;
use millrace_kernel::{Kernel, SettableClock};
use millrace_server::identity::{NewUser, SERVICE, put_user};
use millrace_server::telemetry::{self, Telemetry};
use millrace_server::{
    Gateway, GatewayParts, GatewayState, Identity, Options, Parts, meter, serve,
};
use millrace_views::PipelineHandle;
use reqwest::{Client, RequestBuilder, Response};
use secrecy::SecretString;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::runtime::Runtime;
use tokio_util::sync::CancellationToken;

use crate::collector::Collector;

pub const PASSWORD: &str = "correct horse battery staple";

/// One runtime for all tests: the shared PostgreSQL is looked after by its tasks.
static RUNTIME: LazyLock<Runtime> = LazyLock::new(|| Runtime::new().expect("a runtime"));
static PROCESS: LazyLock<Process> = LazyLock::new(|| RUNTIME.block_on(Process::start()));

/// What a process has once.
pub struct Process {
    pub telemetry: Telemetry,
    pub collector: Collector,
    metrics: PrometheusHandle,
}

impl Process {
    async fn start() -> Self {
        let (collector, url) = Collector::start().await;
        let options = telemetry::Options {
            filter: "off".into(),
            otlp_url: Some(url),
            sample_ratio: 0.0,
            ..telemetry::Options::default()
        };
        let telemetry = telemetry::init(&options).expect("telemetry");
        Self { telemetry, collector, metrics: meter::install().expect("metrics") }
    }
}

pub fn process() -> &'static Process {
    &PROCESS
}

pub fn run<T>(test: impl Future<Output = T>) -> T {
    process();
    RUNTIME.block_on(test)
}

pub struct Server {
    pub base: String,
    pub address: SocketAddr,
    pub clock: SettableClock,
    pub kernel: Kernel,
    pub client: Client,
    shutdown: CancellationToken,
}

impl Drop for Server {
    fn drop(&mut self) {
        self.shutdown.cancel();
    }
}

pub fn start_of_time() -> DateTime<Utc> {
    Utc.with_ymd_and_hms(2026, 3, 2, 9, 0, 0).single().expect("a time")
}

impl Server {
    pub async fn start() -> Self {
        Self::start_with(Options::default(), Parts::default()).await
    }

    pub async fn start_with(options: Options, parts: Parts) -> Self {
        Self::start_on(options, parts, None).await
    }

    pub async fn start_on(
        options: Options,
        parts: Parts,
        pipeline: Option<PipelineHandle>,
    ) -> Self {
        let url = millrace_local::testing::database().await.expect("a database");
        let clock = SettableClock::at(start_of_time());
        let kernel = Kernel::connect(&url, Arc::new(clock.clone())).await.expect("a kernel");
        millrace_kernel::migrate(&kernel, &[&SERVICE]).await.expect("schemas");
        let identity = Identity::open(&kernel, None).await.expect("an identity");
        let shutdown = CancellationToken::new();
        let state = GatewayState::new(GatewayParts {
            kernel: kernel.clone(),
            identity,
            pipeline,
            doctor: None,
            dead_letters: None,
            metrics: Some(process().metrics.clone()),
            parts,
            options,
            shutdown: shutdown.clone(),
        });
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("an address");
        let base = format!("http://{address}");
        let router = Gateway::router(&state).expect("a router");
        tokio::spawn(async move { serve(listener, router, &state).await });
        Self { base, address, clock, kernel, client: Client::new(), shutdown }
    }

    pub async fn add_user(&self, email: &str, roles: &[&str], shops: &[ShopId]) {
        let user = NewUser {
            email: email.into(),
            name: "Asha".into(),
            roles: roles.iter().map(|role| (*role).to_owned()).collect(),
            shops: shops.to_vec(),
        };
        put_user(&self.kernel, user, SecretString::from(PASSWORD)).await.expect("a user");
    }

    pub fn get(&self, path: &str) -> RequestBuilder {
        self.client.get(format!("{}{path}", self.base))
    }

    pub async fn post(&self, path: &str, body: &Value) -> Response {
        let request = self.client.post(format!("{}{path}", self.base)).json(body);
        request.send().await.expect("an answer")
    }

    pub async fn log_in(&self, email: &str, password: &str) -> Response {
        self.post("/auth/login", &json!({"email": email, "password": password})).await
    }

    /// An access token of a new user.
    pub async fn token_of(&self, email: &str, roles: &[&str], shops: &[ShopId]) -> String {
        self.add_user(email, roles, shops).await;
        let grant = body(self.log_in(email, PASSWORD).await).await;
        grant["access_token"].as_str().expect("a token").to_owned()
    }
}

pub async fn body(response: Response) -> Value {
    response.json().await.expect("a JSON body")
}

/// Status and `code` of a problem, after checking that it is one.
pub async fn problem(response: Response) -> (u16, Value) {
    let status = response.status().as_u16();
    let kind = response.headers().get("content-type").cloned();
    assert_eq!(kind.expect("a type"), "application/problem+json");
    let problem = body(response).await;
    assert_eq!(problem["status"], status);
    for field in ["type", "title", "detail", "instance", "code"] {
        assert!(problem[field].is_string(), "{field} in {problem}");
    }
    assert_eq!(problem["trace_id"].as_str().expect("a trace").len(), 32);
    (status, problem)
}

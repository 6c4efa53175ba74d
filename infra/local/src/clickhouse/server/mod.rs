//! ClickHouse's HTTP interface in front of the engine.
//!
//! Covers what the `clickhouse` crate and `clickhouse-connect` use: statements in the parameter
//! `query`, in the body or in a form; `database`, `default_format`, settings and `param_*` as
//! parameters; sessions; inserts in every input format; LZ4 blocks and content codings; errors with
//! ClickHouse's codes. External tables, roles and client-side files are refused with a clear error.
//! Answers are not compressed unless `compress=1`: this server listens on loopback.

mod auth;
mod codec;
mod failure;
mod multipart;
mod request;
mod run;
mod session;
mod statement;

use std::{net::SocketAddr, path::PathBuf, sync::Arc, time::Duration};

use axum::{
    Router,
    body::{Body, Bytes},
    extract::State,
    http::{HeaderValue, Request as HttpRequest, header::CONTENT_TYPE},
    response::{IntoResponse as _, Response},
    routing::get,
    serve::ListenerExt as _,
};
use futures::stream;
use millrace_chdb::{Engine, Progress};
use secrecy::SecretString;
use serde::Serialize;
use tokio::{
    net::TcpListener,
    signal::unix::{SignalKind, signal},
    sync::{Semaphore, mpsc, oneshot},
};
use uuid::Uuid;

use self::{
    auth::Account,
    failure::{Failure, code},
    request::Request,
    run::{Head, Job},
    session::Sessions,
};

/// Statements that run at the same time; the engine gives each several threads.
const RUNNING_MAX: usize = 16;
/// Statements that run or wait; more are refused, as ClickHouse does.
const WAITING_MAX: usize = 500;
/// Blocks of a result that are ahead of a slow client.
const BLOCKS_AHEAD: usize = 4;
const DRAIN_WITHIN: Duration = Duration::from_secs(10);

/// How to serve.
#[derive(Debug)]
pub struct Options {
    /// Address to listen on.
    pub listen: SocketAddr,
    /// Folder of the tables, made if missing.
    pub data: PathBuf,
    /// `libchdb.so`.
    pub library: PathBuf,
    /// Password of the user `millrace`.
    pub password: SecretString,
}

/// Why the server could not run.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The engine did not start or stop.
    #[error(transparent)]
    Engine(#[from] millrace_chdb::Error),
    /// The network or the signals did not work.
    #[error("cannot serve on {listen}: {source}")]
    Io {
        /// The address.
        listen: SocketAddr,
        /// The system's answer.
        source: std::io::Error,
    },
}

#[derive(Debug)]
struct Server {
    engine: Engine,
    account: Account,
    sessions: Sessions,
    running: Arc<Semaphore>,
    waiting: Arc<Semaphore>,
}

/// Serves until SIGTERM or SIGINT, then finishes what runs and closes the tables.
pub async fn serve(options: Options) -> Result<(), Error> {
    let listen = options.listen;
    let io = |source| Error::Io { listen, source };
    let engine = Engine::load(&options.library, &options.data, &[])?;
    // Opens the tables: whoever reaches us finds them. Also keeps the engine up between requests.
    let keeper = engine.connect()?;
    let account = Account { user: super::USER.to_owned(), password: options.password };
    let server = Arc::new(Server {
        engine,
        account,
        sessions: Sessions::default(),
        running: Arc::new(Semaphore::new(RUNNING_MAX)),
        waiting: Arc::new(Semaphore::new(WAITING_MAX)),
    });
    let expiry = tokio::spawn(expire_sessions(Arc::clone(&server)));
    let router = Router::new()
        .route("/ping", get(|| async { "Ok.\n" }))
        .route("/", get(query).post(query))
        .with_state(Arc::clone(&server));

    let listener = TcpListener::bind(listen).await.map_err(io)?.tap_io(|stream| {
        // Head and body of an answer are written apart: without this the client's delayed
        // acknowledgement holds the body back for 40 ms.
        if let Err(error) = stream.set_nodelay(true) {
            tracing::warn!(%error, "cannot send without delay");
        }
    });
    let mut terminate = signal(SignalKind::terminate()).map_err(io)?;
    let mut interrupt = signal(SignalKind::interrupt()).map_err(io)?;
    let (stop, stopped) = oneshot::channel::<()>();
    let serving = axum::serve(listener, router).with_graceful_shutdown(async {
        // Its sender is dropped or used: either way it is time.
        let _ = stopped.await;
    });
    let serving = tokio::spawn(serving.into_future());
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
    tracing::info!("stopping");
    let _ = stop.send(());
    if tokio::time::timeout(DRAIN_WITHIN, serving).await.is_err() {
        tracing::warn!(within = ?DRAIN_WITHIN, "requests were cut off");
    }
    expiry.abort();
    server.sessions.clear();
    // Statements still running hold connections. What is inserted is on disk already.
    let all = server.running.acquire_many(RUNNING_MAX as u32);
    if tokio::time::timeout(DRAIN_WITHIN, all).await.is_err() {
        tracing::warn!(within = ?DRAIN_WITHIN, "statements were cut off");
    }
    drop(keeper);
    Ok(())
}

async fn expire_sessions(server: Arc<Server>) {
    let mut ticks = tokio::time::interval(Duration::from_secs(5));
    loop {
        ticks.tick().await;
        server.sessions.expire();
    }
}

async fn query(State(server): State<Arc<Server>>, http: HttpRequest<Body>) -> Response {
    answer(&server, http).await.unwrap_or_else(Failure::into_response)
}

async fn answer(server: &Server, http: HttpRequest<Body>) -> Result<Response, Failure> {
    let busy = || {
        let reason = format!(
            "Too many simultaneous queries. Maximum: {WAITING_MAX}. (TOO_MANY_SIMULTANEOUS_QUERIES)"
        );
        Failure::new(code::TOO_MANY_SIMULTANEOUS_QUERIES, reason)
    };
    let _waiting = Arc::clone(&server.waiting).try_acquire_owned().map_err(|_| busy())?;
    let (parts, body) = http.into_parts();
    let request =
        Request::read(&parts.method, &parts.uri, &parts.headers, body, &server.account).await?;
    if request.text.is_empty() {
        // What browsers and load balancers ask for.
        return Ok("Ok.\n".into_response());
    }
    let query_id = request.query_id.clone().unwrap_or_else(|| Uuid::new_v4().to_string());
    let compress = request.compress;
    let permit = Arc::clone(&server.running).acquire_owned().await.map_err(|_| busy())?;
    let session =
        request.session.as_ref().map(|session| server.sessions.take(session)).transpose()?;
    let (head_sender, head) = oneshot::channel();
    let (chunks_sender, chunks) = mpsc::channel(BLOCKS_AHEAD);
    let job = Job {
        engine: server.engine.clone(),
        request,
        session,
        permit,
        head: head_sender,
        chunks: chunks_sender,
    };
    tokio::task::spawn_blocking(move || job.run());
    let head = head.await.map_err(|_| {
        Failure::new(
            code::LOGICAL_ERROR,
            "The statement's thread has ended without an answer. (LOGICAL_ERROR)".into(),
        )
    })??;
    Ok(respond(head, chunks, &query_id, compress))
}

fn respond(
    head: Head,
    chunks: mpsc::Receiver<Result<Bytes, Failure>>,
    query_id: &str,
    compress: bool,
) -> Response {
    let body = stream::unfold(Flow::Running(chunks), |flow| async {
        match flow {
            Flow::Running(mut chunks) => match chunks.recv().await? {
                Ok(bytes) => Some((Ok(bytes), Flow::Running(chunks))),
                Err(failure) => Some((Ok(failure.message.into()), Flow::Failed)),
            },
            Flow::Failed => Some((Err(std::io::Error::other("the statement failed")), Flow::Ended)),
            Flow::Ended => None,
        }
    });
    let mut response = Response::new(Body::from_stream(body));
    let headers = response.headers_mut();
    let content_type =
        if compress { "application/octet-stream" } else { content_type(&head.format) };
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    headers.insert("x-clickhouse-server-display-name", HeaderValue::from_static("millrace"));
    headers.insert("x-clickhouse-timezone", HeaderValue::from_static("UTC"));
    let texts = [("x-clickhouse-query-id", query_id), ("x-clickhouse-format", &head.format)];
    for (name, text) in texts {
        if let Ok(value) = HeaderValue::from_str(text) {
            headers.insert(name, value);
        }
    }
    let summary =
        head.progress.and_then(|progress| serde_json::to_string(&Summary::from(progress)).ok());
    if let Some(value) = summary.and_then(|summary| HeaderValue::from_str(&summary).ok()) {
        headers.insert("x-clickhouse-summary", value);
    }
    response
}

/// A body on its way. When the statement fails in the middle, its message is the last thing in the
/// body, as in ClickHouse, and the connection breaks: no client takes half a result for a whole one.
enum Flow {
    Running(mpsc::Receiver<Result<Bytes, Failure>>),
    Failed,
    Ended,
}

fn content_type(format: &str) -> &'static str {
    match format.to_ascii_lowercase().as_str() {
        "json" | "jsoncompact" | "jsonstrings" | "jsoncolumns" => "application/json; charset=UTF-8",
        "jsoneachrow" => "application/x-ndjson; charset=UTF-8",
        "tabseparated" | "tsv" | "tabseparatedwithnames" | "tsvwithnames" => {
            "text/tab-separated-values; charset=UTF-8"
        }
        "csv" | "csvwithnames" => "text/csv; charset=UTF-8",
        "native"
        | "rowbinary"
        | "rowbinarywithnames"
        | "rowbinarywithnamesandtypes"
        | "arrow"
        | "arrowstream"
        | "parquet" => "application/octet-stream",
        _ => "text/plain; charset=UTF-8",
    }
}

/// `X-ClickHouse-Summary`: numbers as strings.
#[derive(Debug, Serialize)]
struct Summary {
    read_rows: String,
    read_bytes: String,
    written_rows: String,
    written_bytes: String,
    result_rows: String,
    elapsed_ns: String,
}

impl From<Progress> for Summary {
    fn from(progress: Progress) -> Self {
        Summary {
            read_rows: progress.rows_read.to_string(),
            read_bytes: progress.bytes_read.to_string(),
            written_rows: progress.rows_written.to_string(),
            written_bytes: progress.bytes_written.to_string(),
            result_rows: progress.rows_result.to_string(),
            elapsed_ns: progress.elapsed.as_nanos().to_string(),
        }
    }
}

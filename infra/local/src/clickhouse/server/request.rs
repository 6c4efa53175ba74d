//! Takes a request apart: parameters, credentials, statement, data.

use axum::{
    body::{Body, Bytes, to_bytes},
    http::{
        HeaderMap, Method, Uri,
        header::{CONTENT_ENCODING, CONTENT_TYPE},
    },
};

use super::{
    auth::Account,
    codec,
    failure::{Failure, code},
    multipart,
};

/// What a request asks for.
#[derive(Debug, Default)]
pub(super) struct Request {
    /// The parameter `query`, then the body, as ClickHouse joins them.
    pub text: Vec<u8>,
    /// Current database.
    pub database: Option<String>,
    /// Format unless the statement names one.
    pub default_format: Option<String>,
    /// Settings for this statement.
    pub settings: Vec<(String, String)>,
    /// Values of `{name:Type}`.
    pub params: Vec<(String, String)>,
    /// Echoed in the response.
    pub query_id: Option<String>,
    /// Session to run in.
    pub session: Option<SessionRequest>,
    /// Answer in ClickHouse's compressed blocks.
    pub compress: bool,
    /// Answer only when the result is complete.
    pub wait_end_of_query: bool,
    /// Asked by GET: nothing may change.
    pub read_only: bool,
}

/// Parameters of a session.
#[derive(Debug)]
pub(super) struct SessionRequest {
    /// Its name.
    pub id: String,
    /// Seconds it is kept after its last use.
    pub timeout_s: Option<u64>,
    /// It must exist already.
    pub must_exist: bool,
}

impl Request {
    /// Reads a request of an authenticated user.
    pub(super) async fn read(
        method: &Method,
        uri: &Uri,
        headers: &HeaderMap,
        body: Body,
        account: &Account,
    ) -> Result<Self, Failure> {
        let mut pairs = query_pairs(uri);
        let find = |name: &str| pairs.iter().find(|(n, _)| n == name).map(|(_, v)| v.as_str());
        // Before the body is read: strangers get no memory of ours.
        account.check(headers, find("user"), find("password"))?;

        let header = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
        let mut request = Request {
            read_only: method == Method::GET || method == Method::HEAD,
            database: header("x-clickhouse-database").map(str::to_owned),
            default_format: header("x-clickhouse-format").map(str::to_owned),
            ..Request::default()
        };
        let body = to_bytes(body, codec::BYTES_MAX).await.map_err(|_| Failure::body_too_large())?;
        let coding = header(CONTENT_ENCODING.as_str()).unwrap_or_default();
        let mut data = if coding.is_empty() {
            body
        } else {
            Bytes::from(codec::decode_content(coding, &body)?)
        };
        let content_type = header(CONTENT_TYPE.as_str()).unwrap_or_default();
        if let Some(boundary) = multipart::boundary(content_type) {
            pairs.extend(multipart::fields(&data, &boundary)?);
            data = Bytes::new();
        }
        let mut query = String::new();
        let mut decompress = false;
        let mut session_timeout = None;
        let mut session_must_exist = false;
        let mut session_id = None;
        for (name, value) in pairs {
            match name.as_str() {
                "query" => query = value,
                "database" => request.database = Some(value).filter(|v| !v.is_empty()),
                "default_format" => request.default_format = Some(value),
                "query_id" => request.query_id = Some(value).filter(|v| !v.is_empty()),
                "session_id" => session_id = Some(value).filter(|v| !v.is_empty()),
                "session_timeout" => session_timeout = Some(timeout(&value)?),
                "session_check" => session_must_exist = is_on(&value),
                "compress" => request.compress = is_on(&value),
                "decompress" => decompress = is_on(&value),
                "wait_end_of_query" => request.wait_end_of_query = is_on(&value),
                // Checked above; hints that change nothing about the answer; and the version of the
                // native protocol, whose blocks of version 0 every client reads.
                "user"
                | "password"
                | "buffer_size"
                | "quota_key"
                | "stacktrace"
                | "client_protocol_version" => {}
                "role" => {
                    return Err(Failure::new(
                        code::UNKNOWN_ROLE,
                        "The embedded server has no roles. (UNKNOWN_ROLE)".into(),
                    ));
                }
                _ => match name.strip_prefix("param_") {
                    Some(param) => request.params.push((param.to_owned(), value)),
                    None => request.settings.push((name, value)),
                },
            }
        }
        request.session = session_id.map(|id| SessionRequest {
            id,
            timeout_s: session_timeout,
            must_exist: session_must_exist,
        });
        if decompress {
            data = codec::decode_blocks(&data)?.into();
        }
        request.text = query.into_bytes();
        if !request.text.is_empty() && !data.is_empty() {
            request.text.push(b'\n');
        }
        request.text.extend_from_slice(&data);
        Ok(request)
    }
}

fn query_pairs(uri: &Uri) -> Vec<(String, String)> {
    let query = uri.query().unwrap_or_default();
    let url = reqwest::Url::parse(&format!("http://localhost/?{query}"));
    url.map(|url| url.query_pairs().into_owned().collect()).unwrap_or_default()
}

fn is_on(value: &str) -> bool {
    !matches!(value, "" | "0" | "false")
}

fn timeout(value: &str) -> Result<u64, Failure> {
    /// ClickHouse's `max_session_timeout`.
    const SECONDS_MAX: u64 = 3600;
    value.parse().ok().filter(|seconds| *seconds <= SECONDS_MAX).ok_or_else(|| {
        let reason = format!("Invalid session timeout: '{value}'. Give seconds, {SECONDS_MAX} at most. (INVALID_SESSION_TIMEOUT)");
        Failure::new(code::INVALID_SESSION_TIMEOUT, reason)
    })
}

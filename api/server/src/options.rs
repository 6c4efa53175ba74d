//! What an operator may set about the gateway.

use std::time::Duration;

/// Bounds and names; the defaults suit one machine.
#[derive(Clone, Debug)]
pub struct Options {
    /// What the status bar calls this installation: `demo`, `production` …
    pub environment: String,
    /// Other origins whose pages may call the API; none: only the gateway's own.
    pub cors_origins: Vec<String>,
    /// A request that takes longer is answered 503.
    pub request_timeout: Duration,
    /// The longest that a read waits for a token or a position.
    pub wait_timeout: Duration,
    /// Bytes of a request's body.
    pub body_bytes_max: usize,
    /// Live streams at once, of all users.
    pub streams_max: usize,
    /// Live streams at once of one user.
    pub streams_per_user_max: usize,
    /// Changes that follow one another faster than this are sent as one.
    pub stream_pace: Duration,
    /// How long a shutdown waits for requests under way.
    pub shutdown_timeout: Duration,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            environment: "demo".to_owned(),
            cors_origins: Vec::new(),
            request_timeout: Duration::from_secs(30),
            wait_timeout: Duration::from_secs(5),
            body_bytes_max: 1024 * 1024,
            streams_max: 512,
            streams_per_user_max: 64,
            stream_pace: Duration::from_millis(20),
            shutdown_timeout: Duration::from_secs(5),
        }
    }
}

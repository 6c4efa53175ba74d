//! What PostgreSQL, or the way to it, said no to.

use deadpool_postgres::PoolError;

/// An error of either client.
#[derive(Debug, thiserror::Error)]
pub enum DatabaseError {
    #[error("{0}")]
    Query(#[source] sqlx::Error),
    #[error("{}", told(.0))]
    Command(#[source] tokio_postgres::Error),
    #[error("no connection: {0}")]
    Connection(#[source] PoolError),
}

impl DatabaseError {
    /// PostgreSQL's five-letter code, where it is PostgreSQL that refused.
    #[must_use]
    pub fn sqlstate(&self) -> Option<String> {
        match self {
            Self::Query(error) => Some(error.as_database_error()?.code()?.into_owned()),
            Self::Command(error) => Some(error.code()?.code().to_owned()),
            Self::Connection(_) => None,
        }
    }

    /// The constraint that was violated.
    #[must_use]
    pub fn constraint(&self) -> Option<&str> {
        match self {
            Self::Query(error) => error.as_database_error()?.constraint(),
            Self::Command(error) => error.as_db_error()?.constraint(),
            Self::Connection(_) => None,
        }
    }

    /// The table whose constraint that is.
    #[must_use]
    pub fn table(&self) -> Option<&str> {
        match self {
            Self::Query(error) => error.as_database_error()?.table(),
            Self::Command(error) => error.as_db_error()?.table(),
            Self::Connection(_) => None,
        }
    }

    /// All connections are in use, and stay so.
    #[must_use]
    pub fn is_busy(&self) -> bool {
        matches!(
            self,
            Self::Query(sqlx::Error::PoolTimedOut)
                | Self::Connection(PoolError::Timeout(deadpool_postgres::TimeoutType::Wait))
        )
    }

    /// The server can't be reached, or ended the connection.
    #[must_use]
    pub fn is_unreachable(&self) -> bool {
        let left = |code: String| ["57P", "53", "08"].iter().any(|class| code.starts_with(class));
        let unreachable = match self {
            Self::Query(error) => {
                matches!(error, sqlx::Error::Io(_) | sqlx::Error::PoolClosed | sqlx::Error::Tls(_))
            }
            Self::Command(error) => {
                error.is_closed() || error.as_db_error().is_none() && is_io(error)
            }
            Self::Connection(PoolError::Timeout(_) | PoolError::Closed) => true,
            Self::Connection(_) => false,
        };
        unreachable || self.sqlstate().is_some_and(left)
    }
}

fn is_io(error: &tokio_postgres::Error) -> bool {
    std::error::Error::source(error).is_some_and(|source| source.is::<std::io::Error>())
}

/// The server's own words, where it is the server that refused.
fn told(error: &tokio_postgres::Error) -> String {
    match error.as_db_error() {
        Some(refused) => refused.message().to_owned(),
        None => match std::error::Error::source(error) {
            Some(source) => format!("{error}: {source}"),
            None => error.to_string(),
        },
    }
}

impl From<sqlx::Error> for DatabaseError {
    fn from(error: sqlx::Error) -> Self {
        Self::Query(error)
    }
}

impl From<tokio_postgres::Error> for DatabaseError {
    fn from(error: tokio_postgres::Error) -> Self {
        Self::Command(error)
    }
}

impl From<PoolError> for DatabaseError {
    fn from(error: PoolError) -> Self {
        match error {
            PoolError::Backend(error) => Self::Command(error),
            error => Self::Connection(error),
        }
    }
}

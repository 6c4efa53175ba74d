//! What can be wrong with a word of the vocabulary.

/// A value that is not part of the vocabulary.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error(
        "{value:?} is not a log sequence number: write it as PostgreSQL does, for example 0/16B3748"
    )]
    Lsn { value: String },
    #[error("{value:?} is not a write token: pass the millrace-token header of a write unchanged")]
    Token { value: String },
    #[error("{value} has more than {scale} decimal places")]
    Scale { value: String, scale: u32 },
    #[error("{value} does not fit: at most {digits} digits, {scale} of them after the point")]
    Range { value: String, digits: u32, scale: u32 },
    #[error("event {event_type}: the payload can't be written as JSON")]
    Json {
        event_type: String,
        #[source]
        source: serde_json::Error,
    },
}

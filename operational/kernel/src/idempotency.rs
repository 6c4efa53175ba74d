//! One idempotency key, one effect, one response.
//!
//! A key is held by an advisory lock while its command runs, and stored with the response in the
//! command's own transaction. So a key is either free, running, or done with a known response.

use millrace_events::{Lsn, Token};
use sha2::{Digest, Sha256};
use tokio_postgres::Statement;

use crate::connections::Lent;
use crate::deferred::Deferred;
use crate::{Command, Context, Error, FromRow, Result};

/// Primary key of every schema's idempotency table.
pub(crate) const CONSTRAINT: &str = "idempotency_pkey";

/// A key in use by the running command.
#[derive(Clone, Debug)]
pub(crate) struct Claim {
    pub key: String,
    pub command: &'static str,
    pub schema: &'static str,
    pub body_hash: Vec<u8>,
}

/// What a key turned out to be.
#[derive(Debug)]
pub(crate) enum Claimed {
    /// Nobody used it; it is ours until the transaction ends.
    Fresh,
    /// The command was done before, with this response; a view that has passed the token shows it.
    Done { response: String, token: Token },
}

impl Claim {
    pub fn new<C: Command>(context: &Context, command: &C) -> Result<Option<Self>> {
        let Some(key) = context.idempotency_key.clone() else { return Ok(None) };
        let body = serde_json::to_vec(command)?;
        let body_hash = Sha256::new_with_prefix(C::NAME).chain_update(body).finalize().to_vec();
        Ok(Some(Self { key, command: C::NAME, schema: C::SCHEMA, body_hash }))
    }

    /// Leaves the key and its response for the transaction's last statement.
    pub fn defer(&self, context: &Context, response: &str, deferred: &mut Deferred) {
        let write = format!(
            "insert into {}.idempotency (actor_id, key, command, body_hash, response, recorded_at) \
             values ($1::uuid, $2::text, $3::text, $4::bytea, $5::text, $6::timestamptz)",
            self.schema
        );
        deferred.push(self.schema, &write, |to| {
            to.bind(context.actor.user_id)
                .bind(self.key.clone())
                .bind(self.command)
                .bind(self.body_hash.clone())
                .bind(response.to_owned())
                .bind(context.now())
        });
    }

    /// The statement that takes a key; prepared beforehand, it is sent as soon as it is asked.
    pub async fn prepare(&self, connection: &Lent) -> Result<Statement> {
        let sql = format!(
            "select pg_try_advisory_xact_lock($1), i.body_hash, i.response, \
                 pg_current_wal_flush_lsn()::text \
             from (values (1)) as one left join {}.idempotency i on i.actor_id = $2 and i.key = $3",
            self.schema
        );
        Ok(connection.prepare_cached(&sql).await?)
    }

    /// Takes the key or tells what became of it.
    pub async fn take(
        &self,
        context: &Context,
        connection: &Lent,
        statement: &Statement,
    ) -> Result<Claimed> {
        let actor = context.actor.user_id;
        let digest = Sha256::digest(format!("{} {actor} {}", self.schema, self.key));
        let lock = i64::from_be_bytes(digest[..8].try_into().expect("8 of 32 bytes"));
        let row = connection.query_one(statement, &[&lock, &actor, &self.key]).await?;
        type Answer = (bool, Option<Vec<u8>>, Option<String>, String);
        let (locked, body_hash, response, flushed): Answer = FromRow::from_row(&row)?;
        match (body_hash, response) {
            (Some(hash), _) if hash != self.body_hash => {
                Err(Error::KeyReused { key: self.key.clone() })
            }
            // A key that can be seen was committed, and so flushed, before.
            (Some(_), Some(response)) => {
                Ok(Claimed::Done { response, token: Token(flushed.parse::<Lsn>()?) })
            }
            _ if locked => Ok(Claimed::Fresh),
            _ => Err(Error::KeyInFlight { key: self.key.clone() }),
        }
    }
}

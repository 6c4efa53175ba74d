//! `millrace migrate`.

use anyhow::Result;

use crate::config::Settings;
use crate::system::{Base, SERVICES};

/// Brings the schemas up to date and ends.
///
/// # Errors
/// A migration that fails, by schema.
pub async fn run(settings: Settings) -> Result<()> {
    let base = Base::start(&settings).await?;
    let schemas: Vec<&str> = SERVICES.iter().map(|service| service.schema).collect();
    eprintln!("up to date: {}", schemas.join(", "));
    base.kernel.close().await;
    base.stack.shutdown().await;
    Ok(())
}

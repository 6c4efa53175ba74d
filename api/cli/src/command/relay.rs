//! `millrace relay …`.

use std::io::{self, IsTerminal, Write};

use anyhow::{Result, bail};
use millrace_events::Position;
use millrace_relay::recover::{self, Recovered, RestorePoint};

use crate::args::{Output, Recover, Relay};
use crate::config::Settings;
use crate::output::Rows;
use crate::system::{Base, relay_options};

/// Starts the servers, lets the remedy do its work, and ends them.
///
/// # Errors
/// The servers do not start, among others while a system runs in the data directory; or the remedy
/// refuses, and says what to do instead.
pub async fn run(settings: Settings, command: &Relay, output: Output) -> Result<()> {
    let Relay::Recover(remedy) = command;
    if let Recover::NewIncarnation { yes: false, .. } = remedy {
        confirm(&settings)?;
    }
    let base = Base::start(&settings).await?;
    let options = relay_options(&settings, &base.stack, &base.folders);
    let outcome = match remedy {
        Recover::LostSlot => recover::lost_slot(&options).await,
        Recover::NewIncarnation { restored_to, .. } => {
            let named = restored_to.map(|position| RestorePoint::Position(Position(position)));
            recover::new_incarnation(&options, named.unwrap_or(RestorePoint::Outbox)).await
        }
    };
    base.kernel.close().await;
    base.stack.shutdown().await;
    report(&outcome?, output)
}

/// What the log has and the database lacks is given up: that is for a person to say.
fn confirm(settings: &Settings) -> Result<()> {
    let folder = settings.data_dir.display();
    if !io::stdin().is_terminal() {
        bail!("a new incarnation gives up what the database of {folder} lacks: confirm with --yes");
    }
    eprint!(
        "Events of the log that the database of {folder} does not have will count as orphans: views and marts are filled again without them.\nType yes to go on: "
    );
    io::stderr().flush()?;
    let mut answer = String::new();
    io::stdin().read_line(&mut answer)?;
    if answer.trim() != "yes" {
        bail!("nothing was changed");
    }
    Ok(())
}

fn report(recovered: &Recovered, output: Output) -> Result<()> {
    let Recovered { incarnation, lsn, position, published, tombstones, orphans } = recovered;
    let mut rows = Rows::new(&[
        "incarnation",
        "lsn",
        "position",
        "published",
        "tombstones",
        "orphans",
        "file",
    ]);
    let file = orphans.as_ref().map(|orphans| orphans.file.display().to_string());
    rows.push(vec![
        (*incarnation).into(),
        lsn.to_string().into(),
        position.0.into(),
        (*published).into(),
        (*tombstones).into(),
        orphans.as_ref().map_or(0, |orphans| orphans.events).into(),
        file.into(),
    ]);
    rows.print(output)?;
    if let Some(orphans) = orphans.as_ref().filter(|orphans| orphans.events > 0) {
        eprintln!(
            "hint: {} events of the log are not in the database: enter again what they stand for, {} lists them; views and marts are filled again without them, and `millrace dead-letters list` shows them as orphans",
            orphans.events,
            orphans.file.display()
        );
    }
    eprintln!("hint: the relay can go on: start the system with `millrace up`");
    Ok(())
}

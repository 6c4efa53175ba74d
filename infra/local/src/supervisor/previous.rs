//! Children of an earlier life: they must be gone before their files and ports are used again.

use std::{
    fs, io,
    path::{Path, PathBuf},
    time::Duration,
};

use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use tokio::time::{Instant, sleep};

use crate::{Error, Part, Result};

const POLL: Duration = Duration::from_millis(20);

fn pid_file(data_dir: &Path, part: Part) -> PathBuf {
    data_dir.join("run").join(format!("{part}.pid"))
}

/// Notes the process that now runs `part`.
pub(crate) fn remember(data_dir: &Path, part: Part, pid: u32) -> Result<()> {
    let path = pid_file(data_dir, part);
    let Some(started) = started_at(pid) else { return Ok(()) };
    fs::write(&path, format!("{pid} {started}")).map_err(Error::file("write", path))
}

/// Forgets it after a clean end.
pub(crate) fn forget(data_dir: &Path, part: Part) -> Result<()> {
    let path = pid_file(data_dir, part);
    match fs::remove_file(&path) {
        Err(e) if e.kind() != io::ErrorKind::NotFound => Err(Error::file("remove", path)(e)),
        _ => Ok(()),
    }
}

/// Waits until the process noted for `part` has ended; after `patience` it is killed.
pub(crate) async fn outlast(data_dir: &Path, part: Part, patience: Duration) -> Result<()> {
    let path = pid_file(data_dir, part);
    let Ok(text) = fs::read_to_string(&path) else { return Ok(()) };
    let Some((pid, started)) = parse(&text) else { return forget(data_dir, part) };
    let alive = move || started_at(pid) == Some(started);
    if alive() {
        tracing::warn!(
            part = part.name(),
            pid,
            "waiting for the process of an earlier life to end"
        );
        end(alive, &[pid], patience).await;
    }
    forget(data_dir, part)
}

/// Waits for `alive` to turn false; kills `pids` when it hasn't after `patience`.
pub(crate) async fn end(alive: impl Fn() -> bool, pids: &[u32], patience: Duration) {
    let deadline = Instant::now() + patience;
    while alive() && Instant::now() < deadline {
        sleep(POLL).await;
    }
    if !alive() {
        return;
    }
    for &pid in pids {
        signal(pid, Signal::SIGKILL);
    }
    let deadline = Instant::now() + Duration::from_secs(5);
    while alive() && Instant::now() < deadline {
        sleep(POLL).await;
    }
}

/// Sends a signal; a process that is gone already is no error.
pub(crate) fn signal(pid: u32, signal: Signal) {
    if let Ok(pid) = i32::try_from(pid) {
        let _ = kill(Pid::from_raw(pid), signal);
    }
}

/// Processes whose title starts with `prefix`.
pub(crate) fn titled(prefix: &str) -> Vec<u32> {
    let Ok(entries) = fs::read_dir("/proc") else { return Vec::new() };
    entries
        .filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok())
        .filter(|pid: &u32| {
            fs::read(format!("/proc/{pid}/cmdline"))
                .is_ok_and(|title| title.starts_with(prefix.as_bytes()))
        })
        .collect()
}

fn parse(text: &str) -> Option<(u32, u64)> {
    let (pid, started) = text.trim().split_once(' ')?;
    Some((pid.parse().ok()?, started.parse().ok()?))
}

/// Start time of a living process in clock ticks since boot; tells it from a later one with its id.
fn started_at(pid: u32) -> Option<u64> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The name in parentheses may hold anything, so count the fields after it.
    let mut fields = stat.rsplit_once(')')?.1.split_whitespace();
    let state = fields.next()?;
    if state == "Z" {
        return None;
    }
    fields.nth(18)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_process_of_an_earlier_life_is_ended_and_a_strangers_left_alone() {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir(dir.path().join("run")).unwrap();
        let mut child = tokio::process::Command::new("sleep").arg("60").spawn().unwrap();
        let pid = child.id().unwrap();

        // Same id, other start time: a stranger.
        fs::write(pid_file(dir.path(), Part::Kafka), format!("{pid} 1")).unwrap();
        outlast(dir.path(), Part::Kafka, Duration::ZERO).await.unwrap();
        assert!(child.try_wait().unwrap().is_none());

        remember(dir.path(), Part::Kafka, pid).unwrap();
        outlast(dir.path(), Part::Kafka, Duration::from_millis(50)).await.unwrap();
        assert!(!child.wait().await.unwrap().success());
        assert!(!pid_file(dir.path(), Part::Kafka).exists());
    }
}

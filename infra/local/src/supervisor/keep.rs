//! Keeps one part running: start, watch, start again with growing pauses, end on request.

use std::{path::Path, time::Duration};

use nix::sys::signal::Signal;
use tokio::{
    process::Child,
    sync::{oneshot, watch},
    time::{Instant, MissedTickBehavior, interval, sleep, timeout},
};

use super::{Board, Component, State, Unready, log, previous};
use crate::{Error, Part, Result, ports};

/// How long a part may take to answer after its start.
const READY_WITHIN: Duration = Duration::from_secs(120);
/// How long it may then ask for patience: PostgreSQL replays what it had not written back.
const RECOVERED_WITHIN: Duration = Duration::from_secs(900);
const READY_POLL: Duration = Duration::from_millis(25);
const PROBE_EVERY: Duration = Duration::from_secs(5);
const PROBE_WITHIN: Duration = Duration::from_secs(10);
/// A server that is busy may miss one probe.
const PROBES_FAILED_MAX: u32 = 3;
const PAUSE_MIN: Duration = Duration::from_millis(100);
const PAUSE_MAX: Duration = Duration::from_secs(10);
/// Who ran this long is no longer suspected of failing at every start.
const SETTLED_AFTER: Duration = Duration::from_secs(60);
/// Starts with another port when the first choice was lost to another program.
const MOVES_MAX: u32 = 5;

/// How a part shall end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stop {
    /// Not at all, yet.
    Run,
    /// After finishing what it does.
    Gently,
    /// Now.
    AtOnce,
}

/// Runs until `stop` says otherwise. `ready` is answered once: with the port, or with why the first
/// start failed, and then the part is not kept.
pub(crate) async fn keep(
    mut component: impl Component,
    data_dir: &Path,
    board: Board,
    mut stop: watch::Receiver<Stop>,
    ready: oneshot::Sender<Result<u16>>,
) {
    let part = component.part();
    let mut child = match first_start(&mut component, data_dir, &board, &mut stop).await {
        Ok(child) => child,
        Err(error) => {
            ended(data_dir, &board, part);
            // Nobody waits any more if the whole start was given up.
            let _ = ready.send(Err(error));
            return;
        }
    };
    let _ = ready.send(Ok(component.port()));

    let mut pause = PAUSE_MIN;
    loop {
        let started = Instant::now();
        let reason = tokio::select! {
            reason = watch_over(&component, &mut child) => reason,
            how = stopped(&mut stop) => {
                end(&component, &mut child, how).await;
                break;
            }
        };
        if started.elapsed() > SETTLED_AFTER {
            pause = PAUSE_MIN;
        }
        tracing::warn!(part = part.name(), reason, "part is started again");
        board.update(part, |s| {
            s.state = State::Restarting;
            s.pid = None;
            s.restarts += 1;
            s.last_error = Some(reason);
        });
        let restarted = tokio::select! {
            restarted = restart(&mut component, data_dir, &board, &mut pause) => restarted,
            _ = stopped(&mut stop) => None,
        };
        match restarted {
            Some(new) => child = new,
            None => break,
        }
    }
    ended(data_dir, &board, part);
}

fn ended(data_dir: &Path, board: &Board, part: Part) {
    board.update(part, |s| {
        s.state = State::Stopped;
        s.pid = None;
    });
    if let Err(error) = previous::forget(data_dir, part) {
        tracing::warn!(part = part.name(), %error, "pid file");
    }
}

async fn first_start(
    component: &mut impl Component,
    data_dir: &Path,
    board: &Board,
    stop: &mut watch::Receiver<Stop>,
) -> Result<Child> {
    let mut moves = 0;
    loop {
        let result = tokio::select! {
            result = start(component, data_dir, board, true) => result,
            _ = stopped(stop) => return Err(Error::Stopped),
        };
        match result {
            // Taken between our check and its listening.
            Err(_)
                if moves < MOVES_MAX
                    && component.may_move()
                    && !ports::is_free(component.port()) =>
            {
                moves += 1
            }
            result => return result,
        }
    }
}

async fn restart(
    component: &mut impl Component,
    data_dir: &Path,
    board: &Board,
    pause: &mut Duration,
) -> Option<Child> {
    loop {
        sleep(*pause).await;
        *pause = (*pause * 2).min(PAUSE_MAX);
        match start(component, data_dir, board, false).await {
            Ok(child) => return Some(child),
            Err(error) => {
                tracing::error!(part = component.part().name(), %error, "start failed, trying again");
                board.update(component.part(), |s| s.last_error = Some(error.to_string()));
            }
        }
    }
}

/// Starts the process and waits for its first answer.
async fn start(
    component: &mut impl Component,
    data_dir: &Path,
    board: &Board,
    first: bool,
) -> Result<Child> {
    let part = component.part();
    let started = Instant::now();
    component.prepare(first).await?;
    let launch = component.launch();
    let mut child = launch.start()?;
    let pid = child.id();
    if let Some(pid) = pid {
        previous::remember(data_dir, part, pid)?;
    }
    board.update(part, |s| {
        s.pid = pid;
        s.port = Some(component.port());
        s.log = Some(component.log());
    });
    // Dropping the future (a stop during the start) must not leave the process behind.
    let mut guard = KillOnDrop(pid);
    let reason = loop {
        // Before the probe: a stranger on our port may answer it.
        if let Ok(Some(status)) = child.try_wait() {
            break format!("it ended ({status}): {}", last_line(&component.log()));
        }
        let (reason, within) = match probe(component).await {
            Ok(()) => {
                guard.0 = None;
                board.update(part, |s| s.state = State::Running);
                tracing::info!(part = part.name(), pid, port = component.port(), took = ?started.elapsed(), "part is ready");
                return Ok(child);
            }
            Err(Unready::Busy(reason)) => (reason, RECOVERED_WITHIN),
            Err(Unready::Silent(reason)) => (reason, READY_WITHIN),
        };
        if started.elapsed() > within {
            break reason;
        }
        sleep(READY_POLL).await;
    };
    let _ = child.start_kill();
    let _ = child.wait().await;
    guard.0 = None;
    Err(Error::NotReady { part, waited: started.elapsed(), reason, log: component.log() })
}

struct KillOnDrop(Option<u32>);

impl Drop for KillOnDrop {
    fn drop(&mut self) {
        if let Some(pid) = self.0 {
            previous::signal(pid, Signal::SIGKILL);
        }
    }
}

/// Returns the reason when the part has ended, or was ended because it did not answer.
async fn watch_over(component: &impl Component, child: &mut Child) -> String {
    let mut ticks = interval(PROBE_EVERY);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut failed = 0;
    loop {
        tokio::select! {
            status = child.wait() => {
                return match status {
                    Ok(status) => format!("it ended ({status}): {}", last_line(&component.log())),
                    Err(error) => format!("cannot wait for it: {error}"),
                };
            }
            _ = ticks.tick() => {}
        }
        if let Err(error) = log::turn_over(&component.log()) {
            tracing::warn!(part = component.part().name(), %error, "cannot turn the log over");
        }
        match probe(component).await {
            Ok(()) | Err(Unready::Busy(_)) => failed = 0,
            Err(Unready::Silent(reason)) => {
                failed += 1;
                tracing::warn!(
                    part = component.part().name(),
                    failed,
                    reason,
                    "health check failed"
                );
                if failed >= PROBES_FAILED_MAX {
                    let _ = child.start_kill();
                    let _ = child.wait().await;
                    return format!("it did not answer {failed} health checks: {reason}");
                }
            }
        }
    }
}

async fn probe(component: &impl Component) -> Result<(), Unready> {
    timeout(PROBE_WITHIN, component.probe())
        .await
        .unwrap_or_else(|_| Err(Unready::Silent(format!("no answer within {PROBE_WITHIN:?}"))))
}

async fn end(component: &impl Component, child: &mut Child, how: Stop) {
    let part = component.part().name();
    let Some(pid) = child.id() else { return };
    let halt = [(component.halt(), Duration::from_secs(5))];
    let signals = if how == Stop::Gently { component.farewell() } else { &halt };
    for &(signal, patience) in signals {
        previous::signal(pid, signal);
        if timeout(patience, child.wait()).await.is_ok() {
            tracing::info!(part, "part has ended");
            return;
        }
        tracing::warn!(part, %signal, ?patience, "part did not end in time");
    }
    let _ = child.start_kill();
    let _ = child.wait().await;
}

async fn stopped(stop: &mut watch::Receiver<Stop>) -> Stop {
    match stop.wait_for(|stop| *stop != Stop::Run).await {
        Ok(stop) => *stop,
        // The owner is gone.
        Err(_) => Stop::AtOnce,
    }
}

fn last_line(log: &Path) -> String {
    let text = std::fs::read(log).unwrap_or_default();
    let tail = &text[text.len().saturating_sub(4096)..];
    let tail = String::from_utf8_lossy(tail);
    tail.lines()
        .rev()
        .find(|line| !line.trim().is_empty())
        .unwrap_or("it logged nothing")
        .to_owned()
}

//! The most memory each process has held, read from `/proc`.

use std::collections::BTreeMap;
use std::fs;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use tokio_util::sync::{CancellationToken, DropGuard};

/// Samples once a second until dropped.
#[derive(Debug)]
pub struct PeakMemory {
    peaks: Arc<Mutex<BTreeMap<String, u64>>>,
    _stop: DropGuard,
}

impl PeakMemory {
    /// Watches this process as `millrace` and the given ones, children included, by name.
    #[must_use]
    pub fn watch(parts: BTreeMap<&'static str, u32>) -> Self {
        let peaks = Arc::new(Mutex::new(BTreeMap::new()));
        let stop = CancellationToken::new();
        let (seen, stopped) = (Arc::clone(&peaks), stop.clone());
        tokio::spawn(async move {
            let mut tick = tokio::time::interval(Duration::from_secs(1));
            while stopped.run_until_cancelled(tick.tick()).await.is_some() {
                let mut sample = vec![("millrace".to_owned(), resident(std::process::id()))];
                sample.extend(parts.iter().map(|(name, pid)| ((*name).to_owned(), tree(*pid))));
                let mut peaks = seen.lock();
                for (name, bytes) in sample {
                    let peak: &mut u64 = peaks.entry(name).or_default();
                    *peak = bytes.max(*peak);
                }
            }
        });
        Self { peaks, _stop: stop.drop_guard() }
    }

    /// Bytes by process; memory that processes of one part share is counted once.
    #[must_use]
    pub fn peaks(&self) -> BTreeMap<String, u64> {
        self.peaks.lock().clone()
    }
}

/// Resident bytes of one process.
fn resident(pid: u32) -> u64 {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    kib(&status, "VmRSS:")
}

/// Bytes of a process and its children, shared pages divided among those who map them.
fn tree(pid: u32) -> u64 {
    let rollup = fs::read_to_string(format!("/proc/{pid}/smaps_rollup")).unwrap_or_default();
    let children =
        fs::read_to_string(format!("/proc/{pid}/task/{pid}/children")).unwrap_or_default();
    let below: u64 =
        children.split_whitespace().filter_map(|child| child.parse().ok()).map(tree).sum();
    kib(&rollup, "Pss:") + below
}

fn kib(text: &str, label: &str) -> u64 {
    let line = text.lines().find_map(|line| line.strip_prefix(label));
    let number = line.and_then(|line| line.split_whitespace().next());
    number.and_then(|number| number.parse::<u64>().ok()).map_or(0, |kib| kib * 1024)
}

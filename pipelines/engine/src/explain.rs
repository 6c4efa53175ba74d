//! What a view is made of and what it costs.

use std::fmt;
use std::time::Duration;

/// Time that an operator took since the engine started.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct WorkTime {
    /// Of all workers together.
    pub total: Duration,
    /// The longest that one worker took in one epoch.
    pub worst: Duration,
    /// Epochs in which it took anything in.
    pub epochs: u64,
}

impl WorkTime {
    /// What an epoch took in which there was something to do.
    pub fn mean(&self) -> Duration {
        u32::try_from(self.epochs.max(1)).map_or(Duration::ZERO, |epochs| self.total / epochs)
    }
}

/// One operator of a view.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OperatorReport {
    /// Place in the engine's graph; an operator shared by several views has one place.
    pub id: usize,
    /// Name and settings, such as `Filter: amount > 0`.
    pub description: String,
    /// How it is kept true: `linear`, `additive aggregate`, `bilinear`…
    pub class: &'static str,
    /// Views that use it.
    pub shared_by: usize,
    /// Rows it keeps.
    pub state_rows: usize,
    /// Bytes it keeps.
    pub state_bytes: usize,
    /// Rows that came in since the engine started.
    pub rows_in: u64,
    /// Rows that went out since the engine started.
    pub rows_out: u64,
    /// Time spent since the engine started, when the engine is configured to measure it.
    pub time: Option<WorkTime>,
    /// Why it runs its query again with each change, where it does.
    pub recomputes: Option<String>,
    /// Why it stopped, if it did.
    pub failure: Option<String>,
    /// The operators it reads.
    pub inputs: Vec<OperatorReport>,
}

/// The operators of a view, with their state and work. Displays as a tree.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Explain {
    /// Name of the view.
    pub view: String,
    /// The operator whose output the view is.
    pub root: OperatorReport,
    /// Rows kept for snapshots.
    pub snapshot_rows: usize,
    /// Bytes kept for snapshots.
    pub snapshot_bytes: usize,
    /// Why the view stopped, if it did.
    pub failure: Option<String>,
}

impl Explain {
    /// Time taken by the view's operators, where it is measured; a shared operator counts whole. The worst is
    /// that of the one operator that was slowest.
    pub fn time(&self) -> Option<WorkTime> {
        fn visit(report: &OperatorReport, seen: &mut Vec<usize>, sum: &mut WorkTime) -> Option<()> {
            if seen.contains(&report.id) {
                return Some(());
            }
            seen.push(report.id);
            let time = report.time?;
            sum.total += time.total;
            sum.worst = sum.worst.max(time.worst);
            sum.epochs = sum.epochs.max(time.epochs);
            report.inputs.iter().try_for_each(|input| visit(input, seen, sum))
        }
        let mut sum = WorkTime::default();
        visit(&self.root, &mut Vec::new(), &mut sum).map(|()| sum)
    }

    /// Bytes kept by the view's operators and its snapshot; a shared operator counts whole.
    pub fn state_bytes(&self) -> usize {
        fn visit(report: &OperatorReport, seen: &mut Vec<usize>) -> usize {
            if seen.contains(&report.id) {
                return 0;
            }
            seen.push(report.id);
            report.state_bytes + report.inputs.iter().map(|input| visit(input, seen)).sum::<usize>()
        }
        self.snapshot_bytes + visit(&self.root, &mut Vec::new())
    }
}

impl fmt::Display for OperatorReport {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_tree(self, 1, formatter)
    }
}

fn write_tree(
    report: &OperatorReport,
    depth: usize,
    formatter: &mut fmt::Formatter<'_>,
) -> fmt::Result {
    write!(
        formatter,
        "{:indent$}{} [{}]",
        "",
        report.description,
        report.class,
        indent = depth * 2
    )?;
    write!(formatter, " in={} out={}", report.rows_in, report.rows_out)?;
    if report.state_rows > 0 || report.state_bytes > 0 {
        write!(formatter, " state={} rows, {} bytes", report.state_rows, report.state_bytes)?;
    }
    if let Some(time) = report.time.filter(|time| time.epochs > 0) {
        let (total, mean, worst) = (time.total, time.mean(), time.worst);
        write!(
            formatter,
            " time={total:.1?} in {} epochs, mean {mean:.1?}, worst {worst:.1?}",
            time.epochs
        )?;
    }
    if report.shared_by > 1 {
        write!(formatter, " shared by {} views", report.shared_by)?;
    }
    if let Some(reason) = &report.recomputes {
        write!(formatter, " run again with each change because {reason}")?;
    }
    if let Some(failure) = &report.failure {
        write!(formatter, " STOPPED: {failure}")?;
    }
    writeln!(formatter)?;
    report.inputs.iter().try_for_each(|input| write_tree(input, depth + 1, formatter))
}

impl fmt::Display for Explain {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}: {} bytes of state", self.view, self.state_bytes())?;
        write!(
            formatter,
            ", of which snapshot={} rows, {} bytes",
            self.snapshot_rows, self.snapshot_bytes
        )?;
        if let Some(time) = self.time().filter(|time| time.epochs > 0) {
            let (total, mean) = (time.total, time.mean());
            write!(formatter, "; {total:.1?} in {} epochs, {mean:.1?} each", time.epochs)?;
        }
        if let Some(failure) = &self.failure {
            write!(formatter, " STOPPED: {failure}")?;
        }
        writeln!(formatter)?;
        write_tree(&self.root, 1, formatter)
    }
}

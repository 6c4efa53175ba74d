//! The selects of DataFusion's own .slt files as views.
//!
//! Each file's statements run in a session of their own. Every select that reads a table the file made, and
//! whose answer is settled, becomes a view over that table's rows, fed in random epochs. `slt/skipped.txt`,
//! `slt/recomputed.txt` and `slt/wrong.txt` list those that are not kept, not kept incrementally, and not
//! kept right; `slt/expected.toml` counts. The lists must be exact: what gets better is taken off them.

mod files;
mod ledger;
mod parse;
mod query;
mod report;
mod session;
mod standins;

use std::collections::HashMap;
use std::path::Path;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use ledger::Ledger;
use parse::Kind;
use query::{Finding, Verdict};
use session::Session;

/// Every how manieth query the short run tries. A prime, so that it falls on all parts of the files.
const STRIDE: usize = 5;
/// Plans of the files nest deeply.
const STACK_BYTES: usize = 64 << 20;
/// Asks for the lists to be written instead of checked.
const UPDATE: &str = "MILLRACE_SLT_UPDATE";

#[test]
fn selects_of_the_slt_files_are_kept_as_the_lists_say() {
    let is_whole = std::env::var_os("MILLRACE_TEST_LONG").is_some();
    let update = std::env::var_os(UPDATE).is_some();
    let stride = if is_whole || update { 1 } else { STRIDE };
    let findings = findings(stride).expect("the files can be read");
    let text = report::text(&findings);
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join("slt-report.txt");
    std::fs::write(&path, &text).expect("the report is written");
    eprintln!("{text}\nreport: {}", path.display());
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("slt");
    let found = Ledger::of(&findings);
    if update {
        found.write(&folder).expect("the lists are written");
        return;
    }
    let expected = Ledger::read(&folder).expect("the lists can be read");
    let changes = match is_whole {
        true => expected.changes(&found),
        false => expected.changes_in(&findings),
    };
    assert!(
        changes.is_empty(),
        "the outcome is another than the lists in {} say:\n{}\nIf that is meant, write them anew: {UPDATE}=1 \
         cargo t -p millrace-oracle --test it -- slt",
        folder.display(),
        changes.join("\n")
    );
}

/// What became of every `stride`th query, by place. All statements run.
fn findings(stride: usize) -> anyhow::Result<Vec<Finding>> {
    let package = files::package()?;
    let folder = package.join("test_files");
    let files = files::all(&folder)?;
    let standins = standins::write()?;
    let next = AtomicUsize::new(0);
    let findings = Mutex::new(Vec::new());
    let work = || -> anyhow::Result<()> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        while let Some(path) = files.get(next.fetch_add(1, Ordering::Relaxed)) {
            let name = path.strip_prefix(&folder)?.display().to_string();
            let found = runtime.block_on(file(&package, standins.path(), path, &name, stride))?;
            findings.lock().expect("no worker panics").extend(found);
        }
        Ok(())
    };
    std::thread::scope(|scope| {
        let workers = std::thread::available_parallelism().map_or(1, usize::from);
        let workers = (0..workers)
            .map(|_| std::thread::Builder::new().stack_size(STACK_BYTES).spawn_scoped(scope, work));
        let workers = workers.collect::<Result<Vec<_>, _>>()?;
        workers.into_iter().try_for_each(|worker| worker.join().expect("a worker ends"))
    })?;
    let mut findings = findings.into_inner().expect("no worker panics");
    findings.sort_by(|first, second| first.place.cmp(&second.place));
    Ok(findings)
}

async fn file(
    package: &Path,
    standins: &Path,
    path: &Path,
    name: &str,
    stride: usize,
) -> anyhow::Result<Vec<Finding>> {
    let mut session = Session::new(package, standins)?;
    let mut findings = Vec::new();
    let mut seen: HashMap<String, usize> = HashMap::new();
    // Files start at different places, so that short ones are met too.
    let mut turn = name.bytes().map(usize::from).sum::<usize>();
    let spark = name.starts_with("spark/");
    for record in parse::records(path, name)? {
        if record.kind == Kind::Statement {
            session.run(&record.sql).await;
            continue;
        }
        turn += 1;
        // A file that is included again is met again.
        let times = seen.entry(record.place.clone()).or_insert(0);
        *times += 1;
        let place = match times {
            1 => record.place,
            times => format!("{}#{times}", record.place),
        };
        let is_select = session::is_select(&record.sql);
        if let Ok(false) = is_select {
            session.run(&record.sql).await;
        }
        if record.kind == Kind::Failing || !turn.is_multiple_of(stride) {
            continue;
        }
        let verdict = match is_select {
            _ if spark => Verdict::OutOfScope("needs the functions of Spark".to_owned()),
            Ok(true) => query::verdict(&mut session, &record.sql).await,
            Ok(false) => Verdict::OutOfScope("not a select".to_owned()),
            Err(error) => Verdict::OutOfScope(session::head(&error.to_string())),
        };
        findings.push(Finding { place, verdict });
    }
    Ok(findings)
}

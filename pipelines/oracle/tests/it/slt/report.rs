//! The findings in a page of text.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use super::ledger::Counts;
use super::query::{Finding, Verdict};

/// Counts, shares, and each reason with how often and where first.
pub fn text(findings: &[Finding]) -> String {
    let counts = Counts::of(findings);
    let share = |part: usize| part as f64 * 100.0 / counts.in_scope.max(1) as f64;
    let mut text = String::new();
    let lines = [
        format!("queries       {:6}", counts.queries),
        format!("out of scope  {:6}", counts.out_of_scope),
        format!("in scope      {:6}", counts.in_scope),
        format!("incremental   {:6}  {:5.1} %", counts.incremental, share(counts.incremental)),
        format!("recomputed    {:6}  {:5.1} %", counts.recomputed, share(counts.recomputed)),
        format!("skipped       {:6}  {:5.1} %", counts.skipped, share(counts.skipped)),
        format!("wrong         {:6}  {:5.1} %", counts.wrong, share(counts.wrong)),
    ];
    text.push_str(&lines.join("\n"));
    for name in ["skipped", "recomputed", "out of scope"] {
        let mut reasons: BTreeMap<&str, (usize, &str)> = BTreeMap::new();
        for finding in findings {
            if let Some((_, reason)) = reason_of(&finding.verdict).filter(|(list, _)| *list == name)
            {
                reasons.entry(reason).or_insert((0, &finding.place)).0 += 1;
            }
        }
        let mut reasons: Vec<_> = reasons.into_iter().collect();
        reasons.sort_by_key(|(reason, (count, _))| (std::cmp::Reverse(*count), *reason));
        write!(text, "\n\n{name}, by reason").expect("text can be written to");
        for (reason, (count, place)) in reasons {
            write!(text, "\n{count:6}  {reason}  (first: {place})")
                .expect("text can be written to");
        }
    }
    text.push_str("\n\nwrong");
    for finding in findings {
        if let Verdict::Wrong(reason) = &finding.verdict {
            write!(text, "\n{}  {reason}", finding.place).expect("text can be written to");
        }
    }
    text + "\n"
}

/// What a verdict is counted under, and why.
fn reason_of(verdict: &Verdict) -> Option<(&'static str, &str)> {
    match verdict {
        Verdict::Incremental => None,
        Verdict::Skipped(reason) => Some(("skipped", reason)),
        Verdict::Recomputed(reason) => Some(("recomputed", reason)),
        Verdict::Wrong(reason) => Some(("wrong", reason)),
        Verdict::OutOfScope(reason) => Some(("out of scope", reason)),
    }
}

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
    let groups: [(&str, fn(&Verdict) -> Option<&String>); 4] = [
        ("skipped", |verdict| match verdict {
            Verdict::Skipped(reason) => Some(reason),
            _ => None,
        }),
        ("recomputed", |verdict| match verdict {
            Verdict::Recomputed(reason) => Some(reason),
            _ => None,
        }),
        ("wrong", |verdict| match verdict {
            Verdict::Wrong(reason) => Some(reason),
            _ => None,
        }),
        ("out of scope", |verdict| match verdict {
            Verdict::OutOfScope(reason) => Some(reason),
            _ => None,
        }),
    ];
    for (name, reason_of) in groups {
        let mut reasons: BTreeMap<&str, (usize, &str)> = BTreeMap::new();
        for finding in findings {
            if let Some(reason) = reason_of(&finding.verdict) {
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
    text + "\n"
}

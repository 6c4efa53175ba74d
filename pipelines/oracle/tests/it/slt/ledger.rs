//! The lists of what is not kept as it should be, and the counts.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::{Context, Result};
use serde::{Deserialize, Serialize};

use super::query::{Finding, Verdict};

#[derive(Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counts {
    pub queries: usize,
    pub out_of_scope: usize,
    pub in_scope: usize,
    pub incremental: usize,
    pub recomputed: usize,
    pub skipped: usize,
    pub wrong: usize,
}

impl Counts {
    pub fn of(findings: &[Finding]) -> Self {
        let mut counts = Self { queries: findings.len(), ..Self::default() };
        for finding in findings {
            match finding.verdict {
                Verdict::OutOfScope(_) => counts.out_of_scope += 1,
                Verdict::Incremental => counts.incremental += 1,
                Verdict::Recomputed(_) => counts.recomputed += 1,
                Verdict::Skipped(_) => counts.skipped += 1,
                Verdict::Wrong(_) => counts.wrong += 1,
            }
        }
        counts.in_scope = counts.queries - counts.out_of_scope;
        counts
    }
}

/// Places with reasons, by list.
#[derive(Debug, Default)]
pub struct Ledger {
    counts: Counts,
    lists: [BTreeMap<String, String>; 3],
}

const LISTS: [(&str, &str); 3] = [
    ("skipped.txt", "Selects of the .slt files that the engine refuses"),
    ("recomputed.txt", "Selects of the .slt files that are computed again with every change"),
    ("wrong.txt", "Selects of the .slt files whose view was not what batch SQL answers"),
];
const COUNTS: &str = "expected.toml";

/// The list a verdict belongs on, and why.
fn list_of(verdict: &Verdict) -> Option<(usize, &str)> {
    match verdict {
        Verdict::OutOfScope(_) | Verdict::Incremental => None,
        Verdict::Skipped(reason) => Some((0, reason)),
        Verdict::Recomputed(reason) => Some((1, reason)),
        Verdict::Wrong(reason) => Some((2, reason)),
    }
}

fn name_of(list: Option<usize>) -> &'static str {
    list.map_or("no list", |list| LISTS[list].0)
}

impl Ledger {
    pub fn of(findings: &[Finding]) -> Self {
        let mut ledger = Self { counts: Counts::of(findings), ..Self::default() };
        for finding in findings {
            if let Some((list, reason)) = list_of(&finding.verdict) {
                let before = ledger.lists[list].insert(finding.place.clone(), reason.to_owned());
                assert_eq!(before, None, "a place has one query");
            }
        }
        ledger
    }

    pub fn read(folder: &Path) -> Result<Self> {
        let read = |name: &str| {
            let path = folder.join(name);
            std::fs::read_to_string(&path).with_context(|| format!("reading {}", path.display()))
        };
        let mut ledger = Self { counts: toml::from_str(&read(COUNTS)?)?, ..Self::default() };
        for ((name, _), list) in LISTS.iter().zip(&mut ledger.lists) {
            for line in read(name)?.lines().filter(|line| !line.starts_with('#')) {
                let (place, reason) = line.split_once('\t').context("a place, a tab, a reason")?;
                list.insert(place.to_owned(), reason.to_owned());
            }
        }
        Ok(ledger)
    }

    pub fn write(&self, folder: &Path) -> Result<()> {
        std::fs::write(folder.join(COUNTS), toml::to_string(&self.counts)?)?;
        for ((name, about), list) in LISTS.iter().zip(&self.lists) {
            let mut text = format!("# {about}, as file:line and the reason.\n");
            list.iter().for_each(|(place, reason)| text.push_str(&format!("{place}\t{reason}\n")));
            std::fs::write(folder.join(name), text)?;
        }
        Ok(())
    }

    fn list_with(&self, place: &str) -> Option<usize> {
        self.lists.iter().position(|list| list.contains_key(place))
    }

    /// How all that was found differs from this.
    pub fn changes(&self, found: &Self) -> Vec<String> {
        let mut changes = Vec::new();
        if self.counts != found.counts {
            changes.push(format!("{COUNTS} says {:?}, found: {:?}", self.counts, found.counts));
        }
        let places = self.lists.iter().chain(&found.lists).flat_map(BTreeMap::keys);
        let mut places: Vec<&String> = places.collect();
        places.sort();
        places.dedup();
        for place in places {
            let (own, other) = (self.list_with(place), found.list_with(place));
            if own != other {
                let reason = other.and_then(|list| found.lists[list].get(place));
                changes.push(change(place, own, other, reason.map_or("", String::as_str)));
            }
        }
        changes
    }

    /// How some findings differ from this.
    pub fn changes_in(&self, findings: &[Finding]) -> Vec<String> {
        let mut changes = Vec::new();
        for Finding { place, verdict } in findings {
            let (own, other) = (self.list_with(place), list_of(verdict));
            if own != other.map(|(list, _)| list) {
                let (list, reason) =
                    (other.map(|(list, _)| list), other.map_or("", |(_, reason)| reason));
                changes.push(change(place, own, list, reason));
            }
        }
        changes
    }
}

fn change(place: &str, own: Option<usize>, found: Option<usize>, reason: &str) -> String {
    format!("{place} is on {}, belongs on {}: {reason}", name_of(own), name_of(found))
}

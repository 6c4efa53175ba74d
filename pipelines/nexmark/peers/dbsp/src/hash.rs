//! The hash of a row, as `millrace_nexmark::Fingerprint` defines it.

use dbsp::algebra::F64;

const SEED: u64 = 0x9e37_79b9_7f4a_7c15;
const NULL: u64 = 0x6e75_6c6c;
const MULTIPLIER: u64 = 0x9fb2_1c65_1e98_df25;
const FINISHER: u64 = 0xbf58_476d_1ce4_e5b9;

/// A row under way.
pub struct RowHash(u64);

impl RowHash {
    pub fn new() -> Self {
        Self(SEED)
    }

    fn word(&mut self, word: u64) {
        let hash = (self.0 ^ word).wrapping_mul(MULTIPLIER);
        self.0 = hash ^ (hash >> 32);
    }

    pub fn finish(self) -> u64 {
        let hash = self.0.wrapping_mul(FINISHER);
        hash ^ (hash >> 29)
    }
}

/// A value that a row's hash can take in.
pub trait Column {
    fn absorb(&self, hash: &mut RowHash);
}

impl Column for i64 {
    fn absorb(&self, hash: &mut RowHash) {
        hash.word(*self as u64);
    }
}

impl Column for F64 {
    fn absorb(&self, hash: &mut RowHash) {
        hash.word(self.into_inner().to_bits());
    }
}

impl Column for str {
    fn absorb(&self, hash: &mut RowHash) {
        hash.word(self.len() as u64);
        let mut words = self.as_bytes().chunks_exact(8);
        for word in &mut words {
            hash.word(u64::from_le_bytes(word.try_into().expect("chunks of eight")));
        }
        if !words.remainder().is_empty() {
            let mut last = [0; 8];
            last[..words.remainder().len()].copy_from_slice(words.remainder());
            hash.word(u64::from_le_bytes(last));
        }
    }
}

impl Column for String {
    fn absorb(&self, hash: &mut RowHash) {
        self.as_str().absorb(hash);
    }
}

impl<T: Column + ?Sized> Column for &T {
    fn absorb(&self, hash: &mut RowHash) {
        (**self).absorb(hash);
    }
}

impl<T: Column> Column for Option<T> {
    fn absorb(&self, hash: &mut RowHash) {
        match self {
            Some(value) => value.absorb(hash),
            None => hash.word(NULL),
        }
    }
}

/// Takes in columns one after the other.
macro_rules! absorb {
    ($hash:expr, $($column:expr),+ $(,)?) => {{ $($crate::hash::Column::absorb(&$column, $hash);)+ }};
}
pub(crate) use absorb;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_rows_have_known_hashes() {
        let known: Vec<&str> = include_str!("../../../tests/fingerprints.tsv").lines().collect();
        assert_eq!(known.len(), 14);
        for line in known {
            let (expected, columns) = line.split_once('\t').unwrap();
            let mut hash = RowHash::new();
            for column in columns.split('\t') {
                let (kind, value) = column.split_once(' ').unwrap_or((column, ""));
                match kind {
                    "integer" => value.parse::<i64>().unwrap().absorb(&mut hash),
                    "float" => F64::new(value.parse().unwrap()).absorb(&mut hash),
                    "text" => value.absorb(&mut hash),
                    _ => None::<i64>.absorb(&mut hash),
                }
            }
            assert_eq!(format!("{:016x}", hash.finish()), expected, "{columns}");
        }
    }
}

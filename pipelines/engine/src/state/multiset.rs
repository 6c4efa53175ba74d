//! Values in order, each with how often it is there.

use std::borrow::Borrow;
use std::collections::BTreeMap;

/// As many different values stand in one sorted vector; more are kept in a tree.
const FEW_MAX: usize = 64;

/// Values in order with their counts. A count may be negative as long as an epoch lasts, since its rows come
/// and go in any order; such a value is not there.
#[derive(Debug)]
pub(crate) enum Multiset<K> {
    Few(Vec<(K, i64)>),
    Many(BTreeMap<K, i64>),
}

impl<K> Default for Multiset<K> {
    fn default() -> Self {
        Self::Few(Vec::new())
    }
}

impl<K: Ord> Multiset<K> {
    /// Counts `key` up or down; `own` makes it a value to keep when it is new. Gives the key when it went.
    pub fn add<Q>(&mut self, key: &Q, weight: i64, own: impl FnOnce(&Q) -> K) -> Change<K>
    where
        K: Borrow<Q>,
        Q: Ord + ?Sized,
    {
        match self {
            Self::Few(few) => match few.binary_search_by(|(other, _)| other.borrow().cmp(key)) {
                Ok(place) => {
                    few[place].1 += weight;
                    if few[place].1 == 0 { Change::Gone(few.remove(place).0) } else { Change::Same }
                }
                Err(place) => {
                    few.insert(place, (own(key), weight));
                    if few.len() > FEW_MAX {
                        *self = Self::Many(std::mem::take(few).into_iter().collect());
                    }
                    Change::New
                }
            },
            Self::Many(many) => {
                if let Some(count) = many.get_mut(key) {
                    *count += weight;
                    if *count != 0 {
                        return Change::Same;
                    }
                    let gone = many.remove_entry(key).expect("invariant: found above").0;
                    if many.is_empty() {
                        *self = Self::default();
                    }
                    return Change::Gone(gone);
                }
                many.insert(own(key), weight);
                Change::New
            }
        }
    }

    /// The first value.
    pub fn first(&self) -> Option<&K> {
        match self {
            Self::Few(few) => few.iter().find(|(_, count)| *count > 0).map(|(key, _)| key),
            Self::Many(many) => many.iter().find(|(_, count)| **count > 0).map(|(key, _)| key),
        }
    }

    /// The last value.
    pub fn last(&self) -> Option<&K> {
        match self {
            Self::Few(few) => few.iter().rfind(|(_, count)| *count > 0).map(|(key, _)| key),
            Self::Many(many) => many.iter().rfind(|(_, count)| **count > 0).map(|(key, _)| key),
        }
    }

    /// Values with their counts, in order.
    pub fn iter(&self) -> Box<dyn Iterator<Item = (&K, i64)> + '_> {
        match self {
            Self::Few(few) => Box::new(few.iter().map(|(key, count)| (key, *count))),
            Self::Many(many) => Box::new(many.iter().map(|(key, count)| (key, *count))),
        }
    }

    /// Different values kept.
    pub fn len(&self) -> usize {
        match self {
            Self::Few(few) => few.len(),
            Self::Many(many) => many.len(),
        }
    }
}

/// What became of a value.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Change<K> {
    New,
    Same,
    Gone(K),
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn few_and_many_values_stay_in_order() {
        let mut set: Multiset<i64> = Multiset::default();
        let mut add = |key: i64, weight| set.add(&key, weight, |key| *key);
        for key in (0..200).rev() {
            assert_eq!(add(key * 7 % 200, 1), Change::New);
        }
        assert_eq!(add(5, 1), Change::Same);
        for key in (0..200).filter(|key| *key != 5) {
            assert_eq!(add(key, -1), Change::Gone(key));
        }
        assert_eq!(add(900, -1), Change::New, "a value may go before it comes");
        assert_eq!((set.first(), set.last(), set.len()), (Some(&5), Some(&5), 2));
        assert_eq!(set.add(&900, 1, |key| *key), Change::Gone(900));
        assert_eq!(set.add(&5, -2, |key| *key), Change::Gone(5));
        assert!(matches!(set, Multiset::Few(_)) && set.first().is_none());
    }
}

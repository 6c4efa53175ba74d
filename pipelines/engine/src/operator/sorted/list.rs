//! Entries of one group in order.

use crate::state::EntryId;

/// Entries of a block, at most: a longer one is cut in two.
const BLOCK_MAX: usize = 512;

/// Entries in an order that the caller knows. Most groups are small, so one entry takes no memory of its own,
/// and a long list is cut in blocks, so that adding in the middle moves few.
#[derive(Debug)]
pub(crate) enum EntryList {
    One(EntryId),
    Block(Vec<EntryId>),
    Blocks(Box<Blocks>),
}

#[derive(Debug)]
pub(crate) struct Blocks {
    /// None of them is empty.
    blocks: Vec<Vec<EntryId>>,
    len: usize,
}

/// Where in a list an entry stands: block and place in it.
pub(crate) type Place = (usize, usize);

impl Default for EntryList {
    fn default() -> Self {
        Self::Block(Vec::new())
    }
}

impl EntryList {
    pub fn len(&self) -> usize {
        match self {
            Self::One(_) => 1,
            Self::Block(block) => block.len(),
            Self::Blocks(blocks) => blocks.len,
        }
    }

    fn block(&self, at: usize) -> &[EntryId] {
        match self {
            Self::One(entry) => std::slice::from_ref(entry),
            Self::Block(block) => block,
            Self::Blocks(blocks) => &blocks.blocks[at],
        }
    }

    fn block_count(&self) -> usize {
        match self {
            Self::One(_) | Self::Block(_) => 1,
            Self::Blocks(blocks) => blocks.blocks.len(),
        }
    }

    /// The place of the first entry that does not stand before what is looked for.
    pub fn partition_point(&self, is_before: impl Fn(EntryId) -> bool) -> Place {
        let block = match self {
            Self::One(_) | Self::Block(_) => 0,
            Self::Blocks(blocks) => {
                let is_before = |block: &Vec<EntryId>| is_before(block[block.len() - 1]);
                blocks.blocks.partition_point(is_before).min(blocks.blocks.len() - 1)
            }
        };
        (block, self.block(block).partition_point(|entry| is_before(*entry)))
    }

    /// How many entries stand before a place.
    pub fn count_before(&self, (block, at): Place) -> usize {
        (0..block).map(|block| self.block(block).len()).sum::<usize>() + at
    }

    /// The place with `count` entries before it.
    pub fn place_of(&self, count: usize) -> Place {
        let (mut block, mut at) = (0, count);
        while block + 1 < self.block_count() && at > self.block(block).len() {
            at -= self.block(block).len();
            block += 1;
        }
        (block, at)
    }

    /// The entry at a place; `None` at the end.
    pub fn get(&self, (block, at): Place) -> Option<EntryId> {
        self.block(block).get(at).copied()
    }

    /// The entry with `count` others before it.
    pub fn nth(&self, count: usize) -> Option<EntryId> {
        match self {
            Self::One(_) | Self::Block(_) => self.block(0).get(count).copied(),
            Self::Blocks(_) => self.iter().nth(count),
        }
    }

    pub fn iter(&self) -> impl Iterator<Item = EntryId> {
        self.from((0, 0))
    }

    /// Entries from a place on.
    pub fn from(&self, (block, at): Place) -> impl Iterator<Item = EntryId> {
        let first = &self.block(block)[at..];
        let others = (block + 1..self.block_count()).flat_map(|block| self.block(block));
        first.iter().chain(others).copied()
    }

    /// Entries before a place, the nearest first.
    pub fn before(&self, (block, at): Place) -> impl Iterator<Item = EntryId> {
        let first = self.block(block)[..at].iter().rev();
        let others = (0..block).rev().flat_map(|block| self.block(block).iter().rev());
        first.chain(others).copied()
    }

    /// Puts an entry at a place.
    pub fn insert(&mut self, (block, at): Place, entry: EntryId) {
        match self {
            Self::One(other) => {
                let other = *other;
                let pair = if at == 0 { vec![entry, other] } else { vec![other, entry] };
                *self = Self::Block(pair);
            }
            Self::Block(entries) if entries.is_empty() => *self = Self::One(entry),
            Self::Block(entries) => {
                entries.insert(at, entry);
                if entries.len() > BLOCK_MAX {
                    let mut blocks =
                        Blocks { len: entries.len(), blocks: vec![std::mem::take(entries)] };
                    blocks.cut(0);
                    *self = Self::Blocks(Box::new(blocks));
                }
            }
            Self::Blocks(blocks) => {
                blocks.blocks[block].insert(at, entry);
                blocks.len += 1;
                blocks.cut(block);
            }
        }
    }

    /// Takes out the entry at a place.
    pub fn remove(&mut self, (block, at): Place) {
        match self {
            Self::One(_) => *self = Self::default(),
            Self::Block(entries) => {
                entries.remove(at);
            }
            Self::Blocks(blocks) => {
                blocks.blocks[block].remove(at);
                blocks.len -= 1;
                if blocks.blocks[block].is_empty() {
                    blocks.blocks.remove(block);
                }
                if blocks.len == 0 {
                    *self = Self::default();
                }
            }
        }
    }

    /// Takes all entries behind the first `count` out and puts them in `gone`.
    pub fn truncate(&mut self, count: usize, gone: &mut Vec<EntryId>) {
        if self.len() <= count {
            return;
        }
        if let Self::Block(entries) = self {
            gone.extend(entries.drain(count..));
            if let [entry] = entries.as_slice() {
                *self = Self::One(*entry);
            }
            return;
        }
        gone.extend(self.iter().skip(count));
        let kept: Vec<EntryId> = self.iter().take(count).collect();
        *self = Self::default();
        kept.into_iter().for_each(|entry| self.push(entry));
    }

    fn push(&mut self, entry: EntryId) {
        let block = self.block_count() - 1;
        self.insert((block, self.block(block).len()), entry);
    }
}

impl Blocks {
    /// Cuts a block in two when it has become too long. One that grows at its end is cut near there, so that
    /// blocks filled in order are full.
    fn cut(&mut self, block: usize) {
        let length = self.blocks[block].len();
        if length > BLOCK_MAX {
            let is_last = block + 1 == self.blocks.len();
            let rest = self.blocks[block].split_off(if is_last { length - 1 } else { length / 2 });
            self.blocks.insert(block + 1, rest);
        }
    }
}

#[cfg(test)]
mod tests {
    use rand::{Rng, SeedableRng};
    use rand_chacha::ChaCha8Rng;

    use super::*;

    #[test]
    fn it_is_a_sorted_vector() {
        let mut random = ChaCha8Rng::seed_from_u64(11);
        for size in [3_u32, 40, 5000] {
            let (mut list, mut sorted) = (EntryList::default(), Vec::new());
            for step in 0..size * 4 {
                let entry = random.random_range(0..size * 10);
                let place = list.partition_point(|other| other < entry);
                let at = sorted.partition_point(|other| *other < entry);
                assert_eq!(list.count_before(place), at);
                assert_eq!(list.get(place), sorted.get(at).copied());
                if random.random_bool(if step < size * 2 { 0.8 } else { 0.2 }) {
                    list.insert(place, entry);
                    sorted.insert(at, entry);
                } else if at < sorted.len() {
                    list.remove(place);
                    sorted.remove(at);
                }
                assert_eq!(list.len(), sorted.len());
                if step % 97 == 0 {
                    let place = list.partition_point(|other| other < entry);
                    let at = sorted.partition_point(|other| *other < entry);
                    assert!(list.iter().eq(sorted.iter().copied()));
                    assert!(list.from(place).eq(sorted[at..].iter().copied()));
                    assert!(list.before(place).eq(sorted[..at].iter().rev().copied()));
                    assert_eq!(list.nth(at), sorted.get(at).copied());
                }
            }
            let mut gone = Vec::new();
            for count in [sorted.len() / 2, 2, 1] {
                list.truncate(count, &mut gone);
                assert!(list.iter().eq(sorted.iter().take(count).copied()));
                let kept = count.min(sorted.len());
                assert!(gone.drain(..).eq(sorted.drain(kept..)));
            }
        }
    }
}

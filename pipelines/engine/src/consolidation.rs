//! Which changes hold no row together with its opposite, so that there is nothing to sum up.
//!
//! What is known is a set of columns on which no row that comes equals one that goes. It passes through
//! operators that keep those columns, and through a join when only one of its sides has changed.

/// Columns on which no row of an epoch's change that comes equals one that goes. Without rows that go, the
/// empty set is one.
pub(crate) type DistinctOn = Option<Vec<usize>>;

/// How what is known of a node's change follows from its inputs.
#[derive(Debug, Clone)]
pub(crate) enum Consolidation {
    /// Nothing is known.
    Unknown,
    /// The node sums up what it gives.
    Always,
    /// Each row comes from one row of the input, whose columns stand at these places of the output.
    Kept(Vec<Option<usize>>),
    /// Rows of all inputs one after the other.
    Union,
    /// Left columns and then right columns of rows that match; `adds_alone` tells of each side whether its
    /// rows are also given out alone, which changes of the other side decide.
    Pairs { left_width: usize, adds_alone: [bool; 2] },
    /// Rows of one side of a join, which changes of the other side only choose or mark.
    Chosen { side: usize },
}

/// What is known of one input's change.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Known<'a> {
    pub is_empty: bool,
    pub distinct_on: Option<&'a [usize]>,
}

impl Consolidation {
    /// Columns kept in place, as by a filter.
    pub fn kept(width: usize) -> Self {
        Self::Kept((0..width).map(Some).collect())
    }

    /// Where an input column stands in the output of a node that looks at one row at a time.
    pub fn place_of(&self, column: usize) -> Option<usize> {
        match self {
            Self::Kept(places) => places.get(column).copied().flatten(),
            Self::Union => Some(column),
            Self::Unknown | Self::Always | Self::Pairs { .. } | Self::Chosen { .. } => None,
        }
    }

    /// What is known of the change of a node with `width` columns.
    pub fn distinct_on(&self, width: usize, inputs: &[Known<'_>]) -> DistinctOn {
        match self {
            Self::Unknown => None,
            Self::Always => Some((0..width).collect()),
            Self::Kept(places) => {
                let columns = inputs.first()?.distinct_on?.iter();
                columns.map(|column| places.get(*column).copied().flatten()).collect()
            }
            Self::Union => only_changed(inputs)?.1.distinct_on.map(<[usize]>::to_vec),
            Self::Pairs { left_width, adds_alone } => {
                let (side, known) = only_changed(inputs)?;
                if adds_alone[1 - side] {
                    return None;
                }
                let first = if side == 0 { 0 } else { *left_width };
                Some(known.distinct_on?.iter().map(|column| first + column).collect())
            }
            Self::Chosen { side } => match only_changed(inputs)? {
                (changed, known) if changed == *side => known.distinct_on.map(<[usize]>::to_vec),
                // Equal rows have as many matches: they come, go or change their mark together.
                _ => Some((0..width).collect()),
            },
        }
    }
}

/// The only input that has changed.
fn only_changed<'a>(inputs: &[Known<'a>]) -> Option<(usize, Known<'a>)> {
    let mut changed = inputs.iter().enumerate().filter(|(_, input)| !input.is_empty);
    let (index, known) = changed.next()?;
    changed.next().is_none().then_some((index, *known))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn known(columns: Option<&[usize]>) -> Known<'_> {
        Known { is_empty: false, distinct_on: columns }
    }

    const UNCHANGED: Known<'_> = Known { is_empty: true, distinct_on: None };

    #[test]
    fn a_column_that_is_dropped_takes_the_knowledge_with_it() {
        let keeps = Consolidation::Kept(vec![Some(1), None, Some(0)]);
        assert_eq!(keeps.distinct_on(2, &[known(Some(&[0, 2]))]), Some(vec![1, 0]));
        assert_eq!(keeps.distinct_on(2, &[known(Some(&[0, 1]))]), None);
        assert_eq!(keeps.distinct_on(2, &[known(Some(&[]))]), Some(vec![]));
        assert_eq!(keeps.distinct_on(2, &[known(None)]), None);
    }

    #[test]
    fn rows_that_the_other_side_chooses_come_or_go() {
        let semi = Consolidation::Chosen { side: 0 };
        assert_eq!(semi.distinct_on(2, &[known(Some(&[1])), UNCHANGED]), Some(vec![1]));
        assert_eq!(semi.distinct_on(2, &[UNCHANGED, known(None)]), Some(vec![0, 1]));
        assert_eq!(semi.distinct_on(2, &[known(Some(&[1])), known(Some(&[1]))]), None);
    }

    #[test]
    fn a_join_keeps_it_while_one_side_changes_and_decides_nothing_of_the_other() {
        let left_join = Consolidation::Pairs { left_width: 3, adds_alone: [true, false] };
        assert_eq!(left_join.distinct_on(5, &[known(Some(&[2])), UNCHANGED]), Some(vec![2]));
        assert_eq!(left_join.distinct_on(5, &[UNCHANGED, known(Some(&[1]))]), None);
        assert_eq!(left_join.distinct_on(5, &[known(Some(&[2])), known(Some(&[1]))]), None);
        let inner = Consolidation::Pairs { left_width: 3, adds_alone: [false, false] };
        assert_eq!(inner.distinct_on(5, &[UNCHANGED, known(Some(&[1]))]), Some(vec![4]));
    }
}

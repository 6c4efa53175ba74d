//! Which worker holds which rows, and where rows have to be for a node to work on them.
//!
//! Every worker has an operator for each node and the share of its state that belongs to the keys of that
//! worker. A node that groups or matches rows needs those with equal keys at one worker; where its inputs are
//! not spread that way, rows are exchanged in front of it.

use std::sync::Arc;

use datafusion::physical_expr::PhysicalExpr;
use datafusion::physical_expr::expressions::Column;

/// Expressions over the rows of one input.
pub(crate) type Keys = Vec<Arc<dyn PhysicalExpr>>;

/// Where a node needs the rows of its inputs.
#[derive(Debug, Clone)]
pub(crate) enum Placement {
    /// At any worker: each row is looked at alone.
    Anywhere,
    /// Rows with equal keys at one worker.
    ByKey {
        /// The keys of each input, of equal number and types.
        keys: Vec<Keys>,
        /// The output column that holds each key, where there is one.
        outputs: Vec<Option<usize>>,
    },
    /// Each row of the first input, of so many columns, always at the same worker; all rows of the second at
    /// every worker.
    Beside { columns: usize },
    /// All at the first worker.
    Together,
}

impl Placement {
    /// For a node with one input whose rows with equal values in `columns`, at least one, must meet.
    pub fn by_columns(
        columns: impl IntoIterator<Item = usize>,
        outputs: Vec<Option<usize>>,
    ) -> Self {
        let column = |place: usize| Arc::new(Column::new("", place)) as _;
        Self::ByKey { keys: vec![columns.into_iter().map(column).collect()], outputs }
    }

    /// For a node that has groups by the `keys` of each input, whose values are the first columns of its output.
    pub fn by_group(keys: &[Keys]) -> Self {
        match keys[0].len() {
            0 => Self::Together,
            width => Self::ByKey { keys: keys.to_vec(), outputs: (0..width).map(Some).collect() },
        }
    }
}

/// How the rows a node gives lie with the workers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Spread {
    Unknown,
    /// By the values of these columns.
    By(Vec<usize>),
    /// All with the first worker.
    First,
}

/// Which worker keeps what of a node's state.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Owner {
    /// The first keeps all.
    First,
    /// The one that some of the state's key columns decide.
    ByKey(Vec<usize>),
    /// Of rows of the first input the one that some of their columns decide, of other rows every one.
    Beside(Vec<usize>),
    /// Any: the whole key decides when the number of workers changes.
    Any,
}

/// How the rows of one input get to where a node needs them.
#[derive(Debug, Clone)]
pub(crate) enum Need {
    Stay,
    ByKey(Keys),
    First,
    Everywhere,
}

/// What a placement comes to over inputs that are spread as they are.
pub(crate) struct Place {
    pub needs: Vec<Need>,
    pub spread: Spread,
    pub owner: Owner,
}

/// Works out a node's place; `kept` tells for each input column where it stands in the output of a node that
/// looks at one row at a time.
pub(crate) fn place(
    placement: &Placement,
    inputs: &[&Spread],
    kept: impl Fn(usize) -> Option<usize>,
) -> Place {
    let stay = || vec![Need::Stay; inputs.len()];
    let are_first = inputs.iter().all(|spread| **spread == Spread::First);
    match placement {
        Placement::Anywhere if inputs.is_empty() => {
            Place { needs: stay(), spread: Spread::Unknown, owner: Owner::Any }
        }
        Placement::Together => Place {
            needs: inputs
                .iter()
                .map(|spread| if **spread == Spread::First { Need::Stay } else { Need::First })
                .collect(),
            spread: Spread::First,
            owner: Owner::First,
        },
        _ if are_first && !inputs.is_empty() => {
            Place { needs: stay(), spread: Spread::First, owner: Owner::First }
        }
        Placement::Anywhere => {
            let spreads: Vec<Spread> =
                inputs.iter().map(|spread| passed_on(spread, &kept)).collect();
            let is_common = spreads.windows(2).all(|pair| pair[0] == pair[1]);
            let spread = if is_common { spreads[0].clone() } else { Spread::Unknown };
            Place { needs: stay(), spread, owner: Owner::Any }
        }
        Placement::Beside { columns } => beside(*columns, inputs),
        Placement::ByKey { keys, outputs } => by_key(keys, outputs, inputs),
    }
}

fn beside(columns: usize, inputs: &[&Spread]) -> Place {
    let (need, decisive) = match inputs.first() {
        Some(Spread::First) => {
            let needs = vec![Need::Stay, Need::First];
            return Place { needs, spread: Spread::First, owner: Owner::First };
        }
        Some(Spread::By(columns)) => (Need::Stay, columns.clone()),
        Some(Spread::Unknown) | None => {
            let column = |place: usize| Arc::new(Column::new("", place)) as _;
            (Need::ByKey((0..columns).map(column).collect()), (0..columns).collect())
        }
    };
    Place {
        needs: vec![need, Need::Everywhere],
        spread: Spread::By(decisive.clone()),
        owner: Owner::Beside(decisive),
    }
}

fn passed_on(spread: &Spread, kept: &impl Fn(usize) -> Option<usize>) -> Spread {
    match spread {
        Spread::By(columns) => match columns.iter().map(|column| kept(*column)).collect() {
            Some(columns) => Spread::By(columns),
            None => Spread::Unknown,
        },
        // Rows of the first worker stay there, whatever becomes of them.
        other => other.clone(),
    }
}

fn by_key(keys: &[Keys], outputs: &[Option<usize>], inputs: &[&Spread]) -> Place {
    // Rows spread by some of the keys alone have met already: equal keys are equal in a part of them too.
    let part = |input: usize| -> Option<Vec<usize>> {
        let columns = match inputs.get(input) {
            Some(Spread::By(columns)) if !columns.is_empty() => columns,
            _ => return None,
        };
        let place = |column: &usize| {
            let is_it = |key: &Arc<dyn PhysicalExpr>| {
                key.downcast_ref::<Column>().is_some_and(|key| key.index() == *column)
            };
            keys[input].iter().position(is_it)
        };
        columns.iter().map(place).collect()
    };
    let whole = || (0..outputs.len()).collect();
    let decisive: Vec<usize> = (0..keys.len()).find_map(part).unwrap_or_else(whole);
    let need = |input: usize| match part(input) {
        Some(part) if part == decisive => Need::Stay,
        _ => Need::ByKey(decisive.iter().map(|at| Arc::clone(&keys[input][*at])).collect()),
    };
    let spread = match decisive.iter().map(|at| outputs[*at]).collect() {
        Some(columns) => Spread::By(columns),
        None => Spread::Unknown,
    };
    Place { needs: (0..keys.len()).map(need).collect(), spread, owner: Owner::ByKey(decisive) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn columns(places: &[usize]) -> Keys {
        places.iter().map(|place| Arc::new(Column::new("", *place)) as _).collect()
    }

    fn describe(place: &Place) -> Vec<String> {
        let need = |need: &Need| match need {
            Need::Stay => "stay".to_owned(),
            Need::First => "first".to_owned(),
            Need::Everywhere => "everywhere".to_owned(),
            Need::ByKey(keys) => keys.iter().map(ToString::to_string).collect::<Vec<_>>().join(","),
        };
        place.needs.iter().map(need).collect()
    }

    #[test]
    fn rows_that_have_met_by_a_part_of_the_key_stay() {
        let group =
            Placement::ByKey { keys: vec![columns(&[3, 1])], outputs: vec![Some(0), Some(1)] };
        let placed = place(&group, &[&Spread::By(vec![1])], |_| None);
        assert_eq!(describe(&placed), ["stay"]);
        assert_eq!(placed.spread, Spread::By(vec![1]));
        assert_eq!(placed.owner, Owner::ByKey(vec![1]));
        let placed = place(&group, &[&Spread::By(vec![2])], |_| None);
        assert_eq!(describe(&placed), ["@3,@1"]);
        assert_eq!(placed.spread, Spread::By(vec![0, 1]));
    }

    #[test]
    fn the_other_side_of_a_join_follows_the_one_that_stays() {
        let join = Placement::ByKey {
            keys: vec![columns(&[0, 1]), columns(&[5, 4])],
            outputs: vec![Some(0), None],
        };
        let placed = place(&join, &[&Spread::By(vec![1]), &Spread::Unknown], |_| None);
        assert_eq!(describe(&placed), ["stay", "@4"]);
        assert_eq!(placed.spread, Spread::Unknown);
        let placed = place(&join, &[&Spread::Unknown, &Spread::By(vec![5])], |_| None);
        assert_eq!(describe(&placed), ["@0", "stay"]);
        assert_eq!(placed.spread, Spread::By(vec![0]));
    }

    #[test]
    fn what_is_all_with_the_first_worker_stays_there() {
        let group = Placement::ByKey { keys: vec![columns(&[0])], outputs: vec![Some(0)] };
        let placed = place(&group, &[&Spread::First], |_| None);
        assert_eq!((describe(&placed), placed.owner), (vec!["stay".to_owned()], Owner::First));
        let placed = place(&Placement::Together, &[&Spread::By(vec![0]), &Spread::First], |_| None);
        assert_eq!(describe(&placed), ["first", "stay"]);
    }

    #[test]
    fn rows_beside_a_value_stay_or_get_a_worker_of_their_own() {
        let beside = Placement::Beside { columns: 2 };
        let placed = place(&beside, &[&Spread::By(vec![1]), &Spread::First], |_| None);
        assert_eq!(describe(&placed), ["stay", "everywhere"]);
        assert_eq!(placed.owner, Owner::Beside(vec![1]));
        let placed = place(&beside, &[&Spread::Unknown, &Spread::First], |_| None);
        assert_eq!(describe(&placed), ["@0,@1", "everywhere"]);
        let placed = place(&beside, &[&Spread::First, &Spread::Unknown], |_| None);
        assert_eq!(describe(&placed), ["stay", "first"]);
    }

    #[test]
    fn a_column_that_is_dropped_takes_the_spread_with_it() {
        let placed =
            place(&Placement::Anywhere, &[&Spread::By(vec![2, 0])], |column| Some(column + 1));
        assert_eq!(placed.spread, Spread::By(vec![3, 1]));
        let placed = place(&Placement::Anywhere, &[&Spread::By(vec![2])], |_| None);
        assert_eq!(placed.spread, Spread::Unknown);
    }
}

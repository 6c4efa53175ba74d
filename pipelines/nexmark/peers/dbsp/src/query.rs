//! The queries, by the operators that dbsp has for them. Rows only come, which some use.

mod aggregate;
mod join;
mod linear;
mod top;
mod window;

use anyhow::{Result, bail};
use dbsp::utils::Tup2;
use dbsp::{
    DBData, IndexedZSetReader, OrdIndexedZSet, OrdZSet, RootCircuit, Stream, ZSetHandle, ZWeight,
};

use crate::event::{Auction, Bid, Person};
use crate::hash::RowHash;

/// Rows of the table that q13 joins with.
const SIDE_ROWS: i64 = 10_000;

type Indexed<K, V> = Stream<RootCircuit, OrdIndexedZSet<K, V>>;
type Plain<K> = Stream<RootCircuit, OrdZSet<K>>;

/// The tables of the auction house.
pub struct Tables {
    persons: Plain<Person>,
    auctions: Plain<Auction>,
    bids: Plain<Bid>,
    side: Plain<Tup2<i64, String>>,
}

/// Ways into a circuit, and the way out.
pub struct Handles {
    pub persons: ZSetHandle<Person>,
    pub auctions: ZSetHandle<Auction>,
    pub bids: ZSetHandle<Bid>,
    pub side: ZSetHandle<Tup2<i64, String>>,
    pub results: Results,
}

impl Handles {
    /// Feeds the table that q13 joins with.
    pub fn feed_side(&self) {
        let row = |key: i64| Tup2(Tup2(key, key.to_string()), 1);
        self.side.append(&mut (0..SIDE_ROWS).map(row).collect());
    }
}

/// Hashes what the last transaction changed: the sum of the rows' hashes times their weights.
pub type Results = Box<dyn Fn() -> u64 + Send>;

/// Makes the circuit of the query called `name`.
pub fn build(circuit: &mut RootCircuit, name: &str) -> Result<Handles> {
    let (persons, persons_in) = circuit.add_input_zset();
    let (auctions, auctions_in) = circuit.add_input_zset();
    let (bids, bids_in) = circuit.add_input_zset();
    let (side, side_in) = circuit.add_input_zset();
    let tables = Tables { persons, auctions, bids, side };
    let query = match name {
        "q0" => linear::q0,
        "q1" => linear::q1,
        "q2" => linear::q2,
        "q3" => join::q3,
        "q4" => join::q4,
        "q5" => window::q5,
        "q7" => window::q7,
        "q8" => window::q8,
        "q9" => top::q9,
        "q11" => window::q11,
        "q13" => join::q13,
        "q14" => linear::q14,
        "q15" => aggregate::q15,
        "q16" => aggregate::q16,
        "q17" => aggregate::q17,
        "q18" => top::q18,
        "q19" => top::q19,
        "q20" => join::q20,
        "q21" => linear::q21,
        "q22" => linear::q22,
        other => bail!("no query is called {other}"),
    };
    let results = query(&tables);
    Ok(Handles {
        persons: persons_in,
        auctions: auctions_in,
        bids: bids_in,
        side: side_in,
        results,
    })
}

/// Gives a stream out, its columns as `columns` names them.
fn results<K: DBData, V: DBData>(
    stream: &Indexed<K, V>,
    columns: fn(&K, &V, &mut RowHash),
) -> Results {
    let output = stream.accumulate_output();
    Box::new(move || {
        output.concat().iter().fold(0, |sum, (key, value, weight): (K, V, ZWeight)| {
            let mut hash = RowHash::new();
            columns(&key, &value, &mut hash);
            sum_of(sum, hash, weight)
        })
    })
}

/// The same for a stream without keys.
fn rows<K: DBData>(stream: &Plain<K>, columns: fn(&K, &mut RowHash)) -> Results {
    let output = stream.accumulate_output();
    Box::new(move || {
        output.concat().iter().fold(0, |sum, (row, (), weight): (K, (), ZWeight)| {
            let mut hash = RowHash::new();
            columns(&row, &mut hash);
            sum_of(sum, hash, weight)
        })
    })
}

fn sum_of(sum: u64, hash: RowHash, weight: ZWeight) -> u64 {
    sum.wrapping_add(hash.finish().wrapping_mul(weight as u64))
}

//! How a table comes to hold its rows: random epochs in which rows come, go and are put right.

use std::sync::Arc;

use arrow::array::{RecordBatch, RecordBatchOptions, UInt32Array};
use arrow::compute::take;
use millrace_engine::Delta;
use rand::Rng;
use rand::seq::SliceRandom;
use rand_chacha::ChaCha8Rng;

use crate::{Result, Table};

/// A row of the pool that comes (+1) or goes (−1).
#[derive(Debug, Clone, Copy)]
struct Motion {
    row: u32,
    weight: i64,
    /// Whether the engine is told; it is not told of the old row where an upsert replaces it.
    is_told: bool,
}

/// What happens to one table.
#[derive(Debug)]
pub(crate) struct TableScript {
    /// Every row that ever is there: the final ones, then those that leave again.
    pool: RecordBatch,
    epochs: Vec<Vec<Motion>>,
    /// How often each row of the pool is there after the epochs played so far.
    counts: Vec<i64>,
}

/// Rows of the pool that are not final, as the place in the table each value is taken from; `None` is null.
struct Strays {
    sources: Vec<Vec<Option<u32>>>,
    first: u32,
}

impl Strays {
    fn push(&mut self, sources: Vec<Option<u32>>) -> u32 {
        self.sources.push(sources);
        self.first + self.sources.len() as u32 - 1
    }
}

impl TableScript {
    /// A random way to the table's rows in `epochs` epochs; a `churn` share of the rows takes a detour.
    pub fn write(
        table: &Table,
        epochs: usize,
        churn: f64,
        random: &mut ChaCha8Rng,
    ) -> Result<Self> {
        let rows = table.num_rows() as u32;
        let mut strays = Strays { sources: Vec::new(), first: rows };
        let mut script = vec![Vec::new(); epochs];
        let mut order: Vec<u32> = (0..rows).collect();
        order.shuffle(random);
        for row in order {
            let arrival = random.random_range(0..epochs);
            if random.random_bool(churn) {
                detour(table, row, arrival, &mut script, &mut strays, random);
            }
            script[arrival].push(Motion { row, weight: 1, is_told: true });
        }
        if table.key.is_empty() {
            // In one epoch a row may go before it comes: only the sum counts.
            for motions in &mut script {
                if random.random_bool(0.5) {
                    motions.shuffle(random);
                }
            }
        }
        let pool = pool(table, &strays)?;
        let counts = vec![0; pool.num_rows()];
        Ok(Self { pool, epochs: script, counts })
    }

    /// Plays an epoch and gives what the engine is to be told, if anything happens.
    pub fn play(&mut self, epoch: usize) -> Result<Option<Delta>> {
        let motions = &self.epochs[epoch];
        motions.iter().for_each(|motion| self.counts[motion.row as usize] += motion.weight);
        let told: Vec<&Motion> = motions.iter().filter(|motion| motion.is_told).collect();
        if told.is_empty() {
            return Ok(None);
        }
        let batch = self.rows(told.iter().map(|motion| motion.row).collect())?;
        let weights: Vec<i64> = told.iter().map(|motion| motion.weight).collect();
        Ok(Some(match weights.iter().all(|weight| *weight == 1) {
            true => Delta::inserts(batch),
            false => Delta::weighted(batch, weights),
        }))
    }

    /// The rows that are there after the epochs played so far.
    pub fn contents(&self) -> Result<RecordBatch> {
        let there = (0_u32..).zip(&self.counts).filter(|(_, count)| **count > 0);
        self.rows(there.map(|(row, _)| row).collect())
    }

    fn rows(&self, rows: Vec<u32>) -> Result<RecordBatch> {
        let rows = UInt32Array::from(rows);
        let columns = self.pool.columns().iter().map(|column| take(column, &rows, None));
        let columns = columns.collect::<Result<Vec<_>, _>>()?;
        let options = RecordBatchOptions::new().with_row_count(Some(rows.len()));
        Ok(RecordBatch::try_new_with_options(self.pool.schema(), columns, &options)?)
    }
}

/// What happens around a row that comes to stay in epoch `arrival`.
fn detour(
    table: &Table,
    row: u32,
    arrival: usize,
    script: &mut [Vec<Motion>],
    strays: &mut Strays,
    random: &mut ChaCha8Rng,
) {
    let has_key = !table.key.is_empty();
    let kind = random.random_range(0..if has_key { 2 } else { 4 });
    // It may leave in the epoch it came in.
    let (comes, leaves, stray) = match kind {
        // Wrong values, put right on arrival.
        0 => (random.random_range(0..=arrival), arrival, mixed(table, row, strays, random)),
        // There, gone, there again.
        1 => {
            let leaves = random.random_range(0..=arrival);
            (random.random_range(0..=leaves), leaves, twin(table, row, strays))
        }
        // Twice or more, for some time.
        2 => {
            let comes = random.random_range(0..script.len());
            (comes, random.random_range(comes..script.len()), twin(table, row, strays))
        }
        // A row that does not belong.
        _ => {
            let comes = random.random_range(0..script.len());
            (comes, random.random_range(comes..script.len()), mixed(table, row, strays, random))
        }
    };
    let is_told = !(has_key && kind == 0 && random.random_bool(0.7));
    script[comes].push(Motion { row: stray, weight: 1, is_told: true });
    script[leaves].push(Motion { row: stray, weight: -1, is_told });
}

/// The same row once more.
fn twin(table: &Table, row: u32, strays: &mut Strays) -> u32 {
    strays.push(vec![Some(row); table.rows.num_columns()])
}

/// The row with some values of other rows, or null where that is allowed; its key stays.
fn mixed(table: &Table, row: u32, strays: &mut Strays, random: &mut ChaCha8Rng) -> u32 {
    let schema = table.schema();
    let rows = table.num_rows() as u32;
    let source = |column: usize| {
        if table.key.contains(&column) || random.random_bool(0.4) {
            Some(row)
        } else if schema.field(column).is_nullable() && random.random_bool(0.15) {
            None
        } else {
            Some(random.random_range(0..rows))
        }
    };
    let sources = (0..table.rows.num_columns()).map(source).collect();
    strays.push(sources)
}

fn pool(table: &Table, strays: &Strays) -> Result<RecordBatch> {
    let column = |at: usize| {
        let own = (0..strays.first).map(Some);
        let places: UInt32Array =
            own.chain(strays.sources.iter().map(|sources| sources[at])).collect();
        take(table.rows.column(at), &places, None)
    };
    let columns = (0..table.rows.num_columns()).map(column).collect::<Result<Vec<_>, _>>()?;
    let rows = strays.first as usize + strays.sources.len();
    let options = RecordBatchOptions::new().with_row_count(Some(rows));
    Ok(RecordBatch::try_new_with_options(Arc::clone(table.rows.schema_ref()), columns, &options)?)
}

#[cfg(test)]
mod tests {
    use arrow::array::{Int64Array, StringArray};
    use arrow::datatypes::{DataType, Field, Schema};
    use rand::SeedableRng;

    use super::*;
    use crate::encode::Tally;

    fn table(key: &[&str]) -> Table {
        let schema = Arc::new(Schema::new(vec![
            Field::new("id", DataType::Int64, false),
            Field::new("name", DataType::Utf8, true),
        ]));
        let names = (0..40).map(|id| (id % 7 != 0).then(|| format!("name{}", id % 5)));
        let columns: Vec<arrow::array::ArrayRef> = vec![
            Arc::new(Int64Array::from_iter_values(0..40)),
            Arc::new(names.collect::<StringArray>()),
        ];
        let rows = RecordBatch::try_new(Arc::clone(&schema), columns).unwrap();
        let key: Vec<String> = key.iter().map(|column| (*column).to_owned()).collect();
        Table::new("t", schema, &[rows], &key).unwrap()
    }

    #[test]
    fn in_the_end_the_rows_are_those_given() {
        for (seed, key) in [(1, &[][..]), (2, &["id"][..]), (3, &["id", "name"][..])] {
            let table = table(key);
            let mut random = ChaCha8Rng::seed_from_u64(seed);
            let mut script = TableScript::write(&table, 7, 0.8, &mut random).unwrap();
            let mut fed = Tally::default();
            let mut went = 0;
            for epoch in 0..7 {
                let delta = script.play(epoch).unwrap().unwrap();
                went += (0..delta.num_rows()).filter(|row| delta.weight(*row) < 0).count();
                fed.add(&delta).unwrap();
                if key.is_empty() {
                    let contents = Delta::inserts(script.contents().unwrap());
                    assert_eq!(fed, Tally::of([&contents.batch]).unwrap(), "seed {seed}");
                }
            }
            assert!(went > 5, "seed {seed}: rows go on the way");
            let contents = script.contents().unwrap();
            let tally = |rows: &RecordBatch| Tally::of([rows]).unwrap();
            assert_eq!(tally(&contents), tally(&table.rows), "seed {seed}");
        }
    }

    #[test]
    fn without_churn_rows_only_come() {
        let table = table(&[]);
        let mut random = ChaCha8Rng::seed_from_u64(4);
        let mut script = TableScript::write(&table, 3, 0.0, &mut random).unwrap();
        for epoch in 0..3 {
            assert!(script.play(epoch).unwrap().unwrap().weights.is_none());
        }
        assert_eq!(script.contents().unwrap().num_rows(), 40);
    }
}

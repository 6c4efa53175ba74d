//! A trial: tables, a view, a seed.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::array::{ArrayRef, RecordBatch, UInt32Array};
use arrow::compute::take_record_batch;
use arrow::datatypes::{Field, Schema, SchemaRef};
use chrono::{DateTime, Utc};
use datafusion::logical_expr::{LogicalPlan, SortExpr};
use millrace_engine::{
    Because, Cut, Delta, Engine, EngineConfig, Epoch, Explain, Question, ViewDefinition, Why,
};
use rand::SeedableRng;
use rand::seq::SliceRandom;
use rand_chacha::ChaCha8Rng;

use crate::batch::Batch;
use crate::compare::{Leftover, compare};
use crate::encode::Tally;
use crate::order::{Order, evaluate};
use crate::script::TableScript;
use crate::{Difference, Error, Freedom, Result, Table};

/// The first epoch's time, in seconds; each takes one.
const START: i64 = 1_700_000_000;
/// Other orders of the rows that batch SQL is asked over before a difference counts.
const SHUFFLES: usize = 16;

/// Tables that change at random on their way to the rows given, and a view over them.
#[derive(Debug, Clone)]
pub struct Trial {
    /// What the view is called in what is said of it.
    pub name: String,
    /// The tables.
    pub tables: Vec<Table>,
    /// Views that the query may read, each with its `select`, in the order of their creation.
    pub views: Vec<(String, String)>,
    /// The view to try: one `select`.
    pub sql: String,
    /// Epochs the rows are spread over, at least 1.
    pub epochs: usize,
    /// Share of the rows that take a detour, 0 to 1. At 0 rows only ever come.
    pub churn: f64,
    /// Makes the same script again.
    pub seed: u64,
    /// Whether batch SQL is asked after each epoch.
    pub verify: bool,
    /// Whether a view is refused that has to be computed again with every change.
    pub strict: bool,
}

/// What came of a trial.
#[derive(Debug)]
pub struct Outcome {
    /// Columns of the view.
    pub schema: SchemaRef,
    /// Its rows after the last epoch, in no order; none unless the trial ran to its end.
    pub rows: Vec<RecordBatch>,
    /// The order the query asks for.
    pub order: Order,
    /// How the view was kept.
    pub explain: Explain,
    /// Rows fed, coming and going.
    pub rows_fed: u64,
    /// Rows of the view that came and went.
    pub rows_changed: u64,
    /// What the comparison found.
    pub end: End,
}

impl Outcome {
    /// The operators that compute their whole answer again with every change, with the reason.
    pub fn recomputed(&self) -> Vec<(&str, &str)> {
        let mut open = vec![&self.explain.root];
        let mut found: BTreeMap<usize, (&str, &str)> = BTreeMap::new();
        while let Some(report) = open.pop() {
            if let Some(reason) = &report.recomputes {
                found.insert(report.id, (&report.description, reason));
            }
            open.extend(&report.inputs);
        }
        found.into_values().collect()
    }
}

/// What the comparison of a trial found.
#[derive(Debug)]
pub enum End {
    /// Nothing was compared.
    Unverified,
    /// The view equalled the batch answer after every epoch.
    Same,
    /// It did where SQL leaves no choice, and was one of the right answers where it does.
    Admissible(Freedom),
    /// Batch SQL gives differing answers itself after some epochs: nothing can be said of those.
    Undecided {
        /// The first epoch this was so.
        epoch: u64,
    },
    /// Batch SQL failed, and the view stopped in the same epoch.
    BothFailed {
        /// The epoch.
        epoch: u64,
        /// What the engine says.
        view: String,
        /// What batch SQL says.
        batch: String,
    },
    /// The view is wrong.
    Different(Box<Difference>),
}

impl End {
    fn allow(&mut self, freedom: Freedom) {
        if matches!(self, Self::Same) {
            *self = Self::Admissible(freedom);
        }
    }

    fn leave_open(&mut self, epoch: u64) {
        if !matches!(self, Self::Undecided { .. }) {
            *self = Self::Undecided { epoch };
        }
    }
}

/// What the comparison after one epoch found.
enum Verdict {
    Same,
    Admissible(Freedom),
    Undecided,
    End(End),
}

impl Trial {
    /// Runs it.
    ///
    /// # Errors
    /// What is wrong with the tables, the SQL or the settings; what the engine does not support; in a trial
    /// that does not verify, [`Error::Stopped`]. A wrong view is no error but [`End::Different`].
    pub async fn run(&self) -> Result<Outcome> {
        self.check()?;
        let mut random = ChaCha8Rng::seed_from_u64(self.seed);
        let write = |table| TableScript::write(table, self.epochs, self.churn, &mut random);
        let scripts = self.tables.iter().map(write).collect::<Result<Vec<_>>>()?;
        let batch = self.final_batch().await?;
        let name = self.free_name();
        let engine = match self.engine(&name) {
            Ok(engine) => engine,
            Err(error @ Error::Engine(millrace_engine::Error::Plan { .. })) => return Err(error),
            // What batch SQL can't plan either is told in its words.
            Err(error) => return Err(batch.plan().await.err().map_or(error, Error::from)),
        };
        let plan = batch.plan().await?;
        let (freedom, order) = (Freedom::of(&plan)?, Order::of(&plan));
        let run = Run { trial: self, scripts, batch, engine, name, freedom, sum: Tally::default() };
        run.play(order).await
    }

    /// The rows of the view with these values, and the rows of the tables they come from in the end. `now()` is
    /// the time of the last epoch.
    ///
    /// # Errors
    /// What is wrong with the SQL, a column or a value, or fails on the rows.
    pub fn why(&self, key: &[(String, String)]) -> Result<Because> {
        let (name, tables) = (self.free_name(), self.tables.iter());
        let own = (name.clone(), self.sql.clone());
        let why = Why::new(&Question {
            relations: tables.clone().map(|table| (table.name.clone(), table.schema())).collect(),
            views: self.views.iter().cloned().chain([own]).collect(),
            view: name,
            key: key.to_vec(),
            now: time(self.epochs as u64),
        })?;
        let rows = tables.map(|table| (table.name.clone(), vec![table.rows.clone()]));
        Ok(why.answer(rows.collect())?)
    }

    /// The query's plan by batch SQL over the final rows, as the SQL says it.
    ///
    /// # Errors
    /// What is wrong with the SQL.
    pub async fn batch_plan(&self) -> Result<LogicalPlan> {
        Ok(self.final_batch().await?.plan().await?)
    }

    /// What batch SQL answers over the final rows.
    ///
    /// # Errors
    /// What is wrong with the SQL, or fails on the rows.
    pub async fn batch_answer(&self) -> Result<Vec<RecordBatch>> {
        Ok(self.final_batch().await?.answer().await?)
    }

    async fn final_batch(&self) -> Result<Batch> {
        let batch = Batch::new(self.views.clone(), self.sql.clone());
        let rows = self.tables.iter().map(|table| (table.name.clone(), table.rows.clone()));
        batch.set(rows.collect()).await?;
        Ok(batch)
    }

    fn check(&self) -> Result<()> {
        if self.epochs == 0 {
            let given = self.epochs.to_string();
            return Err(Error::Setting { setting: "epochs", allowed: "at least 1", given });
        }
        if !(0.0..=1.0).contains(&self.churn) {
            let given = self.churn.to_string();
            return Err(Error::Setting { setting: "churn", allowed: "between 0 and 1", given });
        }
        let mut names: Vec<&str> = Vec::new();
        for table in &self.tables {
            if names.contains(&table.name.as_str()) {
                return Err(Error::TableTwice { table: table.name.clone() });
            }
            names.push(&table.name);
        }
        Ok(())
    }

    /// The view's name, or one like it that no table has.
    fn free_name(&self) -> String {
        let is_taken = |name: &str| {
            let tables = self.tables.iter().map(|table| &table.name);
            tables.chain(self.views.iter().map(|(name, _)| name)).any(|taken| taken == name)
        };
        let mut name = self.name.clone();
        while is_taken(&name) {
            name.push('_');
        }
        name
    }

    fn engine(&self, name: &str) -> Result<Engine> {
        let mut config = EngineConfig::default();
        if self.strict {
            config.recompute_rows_max = 0;
        }
        let mut engine = Engine::new(config)?;
        for table in &self.tables {
            engine.create_relation(table.relation(self.churn > 0.0))?;
        }
        let view = |name: &str, sql: &str, materialize| ViewDefinition {
            name: name.to_owned(),
            sql: sql.to_owned(),
            key: Vec::new(),
            materialize,
        };
        for (name, sql) in &self.views {
            engine.create_view(view(name, sql, false))?;
        }
        engine.create_view(view(name, &self.sql, true))?;
        Ok(engine)
    }
}

/// The time of an epoch.
fn time(epoch: u64) -> DateTime<Utc> {
    let time = DateTime::from_timestamp(START + epoch as i64, 0);
    time.expect("epochs are few enough for the times to be in range")
}

/// A trial under way.
struct Run<'a> {
    trial: &'a Trial,
    scripts: Vec<TableScript>,
    batch: Batch,
    engine: Engine,
    name: String,
    freedom: Freedom,
    /// What the view's changes so far add up to.
    sum: Tally,
}

impl Run<'_> {
    async fn play(mut self, order: Order) -> Result<Outcome> {
        let verify = self.trial.verify;
        let mut outcome = Outcome {
            schema: self.engine.view_schema(&self.name)?,
            rows: Vec::new(),
            order,
            explain: self.engine.explain(&self.name)?,
            rows_fed: 0,
            rows_changed: 0,
            end: if verify { End::Same } else { End::Unverified },
        };
        for epoch in 0..self.trial.epochs {
            let number = epoch as u64 + 1;
            let stopped = self.step(epoch, number, &mut outcome)?;
            if !verify {
                if let Some(reason) = stopped {
                    return Err(Error::Stopped { epoch: number, seed: self.trial.seed, reason });
                }
                continue;
            }
            match self.judge(number, stopped).await? {
                Verdict::Same => {}
                Verdict::Admissible(freedom) => outcome.end.allow(freedom),
                Verdict::Undecided => outcome.end.leave_open(number),
                Verdict::End(end) => {
                    outcome.end = end;
                    outcome.explain = self.engine.explain(&self.name)?;
                    return Ok(outcome);
                }
            }
        }
        outcome.explain = self.engine.explain(&self.name)?;
        outcome.rows = self.engine.snapshot(&self.name)?.batches()?;
        Ok(outcome)
    }

    /// Feeds an epoch; gives why the view stopped, if it did.
    fn step(&mut self, epoch: usize, number: u64, outcome: &mut Outcome) -> Result<Option<String>> {
        let mut inputs = Vec::new();
        for (table, script) in self.trial.tables.iter().zip(&mut self.scripts) {
            if let Some(delta) = script.play(epoch)? {
                outcome.rows_fed += delta.num_rows() as u64;
                inputs.push((table.name.clone(), delta));
            }
        }
        let now = time(number);
        let changes = self.engine.step(Epoch { number, cut: Cut::new(), inputs, now })?;
        for (_, delta) in changes.changes.iter().filter(|(view, _)| *view == self.name) {
            outcome.rows_changed += delta.num_rows() as u64;
            if self.trial.verify {
                self.sum.add(delta)?;
            }
        }
        let mut stopped = changes.stopped.into_iter();
        Ok(stopped.find(|stopped| stopped.view == self.name).map(|stopped| stopped.reason))
    }

    fn different(&self, epoch: u64, what: &str, leftover: &Leftover) -> Verdict {
        let difference = Difference::new(epoch, self.trial.seed, what, leftover);
        Verdict::End(End::Different(Box::new(difference)))
    }

    fn different_plainly(&self, epoch: u64, what: String) -> Verdict {
        let difference = Difference::plain(epoch, self.trial.seed, what);
        Verdict::End(End::Different(Box::new(difference)))
    }

    async fn judge(&self, epoch: u64, stopped: Option<String>) -> Result<Verdict> {
        let answer = async {
            self.batch.set(self.contents(None)?).await?;
            Ok::<_, Error>(self.batch.answer().await?)
        };
        let answer = match (answer.await, stopped) {
            (Ok(answer), None) => answer,
            (Err(batch), Some(view)) => {
                let batch = batch.to_string();
                return Ok(Verdict::End(End::BothFailed { epoch, view, batch }));
            }
            (Ok(_), Some(view)) => {
                let what = format!("the view stopped and batch SQL did not: {view}");
                return Ok(self.different_plainly(epoch, what));
            }
            (Err(batch), None) => {
                let what = format!("batch SQL failed and the view did not: {batch}");
                return Ok(self.different_plainly(epoch, what));
            }
        };
        let snapshot = self.engine.snapshot(&self.name)?.batches()?;
        let view = Tally::of(&snapshot)?;
        if view != self.sum {
            let mut leftover = Leftover::default();
            for (row, count) in &view.0 {
                let over = count - self.sum.0.get(row).copied().unwrap_or(0);
                if over != 0 {
                    let side = if over > 0 { &mut leftover.missing } else { &mut leftover.extra };
                    side.push((row.clone(), over.abs()));
                }
            }
            let lost = self.sum.0.iter().filter(|(row, _)| !view.0.contains_key(row));
            leftover.extra.extend(lost.map(|(row, count)| (row.clone(), *count)));
            let what = "the sum of the view's changes is not its snapshot: the sum";
            return Ok(self.different(epoch, what, &leftover));
        }
        if let Some(types) = other_types(&self.engine.view_schema(&self.name)?, &answer) {
            // Rules of batch SQL may give an answer another type than they found in the plan.
            let planned =
                RecordBatch::new_empty(Arc::clone(self.batch.plan().await?.schema().inner()));
            if other_types(&self.engine.view_schema(&self.name)?, &[planned]).is_some() {
                return Ok(self.different_plainly(epoch, types));
            }
        }
        let leftover = compare(&view, &Tally::of(&answer)?);
        if leftover.missing.is_empty() && leftover.extra.is_empty() {
            return Ok(Verdict::Same);
        }
        if self.is_admissible(&snapshot, &answer).await? {
            return Ok(Verdict::Admissible(self.freedom.clone()));
        }
        if self.batch_differs_with_itself(&answer).await? {
            return Ok(Verdict::Undecided);
        }
        Ok(self.different(epoch, "the view is not the batch answer: it", &leftover))
    }

    /// Whether the view is another answer that SQL allows.
    async fn is_admissible(&self, view: &[RecordBatch], answer: &[RecordBatch]) -> Result<bool> {
        match &self.freedom {
            Freedom::None | Freedom::Open => Ok(false),
            Freedom::ListOrder => {
                let leftover =
                    compare(&Tally::without_list_order(view)?, &Tally::without_list_order(answer)?);
                Ok(leftover.missing.is_empty() && leftover.extra.is_empty())
            }
            Freedom::Limit { unlimited, order } => {
                let all = self.batch.run(self.rebound(unlimited).await?).await?;
                let (tally, answered) = (Tally::of(view)?, Tally::of(answer)?);
                let keys =
                    (sort_keys(view, unlimited, order)?, sort_keys(answer, unlimited, order)?);
                let by_key = compare(&keys.0, &keys.1);
                Ok(tally.num_rows() == answered.num_rows()
                    && compare(&tally, &Tally::of(&all)?).extra.is_empty()
                    && by_key.missing.is_empty()
                    && by_key.extra.is_empty())
            }
        }
    }

    /// The unlimited query over the tables as they are now.
    async fn rebound(&self, unlimited: &LogicalPlan) -> Result<LogicalPlan> {
        match Freedom::of(&self.batch.plan().await?)? {
            Freedom::Limit { unlimited, .. } => Ok(*unlimited),
            _ => Ok(unlimited.clone()),
        }
    }

    /// Asks batch SQL over the same rows in other orders.
    async fn batch_differs_with_itself(&self, answer: &[RecordBatch]) -> Result<bool> {
        let mut random = ChaCha8Rng::seed_from_u64(self.trial.seed);
        let tally = Tally::of(answer)?;
        for _ in 0..SHUFFLES {
            self.batch.set(self.contents(Some(&mut random))?).await?;
            let Ok(other) = self.batch.answer().await else { return Ok(true) };
            let leftover = compare(&Tally::of(&other)?, &tally);
            if !leftover.missing.is_empty() || !leftover.extra.is_empty() {
                return Ok(true);
            }
        }
        Ok(false)
    }

    fn contents(&self, mut random: Option<&mut ChaCha8Rng>) -> Result<Vec<(String, RecordBatch)>> {
        let mut contents = Vec::new();
        for (table, script) in self.trial.tables.iter().zip(&self.scripts) {
            let mut rows = script.contents()?;
            if let Some(random) = random.as_deref_mut() {
                let mut places: Vec<u32> = (0..rows.num_rows() as u32).collect();
                places.shuffle(random);
                rows = take_record_batch(&rows, &UInt32Array::from(places))?;
            }
            contents.push((table.name.clone(), rows));
        }
        Ok(contents)
    }
}

fn other_types(view: &SchemaRef, answer: &[RecordBatch]) -> Option<String> {
    let answer = answer.first()?.schema();
    let pairs = view.fields().iter().zip(answer.fields());
    let other = pairs.into_iter().find(|(view, batch)| view.data_type() != batch.data_type());
    if view.fields().len() != answer.fields().len() {
        let (own, batch) = (view.fields().len(), answer.fields().len());
        return Some(format!("the view has {own} columns, the batch answer {batch}"));
    }
    other.map(|(view, batch)| {
        let (name, own, batch) = (view.name(), view.data_type(), batch.data_type());
        format!("the view's column {name} is of type {own}, the batch answer's of {batch}")
    })
}

/// The values that rows are sorted by, as rows.
fn sort_keys(
    batches: &[RecordBatch],
    unlimited: &LogicalPlan,
    order: &[SortExpr],
) -> Result<Tally> {
    let mut tally = Tally::default();
    for batch in batches.iter().filter(|_| !order.is_empty()) {
        let columns = order.iter().map(|sort| evaluate(batch, unlimited.schema(), sort));
        let columns = columns.collect::<Result<Vec<ArrayRef>>>()?;
        let fields = columns.iter().map(|column| Field::new("", column.data_type().clone(), true));
        let schema = Schema::new(fields.collect::<Vec<_>>());
        tally.add(&Delta::inserts(RecordBatch::try_new(Arc::new(schema), columns)?))?;
    }
    Ok(tally)
}

//! What becomes of one select.

use std::collections::HashSet;
use std::panic::AssertUnwindSafe;

use datafusion::common::tree_node::{TreeNode, TreeNodeRecursion};
use datafusion::logical_expr::{Expr, LogicalPlan, Volatility};
use futures::FutureExt;
use millrace_engine::Error as EngineError;
use millrace_oracle::{End, Error, Outcome, Trial};

use super::session::{Session, Unfit, head, short};

const EPOCHS: usize = 4;
const CHURN: f64 = 0.7;
const SEED: u64 = 1;

/// A query with what became of it.
#[derive(Debug)]
pub struct Finding {
    pub place: String,
    pub verdict: Verdict,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// It is no question about tables that change, or has no settled answer.
    OutOfScope(String),
    /// Kept, in time proportional to the change.
    Incremental,
    /// Kept, with an operator that computes all of its answer again.
    Recomputed(String),
    /// The engine refuses it.
    Skipped(String),
    /// The view was not what batch SQL answers.
    Wrong(String),
}

pub async fn verdict(session: &mut Session, sql: &str) -> Verdict {
    let inputs = match session.inputs(sql).await {
        Ok(inputs) => inputs,
        Err(Unfit::OutOfScope(reason)) => return Verdict::OutOfScope(reason),
        Err(Unfit::Skipped(reason)) => return Verdict::Skipped(reason),
    };
    let sql = sql.trim_end().trim_end_matches(';').to_owned();
    let (tables, views) = (inputs.tables, inputs.views);
    let trial = Trial {
        name: "view".to_owned(),
        tables,
        views,
        sql,
        epochs: EPOCHS,
        churn: CHURN,
        seed: SEED,
        verify: true,
        strict: false,
    };
    let plan = match trial.batch_plan().await {
        Ok(plan) => plan,
        Err(error) => {
            return Verdict::OutOfScope(format!(
                "does not plan in a plain session: {}",
                reason(&error)
            ));
        }
    };
    if let Some(reason) = unsettled(&trial, &plan).await {
        return Verdict::OutOfScope(reason);
    }
    let trial = with_names(trial, &plan);
    let verdict = run(&trial).await;
    // Values on the way made both fail: the rows as they are may do.
    match verdict {
        Tried::BothFailed => match run(&Trial { churn: 0.0, ..trial }).await {
            Tried::BothFailed => {
                Verdict::OutOfScope("fails when its rows come one by one".to_owned())
            }
            Tried::Said(verdict) => verdict,
        },
        Tried::Said(verdict) => verdict,
    }
}

enum Tried {
    Said(Verdict),
    BothFailed,
}

async fn run(trial: &Trial) -> Tried {
    let outcome = AssertUnwindSafe(trial.run()).catch_unwind().await;
    Tried::Said(match outcome {
        Ok(Ok(outcome)) if matches!(outcome.end, End::BothFailed { .. }) => {
            return Tried::BothFailed;
        }
        Ok(Ok(outcome)) => kept(&outcome),
        Ok(Err(Error::Engine(EngineError::Unsupported(fault)))) => {
            let construct = fault.problem.trim_end_matches(" is not supported");
            Verdict::Skipped(format!("not supported: {}", class_of(construct)))
        }
        Ok(Err(Error::Engine(EngineError::Definition(fault)))) => {
            Verdict::Skipped(format!("refused: {}", without_names(&fault.problem)))
        }
        Ok(Err(Error::Engine(EngineError::Plan { cause, .. }))) => {
            Verdict::Skipped(format!("refused: {}", head(&cause.to_string())))
        }
        Ok(Err(error)) => Verdict::Skipped(format!("refused: {}", reason(&error))),
        Err(panic) => {
            let message = panic.downcast_ref::<String>().cloned();
            let message = message.or_else(|| panic.downcast_ref::<&str>().map(ToString::to_string));
            Verdict::Wrong(format!("panic: {}", short(&message.unwrap_or_default())))
        }
    })
}

fn kept(outcome: &Outcome) -> Verdict {
    match &outcome.end {
        End::Undecided { .. } => {
            Verdict::OutOfScope("batch SQL's answer depends on the order of rows".to_owned())
        }
        End::Different(difference) => {
            let rows = difference.to_string().replace('\n', ";");
            Verdict::Wrong(rows.chars().take(300).collect())
        }
        _ => match outcome.recomputed().first() {
            None => Verdict::Incremental,
            Some((operator, _)) => Verdict::Recomputed(class_of(operator)),
        },
    }
}

/// The query with a name for each column where some share one, as the engine asks for.
fn with_names(trial: Trial, plan: &LogicalPlan) -> Trial {
    let fields = plan.schema().fields();
    let names: HashSet<&str> = fields.iter().map(|field| field.name().as_str()).collect();
    if names.len() == fields.len() {
        return trial;
    }
    let names: Vec<String> = (0..fields.len()).map(|at| format!("column{at}")).collect();
    let sql = format!("select * from ({}\n) as named({})", trial.sql, names.join(", "));
    Trial { sql, ..trial }
}

/// Why the query has no settled answer over its tables, if so.
async fn unsettled(trial: &Trial, plan: &LogicalPlan) -> Option<String> {
    let mut found = None;
    let mut visit = |part: &Expr| {
        if let Expr::ScalarFunction(call) = part
            && call.func.signature().volatility != Volatility::Immutable
        {
            found = Some(match call.func.signature().volatility {
                Volatility::Stable => "reads the clock",
                _ => "draws at random",
            });
        }
        Ok(TreeNodeRecursion::Continue)
    };
    let visited = plan.apply_with_subqueries(|node: &LogicalPlan| {
        node.apply_expressions(|expression| expression.apply(&mut visit))
    });
    visited.expect("looking changes nothing");
    if let Some(found) = found {
        return Some(found.to_owned());
    }
    let answer = trial.batch_answer().await;
    answer.err().map(|error| format!("fails in a plain session: {}", reason(&error)))
}

/// A message without names, so that alike ones count together.
fn reason(error: &Error) -> String {
    head(&error.to_string())
}

/// Without the name that follows "called".
fn without_names(problem: &str) -> String {
    problem.split("called").next().unwrap_or_default().trim().to_owned()
}

/// The plan node or the function that a construct begins with.
fn class_of(construct: &str) -> String {
    let end = construct
        .find(|letter: char| !(letter.is_alphanumeric() || letter == '_' || letter == ' '));
    construct[..end.unwrap_or(construct.len())].trim().chars().take(60).collect()
}

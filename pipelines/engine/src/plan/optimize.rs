//! The optimiser rules that suit queries kept true, in order.
//!
//! Left out are rules that ask for sizes, that move limits about, or that turn uncorrelated scalar
//! subqueries into joins. What is in here only brings a plan nearer to the operators there are: distinct as
//! a grouping, equal keys out of join conditions, filters and projections as low as they go.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use datafusion::common::alias::AliasGenerator;
use datafusion::config::ConfigOptions;
use datafusion::error::Result;
use datafusion::execution::{FunctionRegistry, SessionState};
use datafusion::logical_expr::LogicalPlan;
use datafusion::optimizer::analyzer::Analyzer;
use datafusion::optimizer::common_subexpr_eliminate::CommonSubexprEliminate;
use datafusion::optimizer::decorrelate_lateral_join::DecorrelateLateralJoin;
use datafusion::optimizer::decorrelate_predicate_subquery::DecorrelatePredicateSubquery;
use datafusion::optimizer::eliminate_cross_join::EliminateCrossJoin;
use datafusion::optimizer::eliminate_duplicated_expr::EliminateDuplicatedExpr;
use datafusion::optimizer::eliminate_filter::EliminateFilter;
use datafusion::optimizer::eliminate_group_by_constant::EliminateGroupByConstant;
use datafusion::optimizer::eliminate_outer_join::EliminateOuterJoin;
use datafusion::optimizer::extract_equijoin_predicate::ExtractEquijoinPredicate;
use datafusion::optimizer::optimize_projections::OptimizeProjections;
use datafusion::optimizer::push_down_filter::PushDownFilter;
use datafusion::optimizer::replace_distinct_aggregate::ReplaceDistinctWithAggregate;
use datafusion::optimizer::rewrite_set_comparison::RewriteSetComparison;
use datafusion::optimizer::scalar_subquery_to_join::ScalarSubqueryToJoin;
use datafusion::optimizer::simplify_expressions::SimplifyExpressions;
use datafusion::optimizer::{Optimizer, OptimizerConfig, OptimizerRule};

use super::clock;
use super::once::evaluate_once;
use super::ranks::filter_windows;

/// What the rules may know.
struct Context<'a> {
    state: &'a SessionState,
    /// Names given by the rules start afresh with each view, so that equal queries give equal plans.
    aliases: Arc<AliasGenerator>,
    /// What functions of the current time are folded into, if they are.
    now: Option<DateTime<Utc>>,
}

impl OptimizerConfig for Context<'_> {
    /// Without a start time, functions of the current time are not folded into constants.
    fn query_execution_start_time(&self) -> Option<DateTime<Utc>> {
        self.now
    }

    fn alias_generator(&self) -> &Arc<AliasGenerator> {
        &self.aliases
    }

    fn options(&self) -> Arc<ConfigOptions> {
        Arc::clone(self.state.config_options())
    }

    fn function_registry(&self) -> Option<&dyn FunctionRegistry> {
        Some(self.state)
    }
}

type Rule = Arc<dyn OptimizerRule + Send + Sync>;

/// The rules that bring conditions down, and queries inside expressions to joins.
fn rules() -> Vec<Rule> {
    vec![
        Arc::new(RewriteSetComparison::new()),
        Arc::new(SimplifyExpressions::new()),
        Arc::new(ReplaceDistinctWithAggregate::new()),
        Arc::new(DecorrelatePredicateSubquery::new()),
        Arc::new(ScalarSubqueryToJoin::new()),
        Arc::new(DecorrelateLateralJoin::new()),
        Arc::new(ExtractEquijoinPredicate::new()),
        Arc::new(EliminateDuplicatedExpr::new()),
        Arc::new(EliminateFilter::new()),
        Arc::new(EliminateCrossJoin::new()),
        Arc::new(EliminateOuterJoin::new()),
        Arc::new(PushDownFilter::new()),
    ]
}

/// The rules that save work, at the cost of columns and places.
fn saving_rules() -> Vec<Rule> {
    vec![
        Arc::new(EliminateGroupByConstant::new()),
        Arc::new(CommonSubexprEliminate::new()),
        Arc::new(OptimizeProjections::new()),
    ]
}

fn apply(
    rules: Vec<Rule>,
    plan: LogicalPlan,
    state: &SessionState,
    now: Option<DateTime<Utc>>,
) -> Result<LogicalPlan> {
    let context = Context { state, aliases: Arc::new(AliasGenerator::new()), now };
    Optimizer::with_rules(rules).optimize(plan, &context, |_, _| {})
}

/// The plan with its types settled.
pub(super) fn analyze(plan: LogicalPlan, state: &SessionState) -> Result<LogicalPlan> {
    Analyzer::new().execute_and_check(plan, state.config_options(), |_, _| {})
}

pub(super) fn optimize(plan: LogicalPlan, state: &SessionState) -> Result<LogicalPlan> {
    let bound = clock::bind(analyze(plan, state)?)?;
    let rules = rules().into_iter().chain(saving_rules()).collect();
    evaluate_once(filter_windows(apply(rules, bound, state, None)?)?)
}

/// The plan as of `now`, with all its columns.
pub(super) fn push_down(
    plan: LogicalPlan,
    state: &SessionState,
    now: DateTime<Utc>,
) -> Result<LogicalPlan> {
    apply(rules(), plan, state, Some(now))
}

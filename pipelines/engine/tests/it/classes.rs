//! How views are kept true, as `explain` tells.

use crate::fixture::{all_views, engine};
use crate::queries::{aggregate, join, set};
use crate::world::relations;

#[test]
fn no_grouping_join_or_set_operation_is_run_again() {
    let engine = engine(relations(), all_views());
    for (name, _, sql) in [aggregate::QUERIES, join::QUERIES, set::QUERIES].into_iter().flatten() {
        let text = engine.explain(name).unwrap().to_string();
        assert!(!text.contains("[recompute]"), "{sql}\n{text}");
    }
}

#[test]
fn what_can_be_summed_up_is() {
    let engine = engine(relations(), all_views());
    let classes = [
        ("several_distinct", "additive aggregate"),
        ("variances", "additive aggregate"),
        ("regressions", "additive aggregate"),
        ("float_statistics", "partition"),
        ("typed_sums", "additive aggregate"),
        ("typed_extremes", "ordered aggregate"),
        ("durations", "ordered aggregate, append-only"),
        ("medians", "partition"),
        ("totals_so_far", "ordered"),
        ("last_sales", "ordered, append-only"),
        ("above_mean", "single row"),
        ("in_or", "zero-crossing join"),
    ];
    for (name, class) in classes {
        let text = engine.explain(name).unwrap().to_string();
        assert!(text.contains(&format!("[{class}]")), "{name}: {text}");
    }
}

#[test]
fn totals_so_far_evaluate_no_partition_again() {
    let engine = engine(relations(), all_views());
    for name in ["totals_so_far", "totals_by_rows", "mixed_by_key", "sessions"] {
        let text = engine.explain(name).unwrap().to_string();
        assert!(!text.contains("[partition]"), "{name}: {text}");
    }
}

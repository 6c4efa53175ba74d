//! Queries without an operator of their own: run again with each change, said by `explain`, and bounded.

use millrace_engine::{Engine, EngineConfig};

use crate::fixture::{engine_of, epoch, view};
use crate::world::{World, relations};

const REACHED: &str = "with recursive n as (select small from moves union select small + 1 from n \
                       where small < 5) select small from n";

fn bounded(recompute_rows_max: usize) -> Engine {
    let config = EngineConfig { recompute_rows_max, ..EngineConfig::default() };
    engine_of(config, relations(), Vec::new())
}

#[test]
fn explain_says_what_is_run_again_and_why() {
    let mut engine = bounded(100);
    engine.create_view(view("reached", "", REACHED)).unwrap();
    let text = engine.explain("reached").unwrap().to_string();
    assert!(text.contains("[recompute]"), "{text}");
    assert!(text.contains("run again with each change because"), "{text}");
}

#[test]
fn strict_engines_refuse_it() {
    let error = bounded(0).create_view(view("reached", "", REACHED)).unwrap_err();
    assert!(
        error.to_string().starts_with("view reached, line 1, column 6: RecursiveQuery"),
        "{error}"
    );
}

#[test]
fn a_view_that_reads_more_than_allowed_stops_alone() {
    let mut engine = bounded(3);
    engine.create_view(view("reached", "", REACHED)).unwrap();
    engine.create_view(view("all_moves", "", "select * from moves")).unwrap();
    let mut world = World::new(600);
    let mut stopped = Vec::new();
    for number in 1..10 {
        let inputs = world.churn(20);
        stopped.extend(engine.step(epoch(number, inputs)).unwrap().stopped);
    }
    assert_eq!(stopped.len(), 1, "{stopped:?}");
    assert_eq!(stopped[0].view, "reached");
    assert!(stopped[0].reason.contains("more than the 3 allowed"), "{stopped:?}");
    assert!(engine.snapshot("all_moves").unwrap().num_rows() > 3);
}

//! `millrace views create`, `replace` and `drop` on a running system.

use std::path::PathBuf;

use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use serde_json::Value;

use crate::program::Program;

const UNITS: &str = "-- key: product_id
select product_id, sum(quantity) as units from stg_sales__invoice_lines group by product_id";

fn file(program: &Program, text: &str) -> String {
    let path: PathBuf = program.data_dir.path().join("view.sql");
    std::fs::write(&path, text).expect("written");
    path.display().to_string()
}

/// State and rows of a view in the list.
fn listed(program: &Program, name: &str) -> Option<(Value, Value)> {
    let views = program.run(&["views", "list"]);
    let view = views.as_array()?.iter().find(|view| view["name"] == name)?.clone();
    Some((view["state"].clone(), view["rows"].clone()))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_view_is_defined_replaced_and_dropped_while_the_till_sells() {
    let (mut program, world) = Program::start().await;
    let mut random = ChaCha8Rng::seed_from_u64(61);
    program.sell(&world, &mut random, 3).await;
    let sql = file(&program, UNITS);
    let created = program.run(&["views", "create", "units", &sql]);
    assert_eq!((&created[0]["name"], &created[0]["state"]), (&"units".into(), &"live".into()));
    program.sell(&world, &mut random, 2).await;
    let (state, rows) = listed(&program, "units").expect("listed");
    assert!(state == "live" && rows.as_u64() > Some(0), "{state} {rows}");
    let taken = program.fail(&["views", "create", "units", &sql]);
    assert!(taken.contains("409") && taken.contains("replace it"), "{taken}");

    let top = file(&program, "-- key: one\nselect 1 as one, max(units) as most from units");
    program.run(&["views", "create", "top", &top]);
    let read = program.fail(&["views", "drop", "units"]);
    assert!(read.contains("read by top"), "{read}");
    let wrong = file(
        &program,
        "-- key: product_id\nselect product_id,\n  quantitty from stg_sales__invoice_lines",
    );
    let wrong = program.fail(&["views", "replace", "units", &wrong]);
    assert!(wrong.contains("line 3, column 3") && wrong.contains("quantity"), "{wrong}");
    let own = program.fail(&["views", "drop", "live_stock_on_hand"]);
    assert!(own.contains("comes with Millrace"), "{own}");

    // Killed and started again, it is there, and so is what it was replaced by.
    let more = file(&program, &UNITS.replace("as units", "as units, count(*) as lines"));
    program.run(&["views", "replace", "units", &more]);
    program.kill();
    program.up().await;
    program.sell(&world, &mut random, 1).await;
    assert_eq!(listed(&program, "units").expect("listed").0, "live");
    // PIP-1 compares it with batch SQL over the log.
    program.assert_whole(6).await;

    assert_eq!(program.run(&["views", "drop", "top"])[0]["dropped"], "top");
    program.run(&["views", "drop", "units"]);
    assert!(listed(&program, "units").is_none());
}

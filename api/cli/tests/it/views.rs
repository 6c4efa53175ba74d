//! `millrace views` of a running system, and of a folder of views.

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use serde_json::Value;

use crate::program::Program;

const VIEW: &str = "live_sales_by_shop_hour";

#[tokio::test]
async fn a_row_tells_its_events_and_a_view_its_cost() {
    let (program, world) = Program::start().await;
    let mut random = ChaCha8Rng::seed_from_u64(8);
    program.sell(&world, &mut random, 5).await;
    let path = format!("/api/v1/views/{VIEW}?limit=1");
    let view: Value = program.operator().get(&path).await.expect("a view");
    let row = &view["rows"][0];
    let columns = ["shop_id", "business_date", "business_hour"];
    let text = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    let values: Vec<String> = columns.iter().map(|column| text(&row[column])).collect();
    let pairs: Vec<String> =
        columns.iter().zip(&values).map(|(column, value)| format!("{column}={value}")).collect();
    let why = |keys: &[String], more: &[&str]| {
        let keys = keys.iter().flat_map(|key| ["--key", key.as_str()]);
        program.run(
            &["views", "why", VIEW]
                .into_iter()
                .chain(keys)
                .chain(more.iter().copied())
                .collect::<Vec<_>>(),
        )
    };

    let direct = why(&pairs, &[]);
    assert_eq!(direct["rows"][0]["invoices"], row["invoices"], "{direct:#}");
    let readers = direct["inputs"].as_array().expect("inputs").iter();
    assert!(readers.clone().count() > 0 && readers.clone().all(|input| input["reader"] == VIEW));
    let deep = why(&values, &["--deep", "--limit", "1"]);
    let inputs = deep["inputs"].as_array().expect("inputs");
    let invoices = inputs.iter().find(|input| input["name"] == "invoice_issued");
    let invoices = invoices.unwrap_or_else(|| panic!("no invoices behind it: {deep:#}"));
    assert_eq!(invoices["total"], row["invoices"], "{invoices:#}");
    assert_eq!(invoices["rows"].as_array().map(Vec::len), Some(1));

    let refused = program.fail(&["views", "why", VIEW, "--key", &values[0]]);
    assert!(refused.contains("has the key shop_id, business_date, business_hour"), "{refused}");
    let nobody = program.fail(&[
        "views",
        "why",
        VIEW,
        "--key",
        &pairs[0],
        "--key",
        &pairs[1],
        "--key",
        "business_hour=25",
    ]);
    assert!(nobody.contains("has no row with this key"), "{nobody}");

    let explained = program.run(&["views", "explain", VIEW]);
    let text = explained["text"].as_str().expect("text");
    assert!(text.contains(" epochs, mean ") && text.contains(", worst "), "{text}");
}

fn test(arguments: &[&str]) -> (Output, String) {
    let run = Command::new(env!("CARGO_BIN_EXE_millrace"))
        .args(["views", "test"])
        .args(arguments)
        .output();
    let run = run.expect("the program runs");
    let text = [run.stdout.as_slice(), &run.stderr].concat();
    (run, String::from_utf8(text).expect("text"))
}

#[test]
fn views_are_tested_as_they_are_on_disk() {
    let (run, said) = test(&["dim_shop", "live_low_stock"]);
    assert!(run.status.success(), "{said}");
    assert!(said.contains("dim_shop: ok") && said.contains("live_low_stock: ok"), "{said}");

    let folder = tempfile::tempdir().expect("a folder");
    let core = folder.path().join("core");
    fs::create_dir(&core).expect("a folder");
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../pipelines/views/staging");
    let staging = folder.path().join("staging");
    fs::create_dir(&staging).expect("a folder");
    for ending in ["sql", "test.toml"] {
        let file = format!("stg_party__shops.{ending}");
        fs::copy(source.join(&file), staging.join(&file)).expect("copied");
    }
    let header = "-- title: T\n-- grain: g\n-- key: shop_id\n-- serve: none\n-- mart: none\n";
    let write = |name: &str, text: &str| fs::write(core.join(name), text).expect("written");
    let at = folder.path().to_str().expect("a path");

    write(
        "dim_codes.sql",
        &format!("{header}select shop_id, upper(code) as code\nfrom shop_opened\n"),
    );
    write(
        "dim_codes.test.toml",
        "[[given]]\nevent = \"shop_opened\"\nshop_id = \"s1\"\ncode = \"hi\"\n\n[[expect]]\nshop_id = \"s1\"\ncode = \"HI\"\n",
    );
    let (run, said) = test(&["--folder", at]);
    assert!(run.status.success(), "{said}");
    assert!(said.contains("dim_codes: ok") && said.contains("stg_party__shops: ok"), "{said}");

    write(
        "dim_codes.test.toml",
        "[[given]]\nevent = \"shop_opened\"\nshop_id = \"s1\"\ncode = \"hi\"\n\n[[expect]]\nshop_id = \"s1\"\ncode = \"HO\"\n",
    );
    let (run, said) = test(&["--folder", at]);
    assert_eq!(run.status.code(), Some(1));
    assert!(said.contains("dim_codes: FAILED") && said.contains("code=HO"), "{said}");
    assert!(said.contains("1 of 2 views failed their tests"), "{said}");

    write(
        "dim_codes.sql",
        &format!("{header}select shop_id,\n  upper(kode) as code\nfrom shop_opened\n"),
    );
    let (run, said) = test(&["--folder", at]);
    assert_eq!(run.status.code(), Some(1));
    assert!(
        said.contains("view dim_codes, line 7, column 9: there is no column \"kode\""),
        "{said}"
    );
    assert!(said.contains("did you mean \"code\"?"), "{said}");
}

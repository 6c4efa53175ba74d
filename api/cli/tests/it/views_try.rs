//! `millrace views try`, as typed.

use std::process::{Command, Output};
use std::sync::Arc;

use arrow::array::{Int64Array, RecordBatch, StringArray};
use arrow::datatypes::{DataType, Field, Schema};
use parquet::arrow::ArrowWriter;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use serde_json::{Value, json};
use tempfile::TempDir;

const SALES: &str = "id,shop,amount,cost\n1,a,3,0.5\n2,b,4,1.25\n3,a,5,2.5\n4,c,6,\n5,b,7,0.75\n";
const VIEW: &str = "select region, count(*) as sales, sum(amount) as amount, avg(cost) as cost \
    from sales join shops on sales.shop = shops.shop group by region order by amount desc";

struct Folder(TempDir);

impl Folder {
    fn new() -> Self {
        let folder = Self(tempfile::tempdir().expect("a folder"));
        folder.write("sales.csv", SALES);
        folder.write("view.sql", VIEW);
        let schema = Arc::new(Schema::new(vec![
            Field::new("shop", DataType::Utf8, false),
            Field::new("region", DataType::Utf8, true),
        ]));
        let (shops, regions) = (vec!["a", "b", "c"], vec!["north", "south", "north"]);
        let columns: Vec<arrow::array::ArrayRef> =
            vec![Arc::new(StringArray::from(shops)), Arc::new(StringArray::from(regions))];
        let shops = RecordBatch::try_new(Arc::clone(&schema), columns).expect("rows");
        let file = std::fs::File::create(folder.0.path().join("shops.parquet")).expect("a file");
        let mut writer = ArrowWriter::try_new(file, schema, None).expect("a writer");
        writer.write(&shops).expect("written");
        writer.close().expect("closed");
        folder
    }

    fn write(&self, name: &str, text: &str) {
        std::fs::write(self.0.path().join(name), text).expect("written");
    }

    fn run(&self, arguments: &[&str]) -> Output {
        Command::new(env!("CARGO_BIN_EXE_millrace"))
            .args(["views", "try"])
            .args(arguments)
            .current_dir(self.0.path())
            .output()
            .expect("the program runs")
    }

    /// Stdout and stderr of what must go well.
    fn tried(&self, more: &[&str]) -> (String, String) {
        let ended = self.run(&[&["view.sql"], &TABLES[..], more].concat());
        let said = String::from_utf8(ended.stderr).expect("text");
        assert_eq!(ended.status.code(), Some(0), "{more:?}: {said}");
        (String::from_utf8(ended.stdout).expect("text"), said)
    }

    /// What is said of what must fail.
    fn refused(&self, arguments: &[&str], code: i32) -> String {
        let ended = self.run(arguments);
        let said = String::from_utf8(ended.stderr).expect("text");
        assert_eq!(ended.status.code(), Some(code), "{arguments:?}: {said}");
        assert!(ended.stdout.is_empty(), "{arguments:?}");
        said
    }
}

const TABLES: [&str; 4] = ["--table", "sales=sales.csv", "--table", "shops=shops.parquet"];

#[test]
fn the_final_view_is_printed_whatever_the_way_to_it() {
    let folder = Folder::new();
    let expected = "region,sales,amount,cost\nnorth,3,14,1.5\nsouth,2,11,1.0\n";
    for seed in ["1", "2", "3"] {
        for more in [
            &["--churn", "0"][..],
            &["--churn", "1", "--epochs", "1"],
            &["--churn", "0.8", "--keys", "sales=id", "--keys", "shops=shop", "--epochs", "25"],
        ] {
            let (rows, said) =
                folder.tried(&[more, &["--verify", "--output", "csv", "--seed", seed]].concat());
            assert_eq!(rows, expected, "{more:?}, seed {seed}");
            assert!(said.contains("verified: equal to batch SQL after each of"), "{said}");
        }
    }
    assert!(!folder.tried(&[]).1.contains("verified"));
}

#[test]
fn every_format_holds_the_same_rows() {
    let folder = Folder::new();
    let (table, _) = folder.tried(&[]);
    let lines: Vec<Vec<&str>> =
        table.lines().map(|line| line.split_whitespace().collect()).collect();
    assert_eq!(lines[1], ["north", "3", "14", "1.5"], "{table}");
    let rows: Value = serde_json::from_str(&folder.tried(&["--output", "json"]).0).expect("JSON");
    assert_eq!(rows[1], json!({"region": "south", "sales": 2, "amount": 11, "cost": 1.0}));
    let ended = folder.run(&[&["view.sql"], &TABLES[..], &["--output", "parquet"]].concat());
    let (printed, _) = folder.tried(&["--output", "parquet", "--out", "view.parquet"]);
    assert_eq!(printed, "");
    let written = std::fs::read(folder.0.path().join("view.parquet")).expect("the file");
    assert_eq!(ended.stdout, written, "the same rows give the same bytes");
    let file = std::fs::File::open(folder.0.path().join("view.parquet")).expect("the file");
    let mut reader =
        ParquetRecordBatchReaderBuilder::try_new(file).expect("Parquet").build().expect("rows");
    let batch = reader.next().expect("a batch").expect("rows");
    let amounts = batch.column(2).as_any().downcast_ref::<Int64Array>().expect("integers");
    assert_eq!(amounts.values().as_ref(), [14, 11]);
}

#[test]
fn bad_input_is_told_with_what_to_do() {
    let folder = Folder::new();
    let refused = |arguments: &[&str]| folder.refused(arguments, 1);
    let missing = refused(&["view.sql", "--table", "sales=sale.csv"]);
    assert!(missing.contains("reading the table sales from sale.csv"), "{missing}");
    let no_view = refused(&["views.sql", "--table", "sales=sales.csv"]);
    assert!(no_view.contains("reading the view views.sql"), "{no_view}");
    let unknown = refused(&["view.sql", "--table", "sales=sales.csv"]);
    assert!(
        unknown.contains("view view, line 1, column 92: no relation or view is called \"shops\""),
        "{unknown}"
    );
    let twice = refused(&["view.sql", "--table", "sales=sales.csv", "--table", "sales=sales.csv"]);
    assert!(twice.contains("the table sales is given twice"), "{twice}");
    let key = refused(&["view.sql", "--table", "sales=sales.csv", "--keys", "sales=no"]);
    assert!(key.contains("no column no to be its key; it has: id, shop, amount, cost"), "{key}");
    let key = refused(&["view.sql", "--table", "sales=sales.csv", "--keys", "sales=shop"]);
    assert!(key.contains("two rows with the key (shop) = (a)"), "{key}");
    let key = refused(&["view.sql", "--table", "sales=sales.csv", "--keys", "shops=shop"]);
    assert!(key.contains("--keys names the table shops, which no --table gives"), "{key}");
    folder.write("empty.csv", "");
    let empty = refused(&["view.sql", "--table", "sales=empty.csv"]);
    assert!(empty.contains("it is empty"), "{empty}");
    folder.write("sales.txt", SALES);
    let ending = refused(&["view.sql", "--table", "sales=sales.txt"]);
    assert!(ending.contains("by its ending, .parquet or .csv"), "{ending}");
    folder.write("two.sql", "select 1; select 2");
    let several = refused(&["two.sql", "--table", "sales=sales.csv"]);
    assert!(several.contains("view two, line 1, column 11: there is more than one"), "{several}");
    folder.write("insert.sql", "insert into sales select * from sales");
    let insert = refused(&["insert.sql", "--table", "sales=sales.csv"]);
    assert!(insert.contains("a view is one select"), "{insert}");
    let usage = |arguments: &[&str]| folder.refused(arguments, 2);
    let form = usage(&["view.sql", "--table", "sales.csv"]);
    assert!(form.contains("write NAME=FILE, such as sales=data/sales.parquet"), "{form}");
    let churn = usage(&["view.sql", "--table", "sales=sales.csv", "--churn", "1.5"]);
    assert!(churn.contains("write a number from 0 to 1"), "{churn}");
}

#[test]
fn what_is_wrong_in_the_file_is_shown_in_its_line() {
    let folder = Folder::new();
    folder.write(
        "by_shop.sql",
        "-- Sales by shop\nselect\n  shp,\n  sum(amount) as amount\nfrom sales\n",
    );
    let said = folder.refused(&["by_shop.sql", "--table", "sales=sales.csv"], 1);
    let expected = "view by_shop, line 3, column 3: there is no column \"shp\"\n  |\n3 |   shp,\n  |   ^^^\n  \
                    = did you mean \"shop\"?";
    let said_plainly: Vec<&str> = said.lines().map(str::trim_end).collect();
    assert!(said_plainly.join("\n").contains(expected), "{said}");
}

#[test]
fn why_prints_the_rows_of_the_files() {
    let folder = Folder::new();
    let arguments = ["--why", "region=north", "--output", "json"];
    let (printed, _) = folder.tried(&arguments);
    let found: Value = serde_json::from_str(&printed).expect("JSON");
    assert_eq!(found["rows"], json!([{"region": "north", "sales": 3, "amount": 14, "cost": 1.5}]));
    let inputs = found["inputs"].as_array().expect("inputs");
    let ids: Vec<&Value> =
        inputs[0]["rows"].as_array().expect("rows").iter().map(|row| &row["id"]).collect();
    assert_eq!((&inputs[0]["name"], ids), (&json!("sales"), vec![&json!(1), &json!(3), &json!(4)]));
    assert_eq!((&inputs[1]["name"], &inputs[1]["total"]), (&json!("shops"), &json!(2)));
    let (table, _) = folder.tried(&["--why", "region=north"]);
    assert!(table.contains("sales (relation, read by view): 3 rows"), "{table}");
    let unknown =
        folder.refused(&[&["view.sql"], &TABLES[..], &["--why", "regio=north"]].concat(), 1);
    assert!(unknown.contains("did you mean \"region\"?"), "{unknown}");
    let nothing =
        folder.refused(&[&["view.sql"], &TABLES[..], &["--why", "region=west"]].concat(), 1);
    assert!(nothing.contains("no row of the view has these values"), "{nothing}");
}

#[test]
fn strict_refuses_what_is_computed_again() {
    let folder = Folder::new();
    let sql = "with recursive n as (select 1 as v union all select v + 1 from n, sales where v < 3)\n\
               select distinct v from n";
    folder.write("counted.sql", sql);
    let lenient = folder.run(&["counted.sql", "--table", "sales=sales.csv"]);
    let said = String::from_utf8(lenient.stderr).expect("text");
    assert!(
        lenient.status.success() && said.contains("computed again with every change"),
        "{said}"
    );
    let said = folder.refused(&["counted.sql", "--table", "sales=sales.csv", "--strict"], 1);
    assert!(said.contains("view counted, line 1, column 6: RecursiveQuery"), "{said}");
    assert!(said.contains("write a fixed number of joins"), "{said}");
}

#[test]
fn a_view_that_fails_on_data_says_where() {
    let folder = Folder::new();
    folder.write("fails.sql", "select 10 / (amount - 5) as share from sales");
    let said = folder.refused(&["fails.sql", "--table", "sales=sales.csv", "--verify"], 1);
    assert!(said.contains("the view stopped in epoch") && said.contains("seed 1"), "{said}");
    let said = folder.refused(&["fails.sql", "--table", "sales=sales.csv"], 1);
    assert!(said.to_lowercase().contains("divide by zero"), "{said}");
}

use std::collections::BTreeMap;

use millrace_engine::{Engine, EngineConfig};
use millrace_views::{Mart, Registry, Serve};

fn of(files: &[(&str, &str)]) -> Result<Registry, millrace_views::Error> {
    let files = files.iter().map(|(path, text)| ((*path).to_owned(), (*text).to_owned())).collect();
    let shop = millrace_events::catalogue::find("shop.opened").expect("an event");
    Registry::of(files, BTreeMap::from([(shop.table_name(), shop.arrow_schema())]))
}

fn file(key: &str, serve: &str, mart: &str, sql: &str) -> String {
    format!("-- title: T\n-- grain: g\n-- key: {key}\n-- serve: {serve}\n-- mart: {mart}\n{sql}")
}

#[test]
fn the_views_of_the_contract_are_there() {
    let registry = Registry::load().expect("the views are sound");
    let live = [
        "live_sales_by_shop_hour",
        "live_sales_by_shop_day",
        "live_sales_by_category_day",
        "live_top_products_day",
        "live_payment_mix_day",
        "live_stock_on_hand",
        "live_low_stock",
        "live_trial_balance",
    ];
    for name in live {
        let view = registry.get(name).expect("a view");
        assert_eq!((view.serve, view.mart), (Serve::Live, Mart::Current), "{name}");
        assert!(!view.key.is_empty());
    }
    let position = |name| registry.views().iter().position(|view| view.name == name);
    assert!(position("dim_product") < position("live_top_products_day"));
    assert!(registry.closure("live_low_stock").expect("a view").len() < registry.views().len());
}

#[test]
fn a_view_may_stand_before_what_it_reads() {
    let late = file("shop_id", "none", "none", "select shop_id from dim_b");
    let early = file("shop_id", "none", "none", "select shop_id, name from shop_opened");
    let registry = of(&[("core/dim_a.sql", &late), ("core/dim_b.sql", &early)]).expect("sound");
    let names: Vec<_> = registry.views().iter().map(|view| view.name.as_str()).collect();
    assert_eq!(names, ["dim_b", "dim_a"]);
}

#[test]
fn what_is_wrong_is_named() {
    let refused = |path: &str, text: &str, part: &str| {
        let error = of(&[(path, text)]).expect_err("refused").to_string();
        assert!(error.contains(part), "{error}");
    };
    let sql = "select shop_id, name from shop_opened";
    refused("core/shops.sql", &file("shop_id", "none", "none", sql), "dim_");
    refused(
        "core/dim_a.sql",
        &file("shop", "none", "none", sql),
        "line 3: the header names column shop, which the select lacks; it has shop_id, name",
    );
    refused("core/dim_a.sql", &file("none", "live", "none", sql), "live view needs a key");
    refused("core/fct_a.sql", &file("shop_id", "none", "history", sql), "column position");
    refused(
        "core/dim_a.sql",
        &file("none", "none", "none", "select\n  nam\nfrom shop_opened"),
        "view dim_a, line 7, column 3: there is no column \"nam\"\n  |\n7 |   nam\n  |   ^^^\n  = did you mean \"name\"?",
    );
    refused(
        "core/dim_a.sql",
        &file("none", "none", "none", "select name\nfrom shop_opend"),
        "line 7, column 6: no relation or view is called \"shop_opend\"",
    );
    refused(
        "core/dim_a.sql",
        &file("none", "none", "none", "select name\nform shop_opened s"),
        "view dim_a, line 7, column 1: Expected: end of statement",
    );
    refused("core/dim_a.sql", &file("none", "none", "none", "select 1; select 2"), "exactly one");
    refused("core/dim_a.sql", &file("none", "none", "none", "select * from dim_a"), "circle");
}

#[test]
fn what_the_engine_refuses_is_told_by_the_line_of_the_file() {
    let sql = "select name,\n  random() as r\nfrom shop_opened";
    let registry = of(&[("core/dim_a.sql", &file("none", "none", "none", sql))]).expect("it plans");
    let mut engine = Engine::new(EngineConfig::default()).expect("an engine");
    for relation in registry.relations() {
        engine.create_relation(relation).expect("a relation");
    }
    let view = registry.definitions().remove(0);
    let refused = engine.create_view(view).expect_err("it draws at random").to_string();
    assert!(refused.starts_with("view dim_a, line 7, column 3: random() is not"), "{refused}");
}

#[test]
fn a_fingerprint_changes_with_anything_that_is_read() {
    let reader = file("shop_id", "none", "none", "select shop_id from dim_b");
    let one = file("shop_id", "none", "none", "select shop_id from shop_opened");
    let two = file("shop_id", "none", "none", "select shop_id from shop_opened where code <> ''");
    let fingerprint = |read: &str| {
        let registry = of(&[("core/dim_a.sql", &reader), ("core/dim_b.sql", read)]).expect("sound");
        registry.get("dim_a").expect("a view").fingerprint.clone()
    };
    assert_eq!(fingerprint(&one), fingerprint(&one));
    assert_ne!(fingerprint(&one), fingerprint(&two));
}

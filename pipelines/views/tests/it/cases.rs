use millrace_views::Registry;
use millrace_views::case::Case;

#[tokio::test]
async fn every_view_has_a_test_and_passes_it() {
    let registry = Registry::load().expect("the views are sound");
    let mut failures = Vec::new();
    for view in registry.views() {
        let outcome = match Case::load(&registry, &view.name) {
            Ok(case) => case.run(&registry).await,
            Err(error) => Err(error),
        };
        failures.extend(outcome.err().map(|error| error.to_string()));
    }
    assert!(failures.is_empty(), "{}", failures.join("\n\n"));
}

#[tokio::test]
async fn a_wrong_expectation_fails_and_shows_both_sides() {
    let registry = Registry::load().expect("the views are sound");
    let text = r#"
        [[given]]
        event = "shop_opened"
        shop_id = "s1"
        name = "High Street"

        [[expect]]
        shop_id = "s1"
        shop_name = "Low Street"
    "#;
    let case = Case::parse(&registry, "dim_shop", "a.test.toml", text).expect("it parses");
    let error = case.run(&registry).await.expect_err("the name differs").to_string();
    assert!(error.contains("Low Street") && error.contains("High Street"), "{error}");
}

#[test]
fn an_unknown_column_is_named() {
    let registry = Registry::load().expect("the views are sound");
    let text = "[[given]]\nevent = \"shop_opened\"\nshop = \"s1\"\n";
    let error =
        Case::parse(&registry, "dim_shop", "a.test.toml", text).expect_err("no column shop");
    assert!(error.to_string().contains("shop is no column"), "{error}");
}

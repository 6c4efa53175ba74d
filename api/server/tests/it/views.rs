//! Views as JSON: exact, paged, at a position, confined to shops.

use std::time::Duration;

use millrace_events::{Lsn, Position, ShopId, Token};
use millrace_server::{Options, Parts};
use serde_json::json;

use crate::feed::{Sale, Shopfloor, lsn_at};
use crate::harness::{Server, body, problem, run};

const VIEW: &str = "/api/v1/views/live_test_by_shop";

async fn open() -> (Server, Shopfloor, String) {
    let floor = Shopfloor::open().await;
    let options = Options { wait_timeout: Duration::from_millis(200), ..Options::default() };
    let server = Server::start_on(options, Parts::default(), Some(floor.pipeline.clone())).await;
    let admin = server.token_of("admin@example.com", &["admin"], &[]).await;
    (server, floor, admin)
}

#[test]
fn rows_are_exact_and_say_where_they_are_true() {
    run(async {
        let (server, floor, admin) = open().await;
        let shop = ShopId::new();
        floor.sell_seen(&[Sale::of(shop, 150_000), Sale::of(shop, 999_999_999_999_999_000)]).await;
        let response = server.get(VIEW).bearer_auth(&admin).send().await.expect("an answer");
        assert_eq!(response.status(), 200);
        assert_eq!(response.headers()["millrace-position"], "2");
        assert_eq!(response.headers()["content-type"], "application/json");
        assert_eq!(
            response.text().await.expect("text"),
            format!(
                "{{\"view\":\"live_test_by_shop\",\"position\":2,\
                 \"as_of\":\"2026-03-02T09:00:00.002Z\",\"epoch\":1,\"total\":1,\
                 \"rows\":[{{\"shop_id\":\"{shop}\",\"note\":\"n\",\"last_date\":\"2024-10-04\",\
                 \"sales\":2,\"revenue\":10000000000001490.00}}]}}"
            )
        );
        floor.close().await;
    });
}

#[test]
fn filters_sorts_and_pages_are_checked_against_the_columns() {
    run(async {
        let (server, floor, admin) = open().await;
        let mut shops: Vec<ShopId> = (0..5).map(|_| ShopId::new()).collect();
        let sales: Vec<Sale> = shops
            .iter()
            .zip([300, 100, 500, 100, 200])
            .map(|(shop, amount)| Sale::of(*shop, amount))
            .collect();
        floor.sell_seen(&sales).await;
        let get = async |query: &str| {
            server
                .get(&format!("{VIEW}?{query}"))
                .bearer_auth(&admin)
                .send()
                .await
                .expect("an answer")
        };
        let ids = async |query: &str| {
            let page = body(get(query).await).await;
            let rows = page["rows"].as_array().expect("rows").clone();
            rows.iter()
                .map(|row| row["shop_id"].as_str().expect("id").to_owned())
                .collect::<Vec<_>>()
        };
        let mut listed = ids("sort=revenue:desc&limit=2").await;
        listed.extend(ids("sort=revenue:desc&limit=2&page=2").await);
        listed.extend(ids("sort=revenue:desc&limit=2&page=3").await);
        let by_revenue = [shops[2], shops[0], shops[4]].map(|shop| shop.to_string());
        assert_eq!(listed[..3], by_revenue);
        let mut least = [shops[1], shops[3]].map(|shop| shop.to_string());
        least.sort();
        assert_eq!(listed[3..], least, "equals come in the order of the key");

        assert_eq!(ids("revenue=5.00").await, [shops[2].to_string()]);
        assert_eq!(
            ids(&format!("shop_id={}&shop_id={}&revenue=1", shops[1], shops[2])).await,
            [shops[1].to_string()]
        );
        shops.sort_by_key(ToString::to_string);
        let all: Vec<String> = shops.iter().map(ToString::to_string).collect();
        assert_eq!(ids("").await, all, "without a sort by the key");

        for (query, code, field) in [
            ("shop=1", "column_unknown", "shop"),
            ("sort=shop", "column_unknown", "shop"),
            ("sort=revenue:down", "sort_unreadable", "sort"),
            ("revenue=much", "value_unreadable", "revenue"),
            ("last_date=2024-13-01", "value_unreadable", "last_date"),
            ("limit=0", "out_of_range", "limit"),
            ("limit=1001", "out_of_range", "limit"),
            ("page=0", "out_of_range", "page"),
            ("at_least=soon", "parameter_unreadable", "at_least"),
            ("wait_for=soon", "parameter_unreadable", "wait_for"),
        ] {
            let (status, refused) = problem(get(query).await).await;
            assert_eq!((status, &refused["code"]), (400, &json!(code)), "{query}");
            assert_eq!(refused["errors"][0]["field"], field, "{query}");
        }
        let (_, unknown) = problem(get("shop=1").await).await;
        let detail = unknown["detail"].as_str().expect("detail");
        assert!(detail.contains("shop_id, note, last_date, sales, revenue"), "{detail}");
        floor.close().await;
    });
}

#[test]
fn a_read_waits_for_a_position_or_a_write_but_not_for_ever() {
    run(async {
        let (server, floor, admin) = open().await;
        let shop = ShopId::new();
        floor.sell_seen(&[Sale::of(shop, 100)]).await;
        let get = |query: String| server.get(&format!("{VIEW}?{query}")).bearer_auth(&admin).send();

        let (status, late) = problem(get("at_least=2".into()).await.expect("an answer")).await;
        assert_eq!((status, &late["code"]), (504, &json!("frontier_timeout")));
        let token = Token(Lsn(lsn_at(Position(2)).0 - 1));
        let (status, _) = problem(get(format!("wait_for={token}")).await.expect("an answer")).await;
        assert_eq!(status, 504);

        let waits = get("at_least=2".into());
        let header =
            server.get(VIEW).bearer_auth(&admin).header("millrace-wait-for", token.to_string());
        let (waited, told, _) =
            tokio::join!(waits, header.send(), async { floor.sell(&[Sale::of(shop, 50)]) });
        for response in [waited.expect("an answer"), told.expect("an answer")] {
            assert_eq!(response.status(), 200);
            let page = body(response).await;
            assert_eq!((&page["position"], &page["rows"][0]["sales"]), (&json!(2), &json!(2)));
        }
        floor.close().await;
    });
}

#[test]
fn a_frontier_without_events_lets_a_waiting_read_go() {
    run(async {
        let (server, floor, admin) = open().await;
        floor.sell_seen(&[Sale::of(ShopId::new(), 100)]).await;
        let token = Token(lsn_at(Position(1)));
        let path = format!("{VIEW}?wait_for={token}");
        let response = server.get(&path).bearer_auth(&admin).send().await.expect("an answer");
        assert_eq!(response.status(), 200);
        floor.close().await;
    });
}

#[test]
fn views_are_listed_with_what_a_reader_needs() {
    run(async {
        let (server, floor, admin) = open().await;
        floor.sell_seen(&[Sale::of(ShopId::new(), 100)]).await;
        let list =
            body(server.get("/api/v1/views").bearer_auth(&admin).send().await.expect("an answer"))
                .await;
        let views = list["views"].as_array().expect("views");
        let by_shop =
            views.iter().find(|view| view["name"] == "live_test_by_shop").expect("listed");
        let sql = by_shop["sql"].as_str().expect("sql");
        assert!(sql.starts_with("select shop_id"), "{sql}");
        assert_eq!(
            by_shop["columns"],
            json!([
                {"name": "shop_id", "type": "text", "nullable": false},
                {"name": "note", "type": "text", "nullable": true},
                {"name": "last_date", "type": "date", "nullable": true},
                {"name": "sales", "type": "integer", "nullable": false},
                {"name": "revenue", "type": "decimal(28,2)", "nullable": true},
            ])
        );
        assert_eq!((&by_shop["position"], &by_shop["rows"]), (&json!(1), &json!(1)));
        assert_eq!((&by_shop["serve"], &by_shop["mart"]), (&json!("live"), &json!("none")));
        assert_eq!(by_shop["key"], json!(["shop_id"]));
        assert!(
            views.iter().any(|view| view["name"] == "stg_test__sales" && view["rows"].is_null())
        );
        floor.close().await;
    });
}

#[test]
fn a_person_sees_the_own_shops_only() {
    run(async {
        let (server, floor, _) = open().await;
        let (own, other) = (ShopId::new(), ShopId::new());
        floor.sell_seen(&[Sale::of(own, 100), Sale::of(other, 200)]).await;
        let cashier = server.token_of("asha@example.com", &["cashier"], &[own]).await;
        let get = |path: String| server.get(&path).bearer_auth(&cashier).send();

        let page = body(get(VIEW.into()).await.expect("an answer")).await;
        assert_eq!((&page["total"], &page["rows"][0]["shop_id"]), (&json!(1), &json!(own)));
        for path in [format!("{VIEW}?shop_id={other}"), format!("{VIEW}/stream?shop_id={other}")] {
            let (status, refused) = problem(get(path).await.expect("an answer")).await;
            assert_eq!((status, &refused["code"]), (403, &json!("shop_forbidden")));
        }
        for path in ["/api/v1/views/live_test_total", "/api/v1/views/live_test_total/stream"] {
            let (status, refused) = problem(get(path.into()).await.expect("an answer")).await;
            assert_eq!((status, &refused["code"]), (403, &json!("forbidden")));
        }
        let list = body(get("/api/v1/views".into()).await.expect("an answer")).await;
        let views = list["views"].as_array().expect("views");
        assert!(views.iter().all(|view| view["rows"].is_null()), "how many rows others have");

        let nobody = server.token_of("ben@example.com", &["cashier"], &[]).await;
        let page = server.get(VIEW).bearer_auth(&nobody).send().await.expect("an answer");
        assert_eq!(body(page).await["total"], 0, "without shops there are no rows");
        floor.close().await;
    });
}

#[test]
fn a_row_tells_what_it_comes_from() {
    run(async {
        let (server, floor, admin) = open().await;
        let (shop, other) = (ShopId::new(), ShopId::new());
        let sales = [Sale::of(shop, 100), Sale::of(other, 200), Sale::of(shop, 300)];
        floor.sell_seen(&sales).await;
        let why = async |path: &str, token: &str| {
            let path = format!("/api/v1/views/{path}");
            server.get(&path).bearer_auth(token).send().await.expect("an answer")
        };
        let path = format!("live_test_by_shop/why?shop_id={shop}&limit=1");
        let answer = body(why(&path, &admin).await).await;
        assert_eq!(answer["position"], 3);
        assert_eq!(answer["rows"].as_array().map(Vec::len), Some(1));
        assert_eq!(
            (&answer["rows"][0]["sales"], &answer["rows"][0]["revenue"]),
            (&json!(2), &json!(4.0))
        );
        let named: Vec<_> = answer["inputs"]
            .as_array()
            .expect("inputs")
            .iter()
            .map(|input| (&input["name"], &input["reader"], &input["is_view"], &input["total"]))
            .collect();
        assert_eq!(
            named,
            [
                (&json!("stg_test__sales"), &json!("live_test_by_shop"), &json!(true), &json!(2)),
                (&json!("sale"), &json!("stg_test__sales"), &json!(false), &json!(2)),
            ]
        );
        let events = answer["inputs"][1]["rows"].as_array().expect("rows");
        assert_eq!((events.len(), &events[0]["shop_id"]), (1, &json!(shop)));

        let nothing = format!("live_test_by_shop/why?shop_id={}", ShopId::new());
        let answer = body(why(&nothing, &admin).await).await;
        assert_eq!((&answer["rows"], &answer["inputs"]), (&json!([]), &json!([])));

        let cashier = server.token_of("asha@example.com", &["cashier"], &[shop]).await;
        let answer = body(why(&path, &cashier).await).await;
        assert_eq!(answer["inputs"][1]["total"], 2);
        let refusals = [
            (format!("live_test_by_shop/why?shop_id={other}"), &cashier, 403, "shop_forbidden"),
            ("live_test_total/why?currency=INR".to_owned(), &cashier, 403, "forbidden"),
            ("live_test_by_shop/why?sales=2".to_owned(), &admin, 400, "key_incomplete"),
            ("live_test_by_shop/why?shop=a".to_owned(), &admin, 400, "column_unknown"),
            ("stg_test__sales/why?position=1".to_owned(), &admin, 404, "view_not_served"),
        ];
        for (path, token, status, code) in refusals {
            let (found, refused) = problem(why(&path, token).await).await;
            assert_eq!((found, &refused["code"]), (status, &json!(code)), "{path}");
        }
        floor.close().await;
    });
}

#[test]
fn a_view_tells_what_its_operators_cost() {
    run(async {
        let (server, floor, admin) = open().await;
        floor.sell_seen(&[Sale::of(ShopId::new(), 100)]).await;
        floor.sell_seen(&[Sale::of(ShopId::new(), 200), Sale::of(ShopId::new(), 300)]).await;
        let path = format!("{VIEW}/explain");
        let answer = server.get(&path).bearer_auth(&admin).send().await.expect("an answer");
        let answer = body(answer).await;
        let operators = answer["operators"].as_array().expect("operators");
        let last = operators.last().expect("there are some");
        assert!(last["class"].as_str().is_some_and(|class| class.contains("aggregate")), "{last}");
        assert_eq!((&last["rows_in"], &last["state_rows"]), (&json!(3), &json!(3)), "{last}");
        assert_eq!(last["epochs"], 2, "{last}");
        assert!(last["worst_us"].as_u64() >= last["mean_us"].as_u64(), "{last}");
        let ids: Vec<_> = operators.iter().map(|operator| &operator["id"]).collect();
        let reads = last["inputs"].as_array().expect("inputs");
        assert!(reads.iter().all(|input| ids.contains(&input)), "{last}");
        assert!(answer["state_bytes"].as_u64() > last["state_bytes"].as_u64(), "{answer}");
        floor.close().await;
    });
}

#[test]
fn what_is_not_served_is_not_found() {
    run(async {
        let (server, floor, admin) = open().await;
        for (name, code) in
            [("live_nothing", "unknown_view"), ("stg_test__sales", "view_not_served")]
        {
            for path in [format!("/api/v1/views/{name}"), format!("/api/v1/views/{name}/stream")] {
                let response =
                    server.get(&path).bearer_auth(&admin).send().await.expect("an answer");
                let (status, missing) = problem(response).await;
                assert_eq!((status, &missing["code"]), (404, &json!(code)), "{path}");
            }
        }
        floor.close().await;
    });
}

#[test]
fn without_a_pipeline_views_are_unavailable_and_the_rest_works() {
    run(async {
        let server = Server::start().await;
        let admin = server.token_of("admin@example.com", &["admin"], &[]).await;
        let response = server.get(VIEW).bearer_auth(&admin).send().await.expect("an answer");
        let (status, absent) = problem(response).await;
        assert_eq!((status, &absent["code"]), (503, &json!("pipeline_absent")));
        let me = server.get("/api/v1/me").bearer_auth(&admin).send().await.expect("an answer");
        assert_eq!(me.status(), 200);
    });
}

#[test]
fn status_tells_how_far_the_views_are() {
    run(async {
        let (server, floor, admin) = open().await;
        floor.sell_seen(&[Sale::of(ShopId::new(), 100), Sale::of(ShopId::new(), 100)]).await;
        let status =
            server.get("/api/v1/status").bearer_auth(&admin).send().await.expect("an answer");
        let status = body(status).await;
        assert_eq!((&status["position"], &status["frontier_position"]), (&json!(2), &json!(2)));
        assert_eq!(status["environment"], "demo");
        assert_eq!(status["version"], env!("CARGO_PKG_VERSION"));
        // The events lie ahead of the clock: they have no age yet.
        assert_eq!((&status["freshness_ms"], &status["lag_events"]), (&json!(0), &json!(0)));
        assert_eq!(status["parts"]["pipeline"]["state"], "ready");
        floor.close().await;
    });
}

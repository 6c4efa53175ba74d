//! Views as event streams: LIV-1, a resumed stream has no gap or says `reset`.

use std::time::Duration;

use millrace_events::ShopId;
use millrace_server::{Options, Parts};
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use reqwest::Response;
use serde_json::{Value, json};

use crate::client::{Screen, Stream};
use crate::feed::{Sale, Shopfloor};
use crate::harness::{Server, body, problem, run};

const VIEW: &str = "/api/v1/views/live_test_by_shop";

struct Live {
    server: Server,
    floor: Shopfloor,
    token: String,
}

impl Live {
    async fn open(floor: Shopfloor, options: Options) -> Self {
        let pipeline = Some(floor.pipeline.clone());
        let server = Server::start_on(options, Parts::default(), pipeline).await;
        let token = server.token_of("admin@example.com", &["admin"], &[]).await;
        Self { server, floor, token }
    }

    async fn ask(&self, query: &str, last_id: Option<&str>) -> Response {
        let request = self.server.get(&format!("{VIEW}/stream{query}")).bearer_auth(&self.token);
        let request = match last_id {
            Some(id) => request.header("last-event-id", id),
            None => request,
        };
        request.send().await.expect("an answer")
    }

    async fn stream(&self, query: &str, last_id: Option<&str>) -> Stream {
        Stream::of(self.ask(query, last_id).await)
    }

    /// The view's rows, read at once.
    async fn rows(&self) -> Vec<Value> {
        let path = format!("{VIEW}?limit=1000");
        let response = self.server.get(&path).bearer_auth(&self.token).send().await;
        body(response.expect("an answer")).await["rows"].as_array().expect("rows").clone()
    }
}

#[test]
fn a_stream_begins_with_all_rows_and_goes_on_with_what_changes() {
    run(async {
        let live = Live::open(Shopfloor::open().await, Options::default()).await;
        let (one, two) = (ShopId::new(), ShopId::new());
        live.floor.sell_seen(&[Sale::of(one, 100)]).await;
        let mut stream = live.stream("", None).await;
        let first = stream.next_news().await;
        assert_eq!((first.name.as_str(), first.id.as_str()), ("snapshot", "1"));
        assert_eq!(first.data["view"], "live_test_by_shop");
        assert_eq!(first.data["key"], json!(["shop_id"]));
        assert_eq!(
            first.data["columns"],
            json!(["shop_id", "note", "last_date", "sales", "revenue"])
        );
        assert_eq!(first.data["rows"].as_array().expect("rows").len(), 1);
        assert_eq!(first.data["as_of"], "2026-03-02T09:00:00.001Z");

        live.floor.sell(&[Sale::of(two, 250), Sale::of(one, 50)]);
        let change = stream.next_news().await;
        assert_eq!((change.name.as_str(), change.id.as_str()), ("change", "3"));
        assert_eq!(change.data["as_of"], "2026-03-02T09:00:00.003Z");
        assert_eq!(change.data["deletes"], json!([]));
        let mut screen = Screen::default();
        screen.apply(&first);
        screen.apply(&change);
        assert_eq!(screen.sorted(), live.rows().await);
        live.floor.close().await;
    });
}

#[test]
fn heartbeats_tell_that_what_is_shown_is_still_true() {
    run(async {
        let live = Live::open(Shopfloor::open().await, Options::default()).await;
        let (one, two) = (ShopId::new(), ShopId::new());
        live.floor.sell_seen(&[Sale::of(one, 100)]).await;
        let mut stream = live.stream(&format!("?shop_id={one}"), None).await;
        stream.next_news().await;
        live.floor.sell_seen(&[Sale::of(two, 100)]).await;
        let mut beat = stream.next().await.expect("a heartbeat");
        while beat.id == "1" {
            beat = stream.next().await.expect("a heartbeat");
        }
        assert_eq!((beat.name.as_str(), beat.id.as_str()), ("heartbeat", "2"));
        assert_eq!(beat.data["as_of"], "2026-03-02T09:00:00.002Z");
        assert_eq!(beat.data["server_time"], "2026-03-02T09:00:00Z");
        live.floor.close().await;
    });
}

#[test]
fn a_resumed_stream_has_no_gap_whenever_it_was_cut() {
    run(async {
        for seed in 0..4 {
            let mut rng = StdRng::seed_from_u64(seed);
            let pace = Duration::from_millis(rng.random_range(0..20));
            let options = Options { stream_pace: pace, ..Options::default() };
            let live = Live::open(Shopfloor::open().await, options).await;
            let shops: Vec<ShopId> = (0..6).map(|_| ShopId::new()).collect();
            let mut screen = Screen::default();
            let mut sold = live.floor.sell_seen(&[Sale::of(shops[0], 1)]).await;
            for _ in 0..25 {
                let last_id = Some(screen.last_id.clone()).filter(|id| !id.is_empty());
                let mut stream = live.stream("", last_id.as_deref()).await;
                for _ in 0..rng.random_range(1..8) {
                    let sales: Vec<Sale> = (0..rng.random_range(1..5))
                        .map(|_| {
                            Sale::of(shops[rng.random_range(0..6)], rng.random_range(-900..900))
                        })
                        .collect();
                    sold = live.floor.sell(&sales);
                }
                // Cut somewhere before, at or behind the end of what was sold.
                let until = sold.0.saturating_sub(rng.random_range(0..6));
                let resets = stream.follow(&mut screen, until).await;
                assert_eq!(resets, 0, "seed {seed}: everything is retained");
            }
            let mut stream = live.stream("", Some(&screen.last_id)).await;
            stream.follow(&mut screen, sold.0).await;
            assert_eq!(screen.sorted(), live.rows().await, "seed {seed}");
            live.floor.close().await;
        }
    });
}

#[test]
fn what_is_not_retained_is_reset_not_skipped() {
    run(async {
        let floor = Shopfloor::with(|options| options.retained_epochs_max = 3).await;
        let live = Live::open(floor, Options::default()).await;
        let shops: Vec<ShopId> = (0..3).map(|_| ShopId::new()).collect();
        live.floor.sell_seen(&[Sale::of(shops[0], 1)]).await;
        let mut screen = Screen::default();
        live.stream("", None).await.follow(&mut screen, 1).await;
        let mut sold = 0;
        for round in 0..10 {
            sold = live.floor.sell_seen(&[Sale::of(shops[round % 3], 10)]).await.0;
        }
        let mut stream = live.stream("", Some(&screen.last_id)).await;
        let reset = stream.next().await.expect("a reset");
        assert_eq!((reset.name.as_str(), reset.id.as_str()), ("reset", ""));
        assert!(reset.data["reason"].is_string());
        screen.apply(&reset);
        assert_eq!(stream.follow(&mut screen, sold).await, 0);
        assert_eq!(screen.sorted(), live.rows().await);

        let mut ahead = live.stream("", Some("1000000")).await;
        assert_eq!(
            ahead.next_news().await.name,
            "reset",
            "a client ahead of the views starts over"
        );
        let (status, refused) = problem(live.ask("", Some("yesterday")).await).await;
        assert_eq!((status, &refused["code"]), (400, &json!("parameter_unreadable")));
        live.floor.close().await;
    });
}

/// What a client may be behind: its own 64 KiB window, 128 KiB unsent in the gateway's socket, 400 KiB
/// in its HTTP connection, and the event that no longer fitted.
const BEHIND_BYTES_MAX: usize = 1024 * 1024;

#[test]
fn a_client_that_reads_too_slowly_is_reset_and_ends_up_right() {
    run(async {
        let floor = Shopfloor::with(|options| options.retained_epochs_max = 16).await;
        let options = Options { stream_pace: Duration::ZERO, ..Options::default() };
        let live = Live::open(floor, options).await;
        let shop = ShopId::new();
        live.floor.sell_seen(&[Sale::of(shop, 1)]).await;
        let path = format!("{VIEW}/stream");
        let mut stream = Stream::narrow(live.server.address, &path, &live.token).await;
        let mut screen = Screen::default();
        stream.follow(&mut screen, 1).await;
        // Each epoch writes 64 KiB anew, since its note is greater than all before, and nobody reads.
        let mut sold = 0;
        for round in 0..200 {
            let note = format!("o{round:04}{}", "x".repeat(64 * 1024));
            sold = live.floor.sell_seen(&[Sale { shop, amount: 1, note }]).await.0;
        }
        let read_before = stream.read;
        while !screen.rows.is_empty() {
            let event = stream.next().await.expect("the stream goes on");
            screen.apply(&event);
            assert_ne!(event.data["position"], sold, "changes were queued without bound");
        }
        let behind = stream.read - read_before;
        assert!(behind < BEHIND_BYTES_MAX, "{behind} bytes waited for a client that did not read");
        stream.follow(&mut screen, sold).await;
        assert_eq!(screen.sorted(), live.rows().await);
        live.floor.close().await;
    });
}

#[test]
fn a_stream_is_confined_to_filter_and_shops() {
    run(async {
        let live = Live::open(Shopfloor::open().await, Options::default()).await;
        let (own, other) = (ShopId::new(), ShopId::new());
        live.floor.sell_seen(&[Sale::of(own, 100), Sale::of(other, 100)]).await;
        let cashier = live.server.token_of("asha@example.com", &["cashier"], &[own]).await;
        let request = live.server.get(&format!("{VIEW}/stream")).bearer_auth(&cashier);
        let mut scoped = Stream::of(request.send().await.expect("an answer"));
        let mut cheap = live.stream("?revenue=1.00", None).await;
        let (mut scoped_screen, mut cheap_screen) = (Screen::default(), Screen::default());
        scoped.follow(&mut scoped_screen, 2).await;
        cheap.follow(&mut cheap_screen, 2).await;
        assert_eq!((scoped_screen.rows.len(), cheap_screen.rows.len()), (1, 2));

        live.floor.sell(&[Sale::of(other, 1)]);
        let sold = live.floor.sell_seen(&[Sale::of(own, 0)]).await;
        let mut seen = String::new();
        loop {
            let event = scoped.next().await.expect("the stream goes on");
            seen.push_str(&event.data.to_string());
            if event.data["position"] == sold.0 {
                break;
            }
        }
        assert!(!seen.contains(&other.to_string()), "{seen}");
        cheap.follow(&mut cheap_screen, sold.0).await;
        let left: Vec<_> = cheap_screen.rows.values().map(|row| row["shop_id"].clone()).collect();
        assert_eq!(left, [json!(own)], "a row that leaves the filter is dropped");
        live.floor.close().await;
    });
}

#[test]
fn streams_are_counted_and_given_back() {
    run(async {
        let options = Options { streams_per_user_max: 2, ..Options::default() };
        let live = Live::open(Shopfloor::open().await, options).await;
        live.floor.sell_seen(&[Sale::of(ShopId::new(), 1)]).await;
        let kept = live.stream("", None).await;
        let mut left = live.stream("", None).await;
        left.next_news().await;
        let refused = live.ask("", None).await;
        assert!(refused.headers().contains_key("retry-after"));
        let (status, refused) = problem(refused).await;
        assert_eq!((status, &refused["code"]), (429, &json!("streams_taken")));
        drop(left);
        let deadline = tokio::time::Instant::now() + Duration::from_secs(20);
        while live.ask("", None).await.status() != 200 {
            assert!(tokio::time::Instant::now() < deadline, "the slot is never given back");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        drop(kept);
        live.floor.close().await;
    });
}

#[test]
fn streams_end_when_the_gateway_stops() {
    run(async {
        let live = Live::open(Shopfloor::open().await, Options::default()).await;
        live.floor.sell_seen(&[Sale::of(ShopId::new(), 1)]).await;
        let mut stream = live.stream("", None).await;
        stream.next_news().await;
        let Live { server, floor, .. } = live;
        drop(server);
        while stream.next().await.is_some() {}
        floor.close().await;
    });
}

//! A client of live streams that holds what a screen would hold.

use std::collections::BTreeMap;
use std::time::Duration;

use futures::StreamExt;
use futures::stream::BoxStream;
use reqwest::Response;
use serde_json::Value;

const PATIENCE: Duration = Duration::from_secs(20);

/// One event as it came.
#[derive(Debug)]
pub struct Event {
    pub name: String,
    pub id: String,
    pub data: Value,
}

/// The rows of a view by key, and the last event id.
#[derive(Debug, Default)]
pub struct Screen {
    pub rows: BTreeMap<String, Value>,
    pub last_id: String,
    key: Vec<String>,
}

impl Screen {
    pub fn apply(&mut self, event: &Event) {
        self.last_id.clone_from(&event.id);
        match event.name.as_str() {
            "reset" => self.rows.clear(),
            "snapshot" => {
                self.rows.clear();
                let key = event.data["key"].as_array().expect("key").iter();
                self.key = key.map(|name| name.as_str().expect("a name").to_owned()).collect();
                self.put(&event.data["rows"]);
            }
            "change" => {
                for row in event.data["deletes"].as_array().expect("deletes") {
                    self.rows.remove(&self.key_of(row));
                }
                self.put(&event.data["upserts"]);
            }
            "heartbeat" => {}
            other => panic!("event {other}"),
        }
    }

    /// The rows as an answer of the same view holds them.
    pub fn sorted(&self) -> Vec<Value> {
        self.rows.values().cloned().collect()
    }

    fn put(&mut self, rows: &Value) {
        for row in rows.as_array().expect("rows") {
            self.rows.insert(self.key_of(row), row.clone());
        }
    }

    fn key_of(&self, row: &Value) -> String {
        let values: Vec<String> = self.key.iter().map(|column| row[column].to_string()).collect();
        values.join(" ")
    }
}

/// An open stream.
pub struct Stream {
    bytes: BoxStream<'static, reqwest::Result<Vec<u8>>>,
    buffer: Vec<u8>,
}

impl Stream {
    pub fn of(response: Response) -> Self {
        assert_eq!(response.status(), 200);
        assert_eq!(response.headers()["content-type"], "text/event-stream");
        assert!(response.headers().get("content-encoding").is_none(), "sent as it comes");
        let bytes = response.bytes_stream().map(|part| part.map(|bytes| bytes.to_vec()));
        Self { bytes: bytes.boxed(), buffer: Vec::new() }
    }

    /// The next event; none at the end.
    pub async fn next(&mut self) -> Option<Event> {
        loop {
            let end = self.buffer.windows(2).position(|pair| pair == b"\n\n");
            if let Some(end) = end {
                let event: Vec<u8> = self.buffer.drain(..end + 2).collect();
                return Some(parse(std::str::from_utf8(&event).expect("utf-8")));
            }
            let part = tokio::time::timeout(PATIENCE, self.bytes.next()).await;
            match part.expect("an event or the end in time") {
                Some(Ok(bytes)) => self.buffer.extend(bytes),
                Some(Err(_)) | None => return None,
            }
        }
    }

    /// The next event that is no heartbeat.
    pub async fn next_news(&mut self) -> Event {
        loop {
            let event = self.next().await.expect("the stream goes on");
            if event.name != "heartbeat" {
                return event;
            }
        }
    }

    /// Applies events until the screen is at `position`; how many resets there were.
    pub async fn follow(&mut self, screen: &mut Screen, position: u64) -> usize {
        let mut resets = 0;
        loop {
            let event = self.next().await.expect("the stream goes on");
            resets += usize::from(event.name == "reset");
            screen.apply(&event);
            if event.data["position"].as_u64().is_some_and(|at| at >= position) {
                return resets;
            }
        }
    }
}

fn parse(text: &str) -> Event {
    let field = |name: &str| {
        let prefix = format!("{name}: ");
        let line = text.lines().find_map(|line| line.strip_prefix(&prefix));
        line.unwrap_or_default().to_owned()
    };
    let data = serde_json::from_str(&field("data")).expect("JSON on one line");
    Event { name: field("event"), id: field("id"), data }
}

//! A client of live streams that holds what a screen would hold.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Duration;

use futures::StreamExt;
use futures::stream::{BoxStream, unfold};
use reqwest::Response;
use serde_json::Value;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpSocket;

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
    bytes: BoxStream<'static, Vec<u8>>,
    buffer: Vec<u8>,
    /// Bytes of the events given so far.
    pub read: usize,
}

impl Stream {
    pub fn of(response: Response) -> Self {
        assert_eq!(response.status(), 200);
        assert_eq!(response.headers()["content-type"], "text/event-stream");
        assert!(response.headers().get("content-encoding").is_none(), "sent as it comes");
        let bytes = unfold(response, async |mut response| {
            let part = response.chunk().await.ok().flatten()?;
            Some((part.to_vec(), response))
        });
        Self { bytes: bytes.boxed(), buffer: Vec::new(), read: 0 }
    }

    /// A stream over a socket that takes next to nothing by itself: what is not read stays behind.
    pub async fn narrow(address: SocketAddr, path: &str, token: &str) -> Self {
        let socket = TcpSocket::new_v4().expect("a socket");
        socket.set_recv_buffer_size(32 * 1024).expect("a small buffer");
        let mut socket = socket.connect(address).await.expect("connected");
        // An answer to HTTP/1.0 comes as it is, without the frames of chunks.
        let request = format!("GET {path} HTTP/1.0\r\nauthorization: Bearer {token}\r\n\r\n");
        socket.write_all(request.as_bytes()).await.expect("asked");
        let mut answer = BufReader::new(socket);
        let mut line = String::new();
        answer.read_line(&mut line).await.expect("a status");
        assert!(line.contains(" 200 "), "{line}");
        while line != "\r\n" {
            line.clear();
            answer.read_line(&mut line).await.expect("a header");
        }
        let bytes = unfold(answer, async |mut answer| {
            let mut part = vec![0; 16 * 1024];
            let length = answer.read(&mut part).await.ok().filter(|length| *length > 0)?;
            part.truncate(length);
            Some((part, answer))
        });
        Self { bytes: bytes.boxed(), buffer: Vec::new(), read: 0 }
    }

    /// The next event; none at the end.
    pub async fn next(&mut self) -> Option<Event> {
        loop {
            let end = self.buffer.windows(2).position(|pair| pair == b"\n\n");
            if let Some(end) = end {
                let event: Vec<u8> = self.buffer.drain(..end + 2).collect();
                self.read += event.len();
                return Some(parse(std::str::from_utf8(&event).expect("utf-8")));
            }
            let part = tokio::time::timeout(PATIENCE, self.bytes.next()).await;
            match part.expect("an event or the end in time") {
                Some(bytes) => self.buffer.extend(bytes),
                None => return None,
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

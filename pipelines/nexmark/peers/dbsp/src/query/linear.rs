//! Row by row.

use std::sync::LazyLock;

use dbsp::algebra::F64;
use dbsp::utils::{Tup2, Tup4, Tup5, Tup7};
use regex::Regex;

use super::{Results, Tables, rows};
use crate::hash::absorb;

const HOUR_MS: i64 = 3_600_000;
const RATE: f64 = 0.908;

pub fn q0(tables: &Tables) -> Results {
    let bids =
        tables.bids.map(|b| Tup5(b.auction, b.bidder, b.price, b.date_time, b.extra.clone()));
    rows(&bids, |r, h| absorb!(h, r.0, r.1, r.2, r.3, r.4))
}

pub fn q1(tables: &Tables) -> Results {
    let bids = tables.bids.map(|b| {
        let price = F64::new(RATE * b.price as f64);
        Tup5(b.auction, b.bidder, price, b.date_time, b.extra.clone())
    });
    rows(&bids, |r, h| absorb!(h, r.0, r.1, r.2, r.3, r.4))
}

pub fn q2(tables: &Tables) -> Results {
    let bids = tables.bids.flat_map(|b| (b.auction % 123 == 0).then_some(Tup2(b.auction, b.price)));
    rows(&bids, |r, h| absorb!(h, r.0, r.1))
}

pub fn q14(tables: &Tables) -> Results {
    let bids = tables.bids.flat_map(|b| {
        let price = RATE * b.price as f64;
        (price > 1_000_000.0 && price < 50_000_000.0).then(|| {
            let time_type = match b.date_time.div_euclid(HOUR_MS).rem_euclid(24) {
                8..=18 => "dayTime",
                0..=6 | 20.. => "nightTime",
                _ => "otherTime",
            };
            let count = b.extra.bytes().filter(|byte| *byte == b'c').count() as i64;
            let (price, time_type) = (F64::new(price), time_type.to_owned());
            Tup7(b.auction, b.bidder, price, time_type, b.date_time, b.extra.clone(), count)
        })
    });
    rows(&bids, |r, h| absorb!(h, r.0, r.1, r.2, r.3, r.4, r.5, r.6))
}

pub fn q21(tables: &Tables) -> Results {
    static CHANNEL_ID: LazyLock<Regex> =
        LazyLock::new(|| Regex::new("(&|^)channel_id=([^&]*)").expect("a valid pattern"));
    let bids = tables.bids.flat_map(|b| {
        let id = match b.channel.to_lowercase().as_str() {
            "apple" => "0",
            "google" => "1",
            "facebook" => "2",
            "baidu" => "3",
            _ => CHANNEL_ID.captures(&b.url)?.get(2)?.as_str(),
        };
        Some(Tup5(b.auction, b.bidder, b.price, b.channel.clone(), id.to_owned()))
    });
    rows(&bids, |r, h| absorb!(h, r.0, r.1, r.2, r.3, r.4))
}

pub fn q22(tables: &Tables) -> Results {
    let bids = tables.bids.map(|b| {
        let mut parts = b.url.split('/').skip(3);
        let mut part = || parts.next().unwrap_or_default().to_owned();
        let parts = Tup4(b.channel.clone(), part(), part(), part());
        Tup4(b.auction, b.bidder, b.price, parts)
    });
    rows(&bids, |r, h| absorb!(h, r.0, r.1, r.2, r.3.0, r.3.1, r.3.2, r.3.3))
}

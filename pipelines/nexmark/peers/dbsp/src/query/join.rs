//! Joins, and what is grouped after one.

use dbsp::utils::{Tup2, Tup3, Tup4, Tup5};

use super::{Results, Tables, results, rows};
use crate::event::{Auction, Bid, row};
use crate::hash::absorb;

row!(Joined { bid: Bid, auction: Auction });

pub fn q3(tables: &Tables) -> Results {
    let auctions =
        tables.auctions.flat_map_index(|a| (a.category == 10).then_some((a.seller, a.id)));
    let people = tables.persons.flat_map_index(|p| {
        let near = matches!(p.state.as_str(), "OR" | "ID" | "CA");
        near.then(|| (p.id, Tup3(p.name.clone(), p.city.clone(), p.state.clone())))
    });
    let sellers =
        people.join(&auctions, |_, p, id| Tup4(p.0.clone(), p.1.clone(), p.2.clone(), *id));
    rows(&sellers, |r, h| absorb!(h, r.0, r.1, r.2, r.3))
}

pub fn q4(tables: &Tables) -> Results {
    let auctions = tables.auctions.map_index(|a| (a.id, Tup3(a.category, a.date_time, a.expires)));
    let bids = tables.bids.map_index(|b| (b.auction, Tup2(b.price, b.date_time)));
    let average = auctions
        .join_index(&bids, |id, Tup3(category, opened, expires), Tup2(price, time)| {
            (opened <= time && time <= expires).then_some((Tup2(*id, *category), *price))
        })
        .chain_aggregate(|price, _| *price, |highest: i64, price, _| highest.max(*price))
        .map_index(|(Tup2(_, category), price)| (*category, *price))
        .average(|price| *price);
    results(&average, |category, price, h| absorb!(h, category, price))
}

pub fn q13(tables: &Tables) -> Results {
    let side = tables.side.map_index(|Tup2(key, value)| (*key, value.clone()));
    let bids = tables
        .bids
        .map_index(|b| (b.auction % 10_000, Tup4(b.auction, b.bidder, b.price, b.date_time)));
    let joined = bids.join(&side, |_, b, value| Tup5(b.0, b.1, b.2, b.3, value.clone()));
    rows(&joined, |r, h| absorb!(h, r.0, r.1, r.2, r.3, r.4))
}

pub fn q20(tables: &Tables) -> Results {
    let auctions =
        tables.auctions.flat_map_index(|a| (a.category == 10).then(|| (a.id, a.clone())));
    let bids = tables.bids.map_index(|b| (b.auction, b.clone()));
    let joined = bids.join(&auctions, |_, b, a| Joined { bid: b.clone(), auction: a.clone() });
    rows(&joined, |r, h| {
        let (b, a) = (&r.bid, &r.auction);
        absorb!(h, b.auction, b.bidder, b.price, b.channel, b.url, b.date_time, b.extra);
        absorb!(h, a.item_name, a.description, a.initial_bid, a.reserve, a.date_time, a.expires);
        absorb!(h, a.seller, a.category, a.extra);
    })
}

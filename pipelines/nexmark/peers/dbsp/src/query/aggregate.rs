//! Counts and sums per group. Rows only come, so each group keeps its figures and none of its rows.

use dbsp::utils::{Tup2, Tup3};

use super::{Plain, Results, Tables, results};
use crate::event::{Bid, row};
use crate::hash::absorb;

const DAY_MS: i64 = 86_400_000;
const MINUTE_MS: i64 = 60_000;

fn day(bid: &Bid) -> i64 {
    bid.date_time.div_euclid(DAY_MS)
}

/// 1 to 3, by how high the bid was.
fn rank(price: i64) -> i64 {
    match price {
        ..10_000 => 1,
        10_000..1_000_000 => 2,
        _ => 3,
    }
}

// What is counted: place 0 of each stands for all, 1 to 3 for the ranks.
row!(Counts { last: i64, bids: Vec<i64>, bidders: Vec<i64>, auctions: Vec<i64> });

/// Something to count: what, its rank, and when it was.
type Fact = Tup3<i64, i64, i64>;
const BIDS: i64 = 0;
const BIDDERS: i64 = 1;
const AUCTIONS: i64 = 2;

impl Counts {
    fn add(&mut self, Tup3(what, rank, time): &Fact, number: i64) {
        self.last = self.last.max(*time);
        let counts = match *what {
            BIDS => &mut self.bids,
            BIDDERS => &mut self.bidders,
            _ => &mut self.auctions,
        };
        counts.resize(4, 0);
        counts[*rank as usize] += number;
    }
}

/// Counts bids, bidders and auctions of each group.
fn counts<K: dbsp::DBData>(bids: &Plain<Bid>, group: fn(&Bid) -> K) -> super::Indexed<K, Counts> {
    let all = bids.flat_map_index(move |b| {
        let fact = |rank| (group(b), Tup3(BIDS, rank, b.date_time));
        [fact(0), fact(rank(b.price))]
    });
    let distinct = bids
        .flat_map(move |b| {
            let member = |what, id, rank| Tup2(group(b), Tup3(what, rank, id));
            [
                member(BIDDERS, b.bidder, 0),
                member(BIDDERS, b.bidder, rank(b.price)),
                member(AUCTIONS, b.auction, 0),
                member(AUCTIONS, b.auction, rank(b.price)),
            ]
        })
        .distinct()
        .map_index(|Tup2(group, Tup3(what, rank, _))| {
            (group.clone(), Tup3(*what, *rank, i64::MIN))
        });
    all.plus(&distinct).chain_aggregate(
        |fact, number| {
            let mut counts = Counts { last: i64::MIN, ..Counts::default() };
            counts.add(fact, number);
            counts
        },
        |mut counts, fact, number| {
            counts.add(fact, number);
            counts
        },
    )
}

pub fn q15(tables: &Tables) -> Results {
    let counts = counts(&tables.bids, day);
    results(&counts, |day, c, h| {
        absorb!(h, day);
        for counts in [&c.bids, &c.bidders, &c.auctions] {
            counts.iter().for_each(|count| absorb!(h, *count));
        }
    })
}

pub fn q16(tables: &Tables) -> Results {
    let counts = counts(&tables.bids, |b| Tup2(b.channel.clone(), day(b)));
    results(&counts, |Tup2(channel, day), c, h| {
        let minute = c.last.div_euclid(MINUTE_MS).rem_euclid(24 * 60);
        absorb!(h, *channel, *day, format!("{:02}:{:02}", minute / 60, minute % 60));
        for counts in [&c.bids, &c.bidders, &c.auctions] {
            counts.iter().for_each(|count| absorb!(h, *count));
        }
    })
}

row!(Prices { ranks: Tup3<i64, i64, i64>, min: i64, max: i64, sum: i64 });

impl Prices {
    fn add(mut self, price: i64, number: i64) -> Self {
        match rank(price) {
            1 => self.ranks.0 += number,
            2 => self.ranks.1 += number,
            _ => self.ranks.2 += number,
        }
        self.min = self.min.min(price);
        self.max = self.max.max(price);
        self.sum += price * number;
        self
    }
}

pub fn q17(tables: &Tables) -> Results {
    let prices = tables.bids.map_index(|b| (Tup2(b.auction, day(b)), b.price)).chain_aggregate(
        |price, number| {
            Prices { min: i64::MAX, max: i64::MIN, ..Prices::default() }.add(*price, number)
        },
        |prices: Prices, price, number| prices.add(*price, number),
    );
    results(&prices, |Tup2(auction, day), p, h| {
        let count = p.ranks.0 + p.ranks.1 + p.ranks.2;
        absorb!(h, auction, day, count, p.ranks.0, p.ranks.1, p.ranks.2);
        absorb!(h, p.min, p.max, p.sum / count, p.sum);
    })
}

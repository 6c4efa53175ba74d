//! The first of each group.

use std::cmp::Ordering;

use dbsp::CmpFunc;
use dbsp::utils::Tup2;

use super::{Results, Tables, results};
use crate::event::{Auction, Bid, row};
use crate::hash::absorb;

// The order of the fields is the order of bids: the best is the least.
row!(Offer { lower: i64, time: i64, bidder: i64, extra: String });
row!(Last { earlier: i64, lower: i64, channel: String, extra: String, url: String });

pub fn q9(tables: &Tables) -> Results {
    let auctions = tables.auctions.map_index(|a| (a.id, a.clone()));
    let bids = tables.bids.map_index(|b| {
        let offer =
            Offer { lower: -b.price, time: b.date_time, bidder: b.bidder, extra: b.extra.clone() };
        (b.auction, offer)
    });
    // The auction's columns are added to the winner alone. Its times come first.
    let open = tables.auctions.map_index(|a| (a.id, Tup2(a.date_time, a.expires)));
    let winners = open
        .join_index(&bids, |id, Tup2(opened, expires), offer| {
            (*opened <= offer.time && offer.time <= *expires).then(|| (*id, offer.clone()))
        })
        .chain_aggregate(
            |offer, _| offer.clone(),
            |best: Offer, offer, _| match offer < &best {
                true => offer.clone(),
                false => best,
            },
        );
    let rows = auctions.join_index(&winners, |id, auction, offer| {
        Some((*id, Tup2(auction.clone(), offer.clone())))
    });
    results(&rows, |id, Tup2(a, o): &Tup2<Auction, Offer>, h| {
        absorb!(h, id, a.item_name, a.description, a.initial_bid, a.reserve, a.date_time);
        absorb!(h, a.expires, a.seller, a.category, a.extra, id, o.bidder, -o.lower, o.time);
        absorb!(h, o.extra);
    })
}

pub fn q18(tables: &Tables) -> Results {
    let last = tables
        .bids
        .map_index(|b| {
            let last = Last {
                earlier: -b.date_time,
                lower: -b.price,
                channel: b.channel.clone(),
                extra: b.extra.clone(),
                url: b.url.clone(),
            };
            (Tup2(b.bidder, b.auction), last)
        })
        .chain_aggregate(
            |bid, _| bid.clone(),
            |last: Last, bid, _| match bid < &last {
                true => bid.clone(),
                false => last,
            },
        );
    results(&last, |Tup2(bidder, auction), l, h| {
        absorb!(h, auction, bidder, -l.lower, l.channel, l.url, -l.earlier, l.extra)
    })
}

struct Highest;

impl CmpFunc<Bid> for Highest {
    fn cmp(left: &Bid, right: &Bid) -> Ordering {
        let price = right.price.cmp(&left.price);
        let rest = |bid: &Bid| (bid.date_time, bid.bidder);
        price
            .then_with(|| rest(left).cmp(&rest(right)))
            .then_with(|| left.channel.cmp(&right.channel))
            .then_with(|| left.extra.cmp(&right.extra))
            .then_with(|| left.cmp(right))
    }
}

pub fn q19(tables: &Tables) -> Results {
    let top = tables
        .bids
        .map_index(|b| (b.auction, b.clone()))
        .topk_row_number_custom_order::<Highest, _, _>(10, |place, bid| Tup2(place, bid.clone()));
    results(&top, |_, Tup2(place, b): &Tup2<i64, Bid>, h| {
        absorb!(h, b.auction, b.bidder, b.price, b.channel, b.url, b.date_time, b.extra, place)
    })
}

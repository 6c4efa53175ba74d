//! Windows over the time of events.

use std::cmp::{Ordering, Reverse};

use dbsp::CmpFunc;
use dbsp::utils::{Tup2, Tup3, Tup4};

use super::{Results, Tables, results, rows};
use crate::hash::absorb;

const SLIDE_MS: i64 = 2_000;
const WINDOW_MS: i64 = 10_000;

fn window(time: i64) -> i64 {
    time - time.rem_euclid(WINDOW_MS)
}

struct Most;

impl CmpFunc<Tup2<i64, i64>> for Most {
    fn cmp(left: &Tup2<i64, i64>, right: &Tup2<i64, i64>) -> Ordering {
        (Reverse(left.0), left.1).cmp(&(Reverse(right.0), right.1))
    }
}

pub fn q5(tables: &Tables) -> Results {
    let most = tables
        .bids
        // Bids of a slice are one row from here on.
        .map(|b| Tup2(b.date_time - b.date_time.rem_euclid(SLIDE_MS), b.auction))
        .flat_map_index(|Tup2(slice, auction)| {
            let (slice, auction) = (*slice, *auction);
            (0..WINDOW_MS / SLIDE_MS).map(move |back| (Tup2(slice - back * SLIDE_MS, auction), ()))
        })
        .weighted_count()
        .map_index(|(Tup2(window, auction), count)| (*window, Tup2(*count, *auction)))
        .topk_rank_custom_order::<Most, _, _, _>(
            1,
            |left, right| left.0 == right.0,
            |_, top| top.clone(),
        );
    results(&most, |_, Tup2(count, auction), h| absorb!(h, auction, count))
}

pub fn q7(tables: &Tables) -> Results {
    let highest = tables
        .bids
        .map_index(|b| (window(b.date_time), b.price))
        .chain_aggregate(|price, _| *price, |highest: i64, price, _| highest.max(*price))
        .map_index(|(start, price)| (*price, *start));
    let bids = tables
        .bids
        .map_index(|b| (b.price, Tup4(b.auction, b.bidder, b.date_time, b.extra.clone())));
    let best = bids.join_index(&highest, |price, b, start| {
        (*start <= b.2 && b.2 <= start + WINDOW_MS).then(|| (*price, b.clone()))
    });
    results(&best, |price, b, h| absorb!(h, b.0, price, b.1, b.2, b.3))
}

pub fn q8(tables: &Tables) -> Results {
    let people = tables.persons.map_index(|p| (Tup2(p.id, window(p.date_time)), p.name.clone()));
    let sellers =
        tables.auctions.map_index(|a| (Tup2(a.seller, window(a.date_time)), ())).distinct();
    let new = people.join(&sellers, |key, name, ()| Tup3(key.0, name.clone(), key.1));
    rows(&new, |r, h| absorb!(h, r.0, r.1, r.2))
}

/// Begin, last bid and number of bids.
type Session = Tup3<i64, i64, i64>;

pub fn q11(tables: &Tables) -> Results {
    let sessions = tables
        .bids
        .map_index(|b| (b.bidder, b.date_time))
        .chain_aggregate(
            |time, weight| vec![Tup3(*time, *time, weight)],
            |mut sessions: Vec<Session>, time, weight| {
                insert(&mut sessions, *time, weight);
                sessions
            },
        )
        .flat_map_index(|(bidder, sessions)| {
            let bidder = *bidder;
            sessions.clone().into_iter().map(move |session| (bidder, session))
        });
    results(&sessions, |bidder, s, h| absorb!(h, bidder, s.2, s.0, s.1 + WINDOW_MS))
}

/// Adds bids to the session that they fall into; a session that they bring near to the next takes it in.
fn insert(sessions: &mut Vec<Session>, time: i64, bids: i64) {
    let near = |session: &Session| session.0 - WINDOW_MS <= time && time <= session.1 + WINDOW_MS;
    let Some(place) = sessions.iter().position(near) else {
        let place = sessions.partition_point(|session| session.0 < time);
        sessions.insert(place, Tup3(time, time, bids));
        return;
    };
    let Tup3(first, last, count) = sessions[place];
    sessions[place] = Tup3(first.min(time), last.max(time), count + bids);
    while sessions.len() > place + 1 && sessions[place + 1].0 <= sessions[place].1 + WINDOW_MS {
        let next = sessions.remove(place + 1);
        sessions[place].1 = sessions[place].1.max(next.1);
        sessions[place].2 += next.2;
    }
}

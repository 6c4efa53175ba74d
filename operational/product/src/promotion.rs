//! Promotions: what a shop displays or prints in a mailer, in a period.

pub mod plan;

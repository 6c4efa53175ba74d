//! Tests of the embedded parts as their users see them.

mod postgres;

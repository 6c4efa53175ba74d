//! Journal entries: posted once, never changed.

pub mod post;
pub mod write;

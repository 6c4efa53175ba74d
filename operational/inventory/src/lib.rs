//! Stock and its movements.

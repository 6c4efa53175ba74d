//! A year of grocery baskets, replayed through the services and then sold live.

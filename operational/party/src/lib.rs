//! Shops, customers, vendors.

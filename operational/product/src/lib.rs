//! Products, categories, promotions.

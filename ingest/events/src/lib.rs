//! The vocabulary: ids, amounts, quantities, the envelope, one struct per event.

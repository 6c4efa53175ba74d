//! Incremental SQL views on DataFusion and Arrow.

//! The ClickHouse engine as a library, loaded at run time: the one place for unsafe code.

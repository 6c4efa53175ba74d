//! Chart of accounts and the journal.

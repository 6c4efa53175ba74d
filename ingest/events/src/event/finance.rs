//! The ledger.

use chrono::{DateTime, NaiveDate, Utc};
use uuid::Uuid;

use crate::record::{record, word};
use crate::{AccountId, Amount, EntryId, PartyId, ShopId};

word! {
    pub enum AccountType {
        Asset = "asset",
        Liability = "liability",
        Equity = "equity",
        Income = "income",
        Expense = "expense",
    }
}

record! {
    pub struct AccountOpened {
        pub account_id: AccountId,
        pub account_code: String,
        pub account_name: String,
        pub account_type: AccountType,
        pub parent_code: Option<String>,
    }
}

record! {
    /// One side of an entry: exactly one of debit and credit is not zero.
    pub struct JournalLine {
        pub line_no: i32,
        pub account_code: String,
        pub debit: Amount,
        pub credit: Amount,
        pub party_id: Option<PartyId>,
    }
}

record! {
    /// A balanced entry. Never changed: a correction is a reversing entry.
    pub struct JournalPosted {
        pub entry_id: EntryId,
        /// The cost centre.
        pub shop_id: ShopId,
        pub currency: String,
        pub business_date: NaiveDate,
        pub posted_at: DateTime<Utc>,
        /// The kind of document that caused it, for example invoice.
        pub document_type: String,
        pub document_id: Uuid,
        pub reversal_of: Option<EntryId>,
        pub memo: Option<String>,
        pub lines: Vec<JournalLine>,
    }
}

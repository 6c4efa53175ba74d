//! The till: invoices, tenders, returns.

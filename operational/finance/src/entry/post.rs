//! The one way into the journal.

use std::borrow::Cow;

use chrono::NaiveDate;
use millrace_events::event::{JournalLine, JournalPosted};
use millrace_events::{Amount, EntryId, PartyId, ShopId};
use millrace_kernel::arrays::{of_options, of_texts, of_values};
use millrace_kernel::{Column, Refusal, Result, Tx, value};
use uuid::Uuid;

use crate::{Account, SCHEMA};

/// One line of an entry: exactly one of debit and credit is not zero.
#[derive(Clone, Debug)]
pub struct Posting {
    pub account_code: Cow<'static, str>,
    pub debit: Amount,
    pub credit: Amount,
    pub party_id: Option<PartyId>,
}

/// What a document means in money.
#[derive(Clone, Debug)]
pub struct Entry {
    /// The cost centre.
    pub shop_id: ShopId,
    pub currency: String,
    pub business_date: NaiveDate,
    pub document_type: Cow<'static, str>,
    pub document_id: Uuid,
    pub reversal_of: Option<EntryId>,
    pub memo: Option<String>,
    lines: Vec<Posting>,
}

impl Entry {
    #[must_use]
    pub fn new(
        shop_id: ShopId,
        currency: &str,
        business_date: NaiveDate,
        document_type: impl Into<Cow<'static, str>>,
        document_id: Uuid,
    ) -> Self {
        Self {
            shop_id,
            currency: currency.to_owned(),
            business_date,
            document_type: document_type.into(),
            document_id,
            reversal_of: None,
            memo: None,
            lines: Vec::with_capacity(8),
        }
    }

    /// Debits the account; a negative amount credits it, nothing is left out.
    pub fn debit(&mut self, account: Account, amount: Amount) {
        let (debit, credit) =
            if amount.is_negative() { (Amount::ZERO, -amount) } else { (amount, Amount::ZERO) };
        let account_code = Cow::Borrowed(account.code());
        self.line(Posting { account_code, debit, credit, party_id: None });
    }

    /// Credits the account; a negative amount debits it.
    pub fn credit(&mut self, account: Account, amount: Amount) {
        self.debit(account, -amount);
    }

    /// Adds a line, unless both its sides are zero.
    pub fn line(&mut self, posting: Posting) {
        if !(posting.debit.is_zero() && posting.credit.is_zero()) {
            self.lines.push(posting);
        }
    }

    /// Nothing to post: all amounts were zero.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.lines.is_empty()
    }

    fn refuse_unbalanced(&self) -> Result<()> {
        let debit: Amount = self.lines.iter().map(|line| line.debit).sum();
        let credit: Amount = self.lines.iter().map(|line| line.credit).sum();
        if debit != credit || self.lines.len() < 2 {
            let detail = format!(
                "the entry for {} {} has debits of {debit} and credits of {credit} on {} lines: \
                 they must be equal, on at least two lines",
                self.document_type,
                self.document_id,
                self.lines.len()
            );
            return Err(Refusal::unprocessable("unbalanced_entry", detail).into());
        }
        Ok(())
    }
}

/// Posts entries, in one statement when the transaction ends. Entries without lines are left out.
///
/// # Errors
/// `unbalanced_entry` where debits and credits differ; the database checks it again.
pub fn post(tx: &mut Tx, entries: Vec<Entry>) -> Result<Vec<JournalPosted>> {
    let posted_at = tx.context().now();
    let mut events = Vec::with_capacity(entries.len());
    for entry in entries.into_iter().filter(|entry| !entry.is_empty()) {
        entry.refuse_unbalanced()?;
        let lines = (1..).zip(entry.lines).map(|(line_no, line)| JournalLine {
            line_no,
            account_code: line.account_code.into_owned(),
            debit: line.debit,
            credit: line.credit,
            party_id: line.party_id,
        });
        events.push(JournalPosted {
            entry_id: EntryId::new(),
            shop_id: entry.shop_id,
            currency: entry.currency,
            business_date: entry.business_date,
            posted_at,
            document_type: entry.document_type.into_owned(),
            document_id: entry.document_id,
            reversal_of: entry.reversal_of,
            memo: entry.memo,
            lines: lines.collect(),
        });
    }
    if events.is_empty() {
        return Ok(events);
    }
    insert(tx, &events);
    for event in &events {
        tx.append(event)?;
    }
    Ok(events)
}

const COLUMNS: [Column; 13] = [
    ("posted_at", "timestamptz"),
    ("entry_id", "uuid"),
    ("shop_id", "uuid"),
    ("currency", "text"),
    ("business_date", "date"),
    ("document_type", "text"),
    ("document_id", "uuid"),
    ("reversal_of", "uuid"),
    ("memo", "text"),
    ("account_codes", "text[]"),
    ("debits", "numeric[]"),
    ("credits", "numeric[]"),
    ("party_ids", "uuid[]"),
];

fn insert(tx: &mut Tx, events: &[JournalPosted]) {
    let posted_at = tx.context().now();
    let row = |event: &JournalPosted| {
        let lines = || event.lines.iter();
        vec![
            value(posted_at),
            value(event.entry_id),
            value(event.shop_id),
            value(event.currency.clone()),
            value(event.business_date),
            value(event.document_type.clone()),
            value(event.document_id),
            value(event.reversal_of),
            value(event.memo.clone()),
            value(of_texts(lines().map(|line| line.account_code.as_str()))),
            value(of_values(lines().map(|line| line.debit))),
            value(of_values(lines().map(|line| line.credit))),
            value(of_options(lines().map(|line| line.party_id))),
        ]
    };
    tx.insert(SCHEMA, "entries", &COLUMNS, events.iter().map(row).collect());
}

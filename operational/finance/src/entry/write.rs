//! `POST /api/v1/finance/journal-entry`.

use std::collections::HashSet;

use axum::extract::State;
use axum::response::IntoResponse;
use chrono::NaiveDate;
use millrace_events::event::JournalPosted;
use millrace_events::{Amount, EntryId, PartyId, ShopId};
use millrace_kernel::{
    Command, Context, Error, FieldErrors, Json, Kernel, Need, Permission, Problem, Result, Tx,
    Validate,
};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

use super::post::{Entry, Posting, post};
use crate::SCHEMA;

const LINES_MAX: usize = 500;

/// An entry written by a person.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct WriteJournalEntry {
    pub shop_id: ShopId,
    /// Today at the shop where left out.
    pub business_date: Option<NaiveDate>,
    pub memo: String,
    /// The entry this one takes back.
    pub reversal_of: Option<EntryId>,
    pub lines: Vec<WrittenLine>,
}

/// Exactly one of debit and credit is given.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct WrittenLine {
    pub account_code: String,
    #[serde(default)]
    pub debit: Amount,
    #[serde(default)]
    pub credit: Amount,
    pub party_id: Option<PartyId>,
}

impl Validate for WriteJournalEntry {
    fn validate(&self, errors: &mut FieldErrors) {
        errors.text("memo", &self.memo, 500);
        errors.count("lines", self.lines.len(), LINES_MAX);
        errors.each("lines", &self.lines, |errors, line| {
            errors.text("account_code", &line.account_code, 20);
            for (field, amount) in [("debit", line.debit), ("credit", line.credit)] {
                errors.require(!amount.is_negative(), field, "negative", "must not be negative");
            }
            let one_side = line.debit.is_zero() != line.credit.is_zero();
            errors.require(one_side, "", "one_side", "needs either a debit or a credit");
        });
        let debit: Amount = self.lines.iter().map(|line| line.debit).sum();
        let credit: Amount = self.lines.iter().map(|line| line.credit).sum();
        let message = format!("debits are {debit} and credits {credit}: they must be equal");
        errors.require(debit == credit, "lines", "unbalanced", message);
    }
}

impl Command for WriteJournalEntry {
    type Output = JournalPosted;
    const NAME: &'static str = "finance.write_journal_entry";
    const SCHEMA: &'static str = SCHEMA;

    fn needs(&self) -> Vec<Need> {
        vec![Need::at(Permission::JournalPost, self.shop_id)]
    }

    async fn execute(&self, tx: &mut Tx) -> Result<JournalPosted> {
        let shop = millrace_party::shops(tx, &[self.shop_id])
            .await?
            .remove(&self.shop_id)
            .ok_or_else(|| Error::not_found("shop", self.shop_id))?;
        self.refuse_unknown_accounts(tx).await?;
        self.refuse_unknown_reversal(tx).await?;
        let (today, _) = shop.business_time(tx.context().now());
        let date = self.business_date.unwrap_or(today);
        let mut entry =
            Entry::new(self.shop_id, &shop.currency, date, "journal_entry", Uuid::now_v7());
        entry.memo = Some(self.memo.clone());
        entry.reversal_of = self.reversal_of;
        for line in &self.lines {
            entry.line(Posting {
                account_code: line.account_code.clone().into(),
                debit: line.debit,
                credit: line.credit,
                party_id: line.party_id,
            });
        }
        let mut posted = post(tx, vec![entry])?;
        Ok(posted.pop().expect("an entry with lines is posted"))
    }
}

impl WriteJournalEntry {
    async fn refuse_unknown_accounts(&self, tx: &mut Tx) -> Result<()> {
        let codes: Vec<&str> = self.lines.iter().map(|line| line.account_code.as_str()).collect();
        let known: Vec<(String,)> = tx
            .fetch_all(
                "select account_code from finance.accounts where account_code = any($1)",
                &[&codes],
            )
            .await?;
        let known: HashSet<&str> = known.iter().map(|(code,)| code.as_str()).collect();
        let mut errors = FieldErrors::default();
        errors.each("lines", &self.lines, |errors, line| {
            let found = known.contains(line.account_code.as_str());
            errors.require(found, "account_code", "unknown", "is not in the chart of accounts");
        });
        errors.into_result()
    }

    /// A correction names an entry of the same shop.
    async fn refuse_unknown_reversal(&self, tx: &mut Tx) -> Result<()> {
        let Some(original) = self.reversal_of else { return Ok(()) };
        tx.settle(SCHEMA).await?;
        let (exists,): (bool,) = tx
            .fetch_one(
                "select exists (select from finance.entries where entry_id = $1 and shop_id = $2)",
                &[&original, &self.shop_id],
            )
            .await?;
        if exists {
            Ok(())
        } else {
            Err(Error::field("reversal_of", "unknown", "is not an entry of this shop"))
        }
    }
}

/// Post a journal entry by hand.
#[utoipa::path(
    post,
    path = "/api/v1/finance/journal-entry",
    tag = "finance",
    request_body = WriteJournalEntry,
    responses((status = 201, body = JournalPosted), (status = "4XX", body = Problem)),
)]
pub(crate) async fn write_journal_entry(
    State(kernel): State<Kernel>,
    context: Context,
    Json(command): Json<WriteJournalEntry>,
) -> Result<impl IntoResponse> {
    Ok(kernel.run(&context, &command).await?.created())
}

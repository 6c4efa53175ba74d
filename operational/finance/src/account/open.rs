//! Opens the accounts of the standard chart that are not there yet.

use millrace_events::AccountId;
use millrace_events::event::AccountOpened;
use millrace_kernel::{Command, FieldErrors, Need, Permission, Result, Tx, Validate};
use serde::Serialize;

use super::chart::Account;
use crate::SCHEMA;

/// Run at each migration; opens each account once.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct OpenChart;

impl Validate for OpenChart {
    fn validate(&self, _: &mut FieldErrors) {}
}

impl Command for OpenChart {
    type Output = ();
    const NAME: &'static str = "finance.open_chart";
    const SCHEMA: &'static str = SCHEMA;

    fn needs(&self) -> Vec<Need> {
        vec![Need::any_shop(Permission::JournalPost)]
    }

    async fn execute(&self, tx: &mut Tx) -> Result<()> {
        let accounts: Vec<AccountOpened> = Account::ALL
            .iter()
            .map(|account| AccountOpened {
                account_id: AccountId::new(),
                account_code: account.code().to_owned(),
                account_name: account.name().to_owned(),
                account_type: account.account_type(),
                parent_code: None,
            })
            .collect();
        tx.begun().await;
        let opened: Vec<(AccountId,)> = tx
            .fetch_all(
                "insert into finance.accounts \
             select * from json_populate_recordset(null::finance.accounts, $1::text::json) \
             on conflict (account_code) do nothing returning account_id",
                &[&serde_json::to_string(&accounts)?],
            )
            .await?;
        for account in accounts.iter().filter(|account| opened.contains(&(account.account_id,))) {
            tx.append(account)?;
        }
        Ok(())
    }
}

//! `GET /api/v1/finance/ledgers`: the trial balance, from the ledger's own tables.

use axum::extract::State;
use axum::response::IntoResponse;
use chrono::NaiveDate;
use millrace_events::event::AccountType;
use millrace_events::{Amount, ShopId};
use millrace_kernel::{Context, Json, Kernel, Params, Permission, Problem, Result};
use serde::Deserialize;
use serde_json::value::RawValue;
use utoipa::{IntoParams, ToSchema};

#[derive(Clone, Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct Selection {
    /// One shop; every shop the caller may see where left out.
    shop_id: Option<ShopId>,
    /// Up to and with this business date.
    as_of: Option<NaiveDate>,
}

/// The accounts' balances.
#[derive(Debug, ToSchema)]
#[expect(dead_code, reason = "describes what PostgreSQL writes")]
struct Ledgers {
    rows: Vec<LedgerRow>,
}

#[derive(Debug, ToSchema)]
#[expect(dead_code, reason = "describes what PostgreSQL writes")]
struct LedgerRow {
    account_code: String,
    account_name: String,
    account_type: AccountType,
    currency: Option<String>,
    debit: Amount,
    credit: Amount,
    /// debit − credit.
    balance: Amount,
}

#[derive(serde::Serialize)]
struct Rows {
    rows: Box<RawValue>,
}

/// Trial balance: every account with its debits, credits and balance, per currency.
#[utoipa::path(
    get,
    path = "/api/v1/finance/ledgers",
    tag = "finance",
    params(Selection),
    responses((status = 200, body = Ledgers), (status = "4XX", body = Problem)),
)]
pub(crate) async fn read_ledgers(
    State(kernel): State<Kernel>,
    context: Context,
    Params(selection): Params<Selection>,
) -> Result<impl IntoResponse> {
    context.actor.require(Permission::LedgerRead, selection.shop_id)?;
    let shops = match selection.shop_id {
        Some(shop) => Some(vec![shop]),
        None => context.actor.shop_scope().map(<[ShopId]>::to_vec),
    };
    let rows: String = sqlx::query_scalar(
        "select coalesce(json_agg(row_to_json(r) order by r.account_code, r.currency), '[]')::text from ( \
             select a.account_code, a.account_name, a.account_type, l.currency, \
                 coalesce(l.debit, 0)::numeric(18, 2) as debit, \
                 coalesce(l.credit, 0)::numeric(18, 2) as credit, \
                 coalesce(l.debit - l.credit, 0)::numeric(18, 2) as balance \
             from ( \
                 select account_code, currency, sum(debit) as debit, sum(credit) as credit \
                 from finance.journal_lines \
                 where ($1::uuid[] is null or shop_id = any($1)) \
                     and ($2::date is null or business_date <= $2) \
                 group by account_code, currency) as l \
             right join finance.accounts a on a.account_code = l.account_code) as r",
    )
    .bind(shops)
    .bind(selection.as_of)
    .fetch_one(kernel.pool())
    .await?;
    Ok(Json(Rows { rows: RawValue::from_string(rows)? }))
}

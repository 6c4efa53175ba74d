//! `GET /api/v1/customers`.

use axum::extract::State;
use axum::response::IntoResponse;
use millrace_events::event::Customer;
use millrace_kernel::http::{Filter, ListColumn};
use millrace_kernel::{
    Context, Json, Kernel, ListQuery, ListSpec, Permission, Problem, Result, Versioned,
    VersionedRows,
};

pub(super) const CUSTOMERS: VersionedRows = VersionedRows {
    what: "customer",
    table: "party.customers",
    list: ListSpec {
        select: "select customer_id, code, name, customer_group, phone, email, gstin, is_active, \
                 version from party.customers",
        columns: &[
            ListColumn::new("code", Filter::Text),
            ListColumn::new("name", Filter::Text),
            ListColumn::new("phone", Filter::Text),
            ListColumn::new("email", Filter::Text),
            ListColumn::new("customer_id", Filter::Uuid),
            ListColumn::new("customer_group", Filter::Text),
            ListColumn::new("is_active", Filter::Bool),
        ],
        sort: "code:asc",
        key: "customer_id",
    },
};

/// Customers, in pages.
#[utoipa::path(
    get,
    path = "/api/v1/customers",
    tag = "parties",
    params(
        ("page" = Option<i64>, Query), ("limit" = Option<i64>, Query),
        ("sort" = Option<String>, Query, description = "field:asc or field:desc"),
        ("code" = Option<String>, Query), ("phone" = Option<String>, Query),
        ("customer_group" = Option<String>, Query),
    ),
    responses(
        (status = 200, body = inline(millrace_kernel::http::PageOf<Versioned<Customer>>)),
        (status = "4XX", body = Problem)
    ),
)]
pub(crate) async fn list_customers(
    State(kernel): State<Kernel>,
    context: Context,
    query: ListQuery,
) -> Result<impl IntoResponse> {
    context.actor.require(Permission::PartyRead, None)?;
    Ok(Json(query.fetch(kernel.pool(), &CUSTOMERS.list).await?))
}

//! Who may log in.

use millrace_events::{ShopId, UserId};
use millrace_kernel::Kernel;
use secrecy::SecretString;
use sqlx::postgres::PgRow;
use sqlx::{PgPool, Row};

use super::password;
use crate::Error;

/// A person with an account.
#[derive(Clone, Debug)]
pub(super) struct User {
    pub user_id: UserId,
    pub email: String,
    pub name: String,
    pub roles: Vec<String>,
    /// Where the roles hold; an administrator's hold everywhere.
    pub shops: Vec<ShopId>,
}

/// An account to create or replace.
#[derive(Clone, Debug)]
pub struct NewUser {
    pub email: String,
    pub name: String,
    /// Roles the kernel knows; others grant nothing.
    pub roles: Vec<String>,
    /// Where the roles hold; an administrator's hold everywhere.
    pub shops: Vec<ShopId>,
}

const COLUMNS: &str = "user_id, email, name, password_hash,
    array(select role from identity.user_roles r where r.user_id = u.user_id order by role) as roles,
    array(select shop_id from identity.user_shops s where s.user_id = u.user_id order by shop_id) as shops";

/// Addresses are compared in lower case.
pub(super) fn normal(email: &str) -> String {
    email.trim().to_lowercase()
}

/// The active user with this address, and the hash of the password.
pub(super) async fn by_email(pool: &PgPool, email: &str) -> Result<Option<(User, String)>, Error> {
    let sql = format!("select {COLUMNS} from identity.users u where email = $1 and is_active");
    let row = sqlx::query(sqlx::AssertSqlSafe(sql)).bind(email).fetch_optional(pool).await?;
    row.map(|row| Ok((read(&row)?, row.try_get("password_hash")?))).transpose()
}

/// The active user with this id.
pub(super) async fn by_id(pool: &PgPool, user_id: UserId) -> Result<Option<User>, Error> {
    let sql = format!("select {COLUMNS} from identity.users u where user_id = $1 and is_active");
    let row = sqlx::query(sqlx::AssertSqlSafe(sql)).bind(user_id).fetch_optional(pool).await?;
    row.map(|row| read(&row)).transpose()
}

/// Creates the account, or replaces name, password, roles and shops of the one with this address
/// and ends its sessions.
///
/// # Errors
/// When PostgreSQL can't be asked.
pub async fn put(kernel: &Kernel, user: NewUser, password: SecretString) -> Result<UserId, Error> {
    let password_hash = password::hash(password).await?;
    let mut tx = kernel.pool().begin().await?;
    let user_id: UserId = sqlx::query_scalar(
        "insert into identity.users (user_id, email, name, password_hash, created_at)
         values ($1, $2, $3, $4, $5)
         on conflict (email) do update set name = excluded.name,
             password_hash = excluded.password_hash, is_active = true
         returning user_id",
    )
    .bind(UserId::new())
    .bind(normal(&user.email))
    .bind(user.name)
    .bind(password_hash)
    .bind(kernel.now())
    .fetch_one(&mut *tx)
    .await?;
    for sql in [
        "delete from identity.user_roles where user_id = $1",
        "delete from identity.user_shops where user_id = $1",
        "delete from identity.refresh_tokens where user_id = $1",
    ] {
        sqlx::query(sql).bind(user_id).execute(&mut *tx).await?;
    }
    sqlx::query("insert into identity.user_roles (user_id, role) select $1, unnest($2::text[])")
        .bind(user_id)
        .bind(user.roles)
        .execute(&mut *tx)
        .await?;
    sqlx::query("insert into identity.user_shops (user_id, shop_id) select $1, unnest($2::uuid[])")
        .bind(user_id)
        .bind(user.shops.iter().map(|shop| shop.0).collect::<Vec<_>>())
        .execute(&mut *tx)
        .await?;
    tx.commit().await?;
    Ok(user_id)
}

fn read(row: &PgRow) -> Result<User, Error> {
    let shops: Vec<uuid::Uuid> = row.try_get("shops")?;
    Ok(User {
        user_id: row.try_get("user_id")?,
        email: row.try_get("email")?,
        name: row.try_get("name")?,
        roles: row.try_get("roles")?,
        shops: shops.into_iter().map(ShopId).collect(),
    })
}

//! The user a fresh demo is looked at with.

use millrace_kernel::Kernel;
use millrace_kernel::actor::ADMIN;
use secrecy::SecretString;

use super::password;
use super::user::{self, NewUser};
use crate::Error;

/// The demo user's address.
pub const EMAIL: &str = "demo@millrace.example";

/// Creates the demo user, an administrator, with a generated password, or gives the one there is a
/// new password, which ends its sessions. The password is nowhere but in the answer.
///
/// # Errors
/// When PostgreSQL can't be asked.
pub async fn seed_demo_user(kernel: &Kernel) -> Result<SecretString, Error> {
    let password = password::generate()?;
    let roles = vec![ADMIN.to_owned()];
    let demo = NewUser { email: EMAIL.into(), name: "Demo".into(), roles, shops: Vec::new() };
    user::put(kernel, demo, password.clone()).await?;
    Ok(password)
}

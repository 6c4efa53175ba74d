//! Makes the cluster's files: never half, and nothing listens before passwords are set.

use std::{
    fs,
    os::unix::fs::{PermissionsExt as _, symlink},
    path::{Path, PathBuf},
};

use secrecy::{ExposeSecret as _, SecretString};

use super::{DATABASE, ROLE, programs::Programs};
use crate::{
    Error, Result,
    secrets::Secrets,
    user::{self, RunAs},
};

/// Folder in the data directory; as root possibly a link to one that PostgreSQL's user can reach.
pub(super) const FOLDER: &str = "postgres";
/// PostgreSQL's own data directory in it.
pub(super) const CLUSTER: &str = "data";

/// Statements in the template database: every database made later has the extension.
/// `pg_switch_wal` and the parameter are what tests and repairs need beyond an owner's rights.
const SETUP: &[&str] = &[
    "create extension vector",
    "create role millrace login replication createdb",
    "grant pg_monitor, pg_checkpoint, pg_signal_backend to millrace",
    "grant set on parameter session_replication_role to millrace",
    "grant execute on function pg_switch_wal() to millrace",
];

/// Changes whenever a cluster made by this code would differ.
pub(crate) fn fingerprint() -> String {
    SETUP.join(";")
}

/// The folder of the cluster, made if missing, moved where PostgreSQL's user can reach it.
pub(super) fn folder(data_dir: &Path, user: Option<RunAs>) -> Result<PathBuf> {
    let wanted = data_dir.join(FOLDER);
    let existing = fs::canonicalize(&wanted).ok();
    let current = match &existing {
        Some(existing) => existing.clone(),
        None => std::path::absolute(&wanted).map_err(Error::file("find", &wanted))?,
    };
    let folder = user::reachable(&current, user)?;
    if folder != current {
        // What is there has lost the data directory that linked to it.
        fs::remove_dir_all(&folder).map_err(Error::file("remove", &folder))?;
        if existing.is_some() {
            user::copy_tree(&current, &folder)?;
            fs::remove_dir_all(&current).map_err(Error::file("remove", &current))?;
        }
        // A link to nowhere may stand in the way.
        let _ = fs::remove_file(&wanted);
        symlink(&folder, &wanted).map_err(Error::file("link", &wanted))?;
    }
    fs::create_dir_all(&folder).map_err(Error::file("make", &folder))?;
    let private = fs::Permissions::from_mode(0o700);
    fs::set_permissions(&folder, private).map_err(Error::file("protect", &folder))?;
    user::give(&folder, user)?;
    Ok(folder)
}

/// Makes the cluster unless it is there; whether it was made.
pub(super) async fn initialise(
    folder: &Path,
    programs: &Programs,
    user: Option<RunAs>,
    secrets: &Secrets,
) -> Result<bool> {
    let cluster = folder.join(CLUSTER);
    if cluster.exists() {
        return Ok(false);
    }
    // Of its own, because what a killed parent left half done may still be ending.
    let name = format!("data.new-{}", std::process::id());
    let partial = folder.join(&name);
    remove_partial(folder)?;
    let pgdata = format!("--pgdata={name}");
    let args = [
        pgdata.as_str(),
        "--username=postgres",
        // The builtin provider sorts the same on every system.
        "--locale-provider=builtin",
        "--builtin-locale=C.UTF-8",
        "--locale=C",
        "--encoding=UTF8",
        "--auth=reject",
        "--no-instructions",
    ];
    programs.run("initdb", &args, folder, user, "", None).await?;
    single_user(folder, &name, programs, user, &statements(SETUP)).await?;
    single_user(folder, &name, programs, user, &passwords(secrets)).await?;
    single_user(
        folder,
        &name,
        programs,
        user,
        &format!("create database {DATABASE} owner {ROLE}\n"),
    )
    .await?;
    fs::rename(&partial, &cluster).map_err(Error::file("rename", &partial))?;
    Ok(true)
}

/// Copies a running server's cluster, to follow it from then on through physical slot `standby`.
pub(super) async fn follow(
    folder: &Path,
    programs: &Programs,
    user: Option<RunAs>,
    primary: &SecretString,
) -> Result<()> {
    let pgdata = format!("--pgdata={CLUSTER}");
    let dbname = format!("--dbname={}", primary.expose_secret());
    let args = [
        pgdata.as_str(),
        dbname.as_str(),
        "--write-recovery-conf",
        "--create-slot",
        "--slot=standby",
        "--checkpoint=fast",
    ];
    programs.run("pg_basebackup", &args, folder, user, "", None).await
}

/// Removes clusters that were never finished; what cannot be removed yet is at the next start.
fn remove_partial(folder: &Path) -> Result<()> {
    for entry in fs::read_dir(folder).map_err(Error::file("read", folder))?.flatten() {
        if entry.file_name().to_string_lossy().starts_with("data.new-") {
            let _ = fs::remove_dir_all(entry.path());
        }
    }
    Ok(())
}

/// Gives an existing cluster the passwords of a new secrets file.
pub(super) async fn set_passwords(
    folder: &Path,
    programs: &Programs,
    user: Option<RunAs>,
    secrets: &Secrets,
) -> Result<()> {
    single_user(folder, CLUSTER, programs, user, &passwords(secrets)).await
}

fn statements(statements: &[&str]) -> String {
    statements.iter().map(|s| format!("{s}\n")).collect()
}

fn passwords(secrets: &Secrets) -> String {
    format!(
        "alter role postgres password '{}'\nalter role {ROLE} password '{}'\n",
        secrets.postgres_admin.expose_secret(),
        secrets.postgres.expose_secret(),
    )
}

/// One statement a line; a server of its own that no one can connect to.
async fn single_user(
    folder: &Path,
    cluster: &str,
    programs: &Programs,
    user: Option<RunAs>,
    sql: &str,
) -> Result<()> {
    let args = ["--single", "-D", cluster, "-c", "log_min_error_statement=panic", "template1"];
    programs.run("postgres", &args, folder, user, sql, Some("ERROR:")).await
}

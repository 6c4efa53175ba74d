//! `postgresql.conf` and `pg_hba.conf`, written at every start: the data directory says nothing that
//! the options don't.

use std::{fs, path::Path};

use super::init::CLUSTER;
use crate::{
    Error, PostgresSettings, Result,
    user::{self, RunAs},
};

/// Passwords even on loopback; no socket that would let in whoever owns it.
const HBA: &str = "\
host all all 127.0.0.1/32 scram-sha-256
host replication all 127.0.0.1/32 scram-sha-256
";

/// Writes both files.
pub(super) fn write(
    folder: &Path,
    port: u16,
    cluster_name: &str,
    settings: &PostgresSettings,
    user: Option<RunAs>,
) -> Result<()> {
    let cluster = folder.join(CLUSTER);
    for (name, text) in
        [("postgresql.conf", conf(port, cluster_name, settings)), ("pg_hba.conf", HBA.to_owned())]
    {
        let path = cluster.join(name);
        fs::write(&path, text).map_err(Error::file("write", &path))?;
        user::give(&path, user)?;
    }
    Ok(())
}

fn conf(port: u16, cluster_name: &str, settings: &PostgresSettings) -> String {
    let PostgresSettings { shared_buffers_mib, max_connections, max_slot_wal_keep_mib, extra } =
        settings;
    let extra: String = extra
        .iter()
        .map(|(name, value)| format!("{name} = '{}'\n", value.replace('\'', "''")))
        .collect();
    format!(
        "# Written by Millrace at every start: changes here are lost.
listen_addresses = '127.0.0.1'
port = {port}
unix_socket_directories = ''
cluster_name = '{cluster_name}'
password_encryption = 'scram-sha-256'
max_connections = {max_connections}
shared_buffers = {shared_buffers_mib}MB
fsync = on
synchronous_commit = on
full_page_writes = on
max_wal_size = 2GB
# Segments are used again instead of being filled with zeros first.
min_wal_size = 512MB
wal_level = logical
max_wal_senders = 20
max_replication_slots = 20
max_slot_wal_keep_size = {max_slot_wal_keep_mib}MB
timezone = 'UTC'
log_timezone = 'UTC'
log_line_prefix = '%m [%p] %a '
log_checkpoints = off
{extra}"
    )
}

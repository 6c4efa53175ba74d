//! Generated passwords, in one file that only its owner can read.

use std::{
    fs::{self, OpenOptions},
    io::{self, Write as _},
    os::unix::fs::OpenOptionsExt as _,
    path::Path,
};

use rand::{TryRngCore as _, rngs::OsRng};
use secrecy::{ExposeSecret as _, SecretString};
use serde::Deserialize;

use crate::{Error, Result};

/// File name in the data directory.
const FILE: &str = "secrets.toml";

/// Passwords of the embedded parts.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Secrets {
    /// PostgreSQL's superuser `postgres`.
    pub postgres_admin: SecretString,
    /// PostgreSQL's role `millrace`.
    pub postgres: SecretString,
    /// ClickHouse's user `millrace`.
    pub clickhouse: SecretString,
}

impl Secrets {
    /// Reads the data directory's secrets, or makes them. The flag says whether they are new.
    pub(crate) fn load_or_create(data_dir: &Path) -> Result<(Self, bool)> {
        let path = data_dir.join(FILE);
        match fs::read_to_string(&path) {
            Ok(text) => {
                // The parser's message would quote the file.
                let secrets = toml::from_str(&text).map_err(|_| Error::Damaged {
                    path: path.clone(),
                    reason: "it must hold postgres_admin, postgres and clickhouse".into(),
                })?;
                Ok((secrets, false))
            }
            Err(e) if e.kind() == io::ErrorKind::NotFound => {
                let secrets = Secrets {
                    postgres_admin: password(),
                    postgres: password(),
                    clickhouse: password(),
                };
                secrets.write(&path)?;
                Ok((secrets, true))
            }
            Err(e) => Err(Error::file("read", &path)(e)),
        }
    }

    fn write(&self, path: &Path) -> Result<()> {
        let text = format!(
            "postgres_admin = \"{}\"\npostgres = \"{}\"\nclickhouse = \"{}\"\n",
            self.postgres_admin.expose_secret(),
            self.postgres.expose_secret(),
            self.clickhouse.expose_secret(),
        );
        let new = path.with_extension("new");
        let write = || -> io::Result<()> {
            let _ = fs::remove_file(&new);
            let mut file =
                OpenOptions::new().write(true).create_new(true).mode(0o600).open(&new)?;
            file.write_all(text.as_bytes())?;
            file.sync_all()?;
            fs::rename(&new, path)
        };
        write().map_err(Error::file("write", path))
    }
}

/// 192 random bits in hexadecimal: needs no quoting in URLs, SQL or TOML.
fn password() -> SecretString {
    let mut bytes = [0u8; 24];
    OsRng.try_fill_bytes(&mut bytes).expect("the system's random source works");
    hex::encode(bytes).into()
}

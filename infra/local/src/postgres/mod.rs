//! The embedded PostgreSQL.

mod configure;
mod init;
mod programs;

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    time::Duration,
};

use nix::sys::signal::Signal;
use secrecy::{ExposeSecret as _, SecretString};
use sha2::{Digest as _, Sha256};
use sqlx::{
    Connection as _, PgConnection,
    postgres::{PgConnectOptions, PgSslMode},
};

use crate::{
    Assets, Error, Part, Port, PostgresSettings, Result, ports,
    secrets::Secrets,
    supervisor::{Component, Launch, Unready, previous},
    user::RunAs,
};
pub(crate) use init::fingerprint;
use programs::Programs;

/// Role that Millrace works as: owns its databases, may replicate, is no superuser.
pub(crate) const ROLE: &str = "millrace";
/// Its database.
pub(crate) const DATABASE: &str = "millrace";

/// PostgreSQL as a child process.
#[derive(Debug)]
pub(crate) struct Postgres {
    data_dir: PathBuf,
    programs: Programs,
    user: Option<RunAs>,
    settings: PostgresSettings,
    wanted: Port,
    port: u16,
    secrets: Secrets,
    secrets_are_new: bool,
    /// Tells this cluster's processes by their titles, also from those of another data directory.
    cluster_name: String,
}

impl Postgres {
    /// Nothing is touched yet.
    pub(crate) fn new(
        data_dir: &Path,
        assets: &Assets,
        settings: PostgresSettings,
        wanted: Port,
        (secrets, secrets_are_new): (Secrets, bool),
    ) -> Result<Self> {
        let user = RunAs::for_postgres()?;
        let digest = hex::encode(Sha256::digest(data_dir.as_os_str().as_encoded_bytes()));
        Ok(Postgres {
            data_dir: data_dir.to_owned(),
            programs: Programs::find(assets, user)?,
            user,
            settings,
            wanted,
            port: 0,
            secrets,
            secrets_are_new,
            cluster_name: format!("millrace-{}", &digest[..12]),
        })
    }

    /// URL of [`DATABASE`] as [`ROLE`].
    pub(crate) fn url(port: u16, secrets: &Secrets) -> SecretString {
        format!(
            "postgres://{ROLE}:{}@127.0.0.1:{port}/{DATABASE}?sslmode=disable",
            secrets.postgres.expose_secret()
        )
        .into()
    }

    /// URL of [`DATABASE`] as the superuser.
    pub(crate) fn admin_url(port: u16, secrets: &Secrets) -> SecretString {
        format!(
            "postgres://postgres:{}@127.0.0.1:{port}/{DATABASE}?sslmode=disable",
            secrets.postgres_admin.expose_secret()
        )
        .into()
    }

    /// Makes the cluster's files if there are none. The folder that holds them.
    pub(crate) async fn initialise(&self) -> Result<PathBuf> {
        let folder = init::folder(&self.data_dir, self.user)?;
        let made = init::initialise(&folder, &self.programs, self.user, &self.secrets).await?;
        if self.secrets_are_new && !made {
            init::set_passwords(&folder, &self.programs, self.user, &self.secrets).await?;
        }
        Ok(folder)
    }

    /// Makes the cluster's files as those of a standby of the server at `primary`.
    pub(crate) async fn follow(&self, primary: &SecretString) -> Result<()> {
        let folder = init::folder(&self.data_dir, self.user)?;
        init::follow(&folder, &self.programs, self.user, primary).await
    }

    /// Waits for processes of an earlier life: a postmaster, and backends that outlive theirs.
    async fn outlast_previous(&self) -> Result<()> {
        previous::outlast(&self.data_dir, Part::Postgres, Duration::from_secs(20)).await?;
        let title = format!("postgres: {}: ", self.cluster_name);
        let backends = previous::titled(&title);
        previous::end(|| !previous::titled(&title).is_empty(), &backends, Duration::from_secs(10))
            .await;
        Ok(())
    }
}

impl Component for Postgres {
    fn part(&self) -> Part {
        Part::Postgres
    }

    async fn prepare(&mut self, first: bool) -> Result<()> {
        self.outlast_previous().await?;
        let folder = self.initialise().await?;
        self.secrets_are_new = false;
        if first {
            self.port = ports::choose(&self.data_dir, Part::Postgres, self.wanted)?;
        }
        configure::write(&folder, self.port, &self.cluster_name, &self.settings, self.user)
    }

    fn launch(&self) -> Launch {
        let folder = self.data_dir.join(init::FOLDER);
        let folder = std::fs::canonicalize(&folder).unwrap_or(folder);
        Launch {
            program: self.programs.path("postgres"),
            args: vec!["-D".into(), folder.join(init::CLUSTER).into()],
            env: Vec::new(),
            user: self.user,
            dir: "/".into(),
            // An immediate shutdown: what is committed is in the log, and nothing can delay it.
            death_signal: "QUIT",
            log: self.log(),
        }
    }

    async fn probe(&self) -> Result<(), Unready> {
        let options = PgConnectOptions::new()
            .host("127.0.0.1")
            .port(self.port)
            .username(ROLE)
            .password(self.secrets.postgres.expose_secret())
            .database(DATABASE)
            .ssl_mode(PgSslMode::Disable);
        let mut connection = PgConnection::connect_with(&options).await.map_err(unready)?;
        connection.ping().await.map_err(unready)?;
        connection.close().await.map_err(unready)
    }

    fn port(&self) -> u16 {
        self.port
    }

    fn may_move(&self) -> bool {
        self.wanted == Port::Auto
    }

    fn log(&self) -> PathBuf {
        self.data_dir.join("logs/postgres.log")
    }

    fn farewell(&self) -> &'static [(Signal, Duration)] {
        const SIGNALS: [(Signal, Duration); 2] =
            [(Signal::SIGINT, Duration::from_secs(30)), (Signal::SIGQUIT, Duration::from_secs(5))];
        &SIGNALS
    }

    fn halt(&self) -> Signal {
        Signal::SIGQUIT
    }
}

fn unready(error: sqlx::Error) -> Unready {
    /// `too_many_connections`, `cannot_connect_now` (it starts, recovers or ends).
    const PATIENCE: [&str; 2] = ["53300", "57P03"];
    let code = error.as_database_error().and_then(|e| e.code());
    if code.is_some_and(|code| PATIENCE.contains(&code.as_ref())) {
        Unready::Busy(error.to_string())
    } else {
        Unready::Silent(error.to_string())
    }
}

/// Checks the URL of a PostgreSQL of the user's own by connecting to it.
pub(crate) async fn check(url: &SecretString) -> Result<()> {
    const VARIABLE: &str = "MILLRACE_POSTGRES_URL";
    let unusable = |e: sqlx::Error| Error::Url { variable: VARIABLE, reason: e.to_string() };
    let mut connection = PgConnection::connect(url.expose_secret()).await.map_err(unusable)?;
    let settings: Vec<(String, String)> = sqlx::query_as(
        "select name, setting from pg_settings where name in ('wal_level', 'server_version_num')",
    )
    .fetch_all(&mut connection)
    .await
    .map_err(unusable)?;
    let settings: BTreeMap<_, _> = settings.into_iter().collect();
    let wal_level = settings.get("wal_level").map_or("", String::as_str);
    if wal_level != "logical" {
        return Err(Error::Url {
            variable: VARIABLE,
            reason: format!(
                "the server's wal_level is '{wal_level}', the relay needs 'logical' (postgresql.conf, then restart)"
            ),
        });
    }
    connection.close().await.map_err(unusable)
}

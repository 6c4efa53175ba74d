//! Embedded parts for tests: each in a temporary folder, gone when dropped.
//!
//! The programs are those of [`Assets::default`](crate::Assets): `assets/fetch.sh` and the broker's
//! build must have run. Making a PostgreSQL cluster takes seconds, so one is made once, kept in the
//! cache and copied: copies share a system identifier and passwords, unless asked otherwise.

use std::{
    env,
    fs::{self, File, TryLockError},
    path::{Path, PathBuf},
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

use secrecy::{ExposeSecret as _, SecretString};
use sha2::{Digest as _, Sha256};
use sqlx::{AssertSqlSafe, Connection as _, PgConnection};
use tempfile::TempDir;
use tokio::sync::OnceCell;

use crate::{
    Endpoints, Error, Options, Part, Port, PostgresSettings, Result, Stack, cache_dir,
    clickhouse::USER,
    lock::DataDirLock,
    postgres,
    secrets::Secrets,
    stack::{Running, make_data_dir},
    user,
};

const PREFIX: &str = "millrace-test-";
/// File in a data directory that the process that made it keeps locked until it ends, also while
/// nothing runs there.
const OWNER: &str = ".owner";
static OWNED: Mutex<Vec<File>> = Mutex::new(Vec::new());
/// Younger folders may not be locked yet.
const LEFTOVER_AFTER: Duration = Duration::from_secs(60);

/// A PostgreSQL of the test's own.
#[derive(Debug)]
pub struct Postgres {
    running: Running,
    dir: TempDir,
}

/// A PostgreSQL with the product's settings, but 64 MiB of shared buffers.
pub async fn postgres() -> Result<Postgres> {
    postgres_with(PostgresSettings { shared_buffers_mib: 64, ..PostgresSettings::default() }).await
}

/// A PostgreSQL with settings of the test's choice.
pub async fn postgres_with(settings: PostgresSettings) -> Result<Postgres> {
    let dir = data_dir()?;
    from_template(dir.path()).await?;
    start_postgres(dir, settings).await
}

/// A PostgreSQL whose system identifier and passwords are its own. Takes seconds longer.
pub async fn new_postgres() -> Result<Postgres> {
    start_postgres(
        data_dir()?,
        PostgresSettings { shared_buffers_mib: 64, ..PostgresSettings::default() },
    )
    .await
}

async fn start_postgres(dir: TempDir, settings: PostgresSettings) -> Result<Postgres> {
    let options = Options { postgres: settings, ..Options::new(dir.path()) };
    let running = Running::start(&options, &[Part::Postgres]).await?;
    Ok(Postgres { running, dir })
}

impl Postgres {
    fn port(&self) -> u16 {
        self.running.ports[&Part::Postgres]
    }

    /// URL of the database `millrace` as the role `millrace`.
    pub fn url(&self) -> SecretString {
        postgres::Postgres::url(self.port(), &self.running.secrets)
    }

    /// URL of the database `millrace` as the superuser: for damaging rows on purpose.
    pub fn admin_url(&self) -> SecretString {
        postgres::Postgres::admin_url(self.port(), &self.running.secrets)
    }

    /// The postmaster's process id; killed, it is started again on the same port.
    pub fn pid(&self) -> Option<u32> {
        self.running.status().get(&Part::Postgres)?.pid
    }

    /// Makes a database of its own for one test. Its URL as the role `millrace`, who owns it.
    pub async fn database(&self) -> Result<SecretString> {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let name = format!("test_{}", NUMBER.fetch_add(1, Ordering::Relaxed));
        let url = self.url();
        let failed =
            |e: sqlx::Error| Error::Unhealthy { part: Part::Postgres, reason: e.to_string() };
        let mut connection = PgConnection::connect(url.expose_secret()).await.map_err(failed)?;
        let create = sqlx::raw_sql(AssertSqlSafe(format!("create database {name}")));
        create.execute(&mut connection).await.map_err(failed)?;
        connection.close().await.map_err(failed)?;
        let suffix = format!("/{}?", postgres::DATABASE);
        Ok(url.expose_secret().replace(&suffix, &format!("/{name}?")).into())
    }

    /// A standby that follows it through physical slot `standby`, with what it takes to keep failover
    /// slots in step (`pg_sync_replication_slots`). Promoted, it is a server of its own with the same
    /// passwords.
    pub async fn standby(&self) -> Result<Postgres> {
        let dir = data_dir()?;
        make_data_dir(dir.path())?;
        user::copy_tree(&self.dir.path().join("secrets.toml"), &dir.path().join("secrets.toml"))?;
        let mut settings =
            PostgresSettings { shared_buffers_mib: 64, ..PostgresSettings::default() };
        settings.extra.push(("hot_standby_feedback".to_owned(), "on".to_owned()));
        let options = Options::new(dir.path());
        let secrets = (self.running.secrets.clone(), false);
        postgres::Postgres::new(
            dir.path(),
            &options.assets,
            settings.clone(),
            Port::Auto,
            secrets,
        )?
        .follow(&self.url())
        .await?;
        start_postgres(dir, settings).await
    }

    /// Ends it in order, as an administrator would.
    pub async fn shutdown(self) {
        self.running.shutdown().await;
    }
}

/// A fresh database on a PostgreSQL that all tests of the process share. Its URL.
///
/// Replication slots and their limits are the cluster's: tests of those take [`postgres`].
pub async fn database() -> Result<SecretString> {
    static SHARED: OnceCell<Postgres> = OnceCell::const_new();
    SHARED.get_or_try_init(postgres).await?.database().await
}

/// A Kafka-protocol broker.
#[derive(Debug)]
pub struct Kafka {
    brokers: String,
    embedded: Option<(Running, TempDir)>,
}

/// An embedded broker of the test's own; with `MILLRACE_KAFKA_BROKERS` set, that one: so name topics
/// uniquely.
pub async fn kafka() -> Result<Kafka> {
    if let Ok(brokers) = env::var("MILLRACE_KAFKA_BROKERS")
        && !brokers.is_empty()
    {
        return Ok(Kafka { brokers, embedded: None });
    }
    let dir = data_dir()?;
    let running = Running::start(&Options::new(dir.path()), &[Part::Kafka]).await?;
    let brokers = format!("127.0.0.1:{}", running.ports[&Part::Kafka]);
    Ok(Kafka { brokers, embedded: Some((running, dir)) })
}

impl Kafka {
    /// `host:port[,host:port]`.
    pub fn brokers(&self) -> &str {
        &self.brokers
    }

    /// Process id, if embedded; killed, it is started again on the same port.
    pub fn pid(&self) -> Option<u32> {
        self.embedded.as_ref()?.0.status().get(&Part::Kafka)?.pid
    }

    /// How often it was started again.
    pub fn restarts(&self) -> u32 {
        let status =
            self.embedded.as_ref().and_then(|(running, _)| running.status().remove(&Part::Kafka));
        status.map_or(0, |status| status.restarts)
    }
}

/// An embedded ClickHouse of the test's own.
#[derive(Debug)]
pub struct ClickHouse {
    running: Running,
    _dir: TempDir,
}

/// Starts a ClickHouse.
pub async fn clickhouse() -> Result<ClickHouse> {
    let dir = data_dir()?;
    let running = Running::start(&Options::new(dir.path()), &[Part::ClickHouse]).await?;
    Ok(ClickHouse { running, _dir: dir })
}

impl ClickHouse {
    /// `http://127.0.0.1:port`.
    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.running.ports[&Part::ClickHouse])
    }

    /// User name.
    pub fn user(&self) -> &'static str {
        USER
    }

    /// Password.
    pub fn password(&self) -> SecretString {
        self.running.secrets.clickhouse.clone()
    }

    /// Process id; killed, it is started again on the same port.
    pub fn pid(&self) -> Option<u32> {
        self.running.status().get(&Part::ClickHouse)?.pid
    }
}

/// All three parts.
#[derive(Debug)]
pub struct TestStack {
    /// The running stack.
    pub stack: Stack,
    dir: TempDir,
}

/// Starts all three parts embedded.
pub async fn stack() -> Result<TestStack> {
    let dir = data_dir()?;
    from_template(dir.path()).await?;
    let stack = Stack::start(Options::new(dir.path())).await?;
    Ok(TestStack { stack, dir })
}

impl TestStack {
    /// Where the parts are.
    pub fn endpoints(&self) -> &Endpoints {
        self.stack.endpoints()
    }

    /// The data directory.
    pub fn data_dir(&self) -> &Path {
        self.dir.path()
    }

    /// Ends the parts in order and gives the data directory back for another start.
    pub async fn shutdown(self) -> TempDir {
        self.stack.shutdown().await;
        self.dir
    }
}

/// A new temporary data directory; removes those that ended test processes left behind.
pub fn data_dir() -> Result<TempDir> {
    let parent = env::temp_dir();
    for entry in fs::read_dir(&parent).map_err(Error::file("read", &parent))?.flatten() {
        let is_ours = entry.file_name().to_string_lossy().starts_with(PREFIX);
        if is_ours && is_leftover(&entry) {
            // Another process may be removing it too.
            let _ = fs::remove_dir_all(entry.path());
        }
    }
    let made = tempfile::Builder::new().prefix(PREFIX).tempdir_in(&parent);
    let dir = made.map_err(Error::file("make a folder in", parent))?;
    let owner = dir.path().join(OWNER);
    let lock =
        File::create(&owner).and_then(|file| file.try_lock().map(|()| file).map_err(Into::into));
    let lock = lock.map_err(Error::file("lock", owner))?;
    OWNED.lock().unwrap_or_else(PoisonError::into_inner).push(lock);
    Ok(dir)
}

fn is_leftover(entry: &fs::DirEntry) -> bool {
    let modified = entry.metadata().and_then(|meta| meta.modified()).ok();
    let age = modified.and_then(|at| at.elapsed().ok());
    let is_owned = || {
        let owner = File::open(entry.path().join(OWNER));
        owner.is_ok_and(|file| matches!(file.try_lock(), Err(TryLockError::WouldBlock)))
    };
    let is_running = || DataDirLock::take(&entry.path()).is_err();
    age.is_some_and(|age| age > LEFTOVER_AFTER) && !is_owned() && !is_running()
}

/// Fills a data directory with a copy of the ready-made cluster and its passwords.
async fn from_template(data_dir: &Path) -> Result<()> {
    let template = template().await?;
    make_data_dir(data_dir)?;
    for name in ["secrets.toml", "postgres"] {
        user::copy_tree(&template.join(name), &data_dir.join(name))?;
    }
    Ok(())
}

/// Folder of the ready-made cluster, made by whoever needs it first.
async fn template() -> Result<PathBuf> {
    let options = Options::new("");
    let stamp = options.assets.postgres.join(".stamp");
    let version = fs::read_to_string(&stamp).map_err(Error::file("read", stamp))?;
    let key = hex::encode(Sha256::digest(version + &postgres::fingerprint()));
    let templates = cache_dir().join("templates");
    let template = templates.join(format!("postgres-{}", &key[..16]));
    if template.exists() {
        return Ok(template);
    }
    let made = data_dir()?;
    let dir = make_data_dir(made.path())?;
    let secrets = Secrets::load_or_create(&dir)?;
    let cluster =
        postgres::Postgres::new(&dir, &options.assets, options.postgres, Port::Auto, secrets)?
            .initialise()
            .await?;
    fs::create_dir_all(&templates).map_err(Error::file("make", &templates))?;
    // Renamed when complete: several test programs may be making it at once, the first one wins.
    let partial =
        tempfile::tempdir_in(&templates).map_err(Error::file("make a folder in", &templates))?;
    user::copy_tree(&cluster, &partial.path().join("postgres"))?;
    user::copy_tree(&dir.join("secrets.toml"), &partial.path().join("secrets.toml"))?;
    let partial = partial.keep();
    match fs::rename(&partial, &template) {
        Err(_) if template.exists() => {
            fs::remove_dir_all(&partial).map_err(Error::file("remove", partial))?
        }
        renamed => renamed.map_err(Error::file("make", &template))?,
    }
    Ok(template)
}

//! The three parts together, embedded or the user's own.

use std::{
    collections::BTreeMap,
    fs,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
};

use nix::unistd::Uid;

use crate::{
    Endpoints, Error, Options, Part, PartStatus, Result, State,
    broker::{self, Broker},
    clickhouse::{self, ClickHouse},
    endpoints::ClickHouseAddress,
    lock::DataDirLock,
    postgres::{self, Postgres},
    secrets::Secrets,
    supervisor::{Parts, Supervisor},
};

/// PostgreSQL, broker and ClickHouse, ready for use.
///
/// Dropping it ends the embedded parts at once (nothing acknowledged is lost); [`Stack::shutdown`]
/// ends them in order.
#[derive(Debug)]
pub struct Stack {
    endpoints: Endpoints,
    // Dropped before the lock: the next owner of the data directory finds no child of ours.
    running: Running,
}

/// Embedded parts and the directory they hold.
#[derive(Debug)]
pub(crate) struct Running {
    supervisor: Supervisor,
    /// Ports of the embedded parts.
    pub ports: BTreeMap<Part, u16>,
    /// Their passwords.
    pub secrets: Secrets,
    _lock: DataDirLock,
}

impl Running {
    /// Starts the chosen parts in the options' data directory.
    pub(crate) async fn start(options: &Options, chosen: &[Part]) -> Result<Self> {
        let data_dir = make_data_dir(&options.data_dir)?;
        let lock = DataDirLock::take(&data_dir)?;
        let (secrets, are_new) = Secrets::load_or_create(&data_dir)?;
        let assets = &options.assets;
        let mut parts = Parts::default();
        for part in chosen {
            match part {
                Part::Postgres => {
                    let settings = options.postgres.clone();
                    let secrets = (secrets.clone(), are_new);
                    parts.postgres = Some(Postgres::new(
                        &data_dir,
                        assets,
                        settings,
                        options.postgres_port,
                        secrets,
                    )?);
                }
                Part::Kafka => {
                    parts.kafka = Some(Broker::new(&data_dir, assets, options.kafka_port)?)
                }
                Part::ClickHouse => {
                    parts.clickhouse = Some(ClickHouse::new(
                        &data_dir,
                        assets,
                        options.clickhouse_port,
                        &secrets,
                    )?);
                }
            }
        }
        let (supervisor, ports) = Supervisor::start(parts, data_dir).await?;
        Ok(Running { supervisor, ports, secrets, _lock: lock })
    }

    /// State of the embedded parts.
    pub(crate) fn status(&self) -> BTreeMap<Part, PartStatus> {
        self.supervisor.board().read()
    }

    /// Ends the parts in order.
    pub(crate) async fn shutdown(self) {
        self.supervisor.shutdown().await;
    }
}

impl Stack {
    /// Starts what is embedded and checks what is the user's own; returns when all of it answers.
    pub async fn start(options: Options) -> Result<Stack> {
        let mut chosen = Vec::new();
        match &options.postgres_url {
            Some(url) => postgres::check(url).await?,
            None => chosen.push(Part::Postgres),
        }
        match &options.kafka_brokers {
            Some(brokers) => broker::check(brokers).await?,
            None => chosen.push(Part::Kafka),
        }
        let own_clickhouse =
            options.clickhouse_url.as_ref().map(ClickHouseAddress::parse).transpose()?;
        match &own_clickhouse {
            Some(address) => address.check().await?,
            None => chosen.push(Part::ClickHouse),
        }
        let running = Running::start(&options, &chosen).await?;
        let port = |part| {
            running.ports.get(&part).copied().expect("a part that isn't the user's own is embedded")
        };
        let clickhouse = own_clickhouse.unwrap_or_else(|| ClickHouseAddress {
            url: format!("http://127.0.0.1:{}", port(Part::ClickHouse)),
            user: clickhouse::USER.to_owned(),
            password: running.secrets.clickhouse.clone(),
        });
        let endpoints = Endpoints {
            postgres_url: options
                .postgres_url
                .unwrap_or_else(|| Postgres::url(port(Part::Postgres), &running.secrets)),
            kafka_brokers: options
                .kafka_brokers
                .unwrap_or_else(|| format!("127.0.0.1:{}", port(Part::Kafka))),
            clickhouse_url: clickhouse.url,
            clickhouse_user: clickhouse.user,
            clickhouse_password: clickhouse.password,
        };
        Ok(Stack { endpoints, running })
    }

    /// Where to reach the parts.
    pub fn endpoints(&self) -> &Endpoints {
        &self.endpoints
    }

    /// The embedded PostgreSQL's database `millrace` as its superuser, for repairs and for tests that
    /// damage rows on purpose; none where PostgreSQL is the user's own.
    pub fn admin_postgres_url(&self) -> Option<secrecy::SecretString> {
        let port = self.running.ports.get(&Part::Postgres)?;
        Some(Postgres::admin_url(*port, &self.running.secrets))
    }

    /// Process ids of the embedded parts that run now, by [`Part::name`].
    pub fn pids(&self) -> BTreeMap<&'static str, u32> {
        let alive = |(part, status): (Part, PartStatus)| Some((part.name(), status.pid?));
        self.running.status().into_iter().filter_map(alive).collect()
    }

    /// State of every part.
    pub fn status(&self) -> BTreeMap<Part, PartStatus> {
        let external = || PartStatus {
            state: State::External,
            pid: None,
            port: None,
            restarts: 0,
            last_error: None,
            log: None,
        };
        let mut status = self.running.status();
        for part in [Part::Postgres, Part::Kafka, Part::ClickHouse] {
            status.entry(part).or_insert_with(external);
        }
        status
    }

    /// Ends the embedded parts in order, each after finishing what it does.
    pub async fn shutdown(self) {
        self.running.shutdown().await;
    }
}

/// Absolute path of the data directory, made if missing. As root it can be passed through but not
/// listed by others: PostgreSQL runs as another user.
pub(crate) fn make_data_dir(path: &Path) -> Result<PathBuf> {
    let path = std::path::absolute(path).map_err(Error::file("find", path))?;
    fs::create_dir_all(&path).map_err(Error::file("make", &path))?;
    let mode = if Uid::effective().is_root() { 0o711 } else { 0o700 };
    fs::set_permissions(&path, fs::Permissions::from_mode(mode))
        .map_err(Error::file("protect", &path))?;
    Ok(path)
}

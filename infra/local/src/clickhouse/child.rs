//! The child process that serves ClickHouse.

use std::{
    ffi::OsString,
    path::{Path, PathBuf},
    time::Duration,
};

use nix::sys::signal::Signal;
use secrecy::{ExposeSecret as _, SecretString};

use crate::{
    Assets, Error, Part, Port, Result, ports,
    secrets::Secrets,
    supervisor::{Component, Launch, Unready, previous},
};

/// The one user of the embedded server.
pub(crate) const USER: &str = "millrace";
/// Environment variable that carries its password to the child.
pub const PASSWORD_VARIABLE: &str = "MILLRACE_CLICKHOUSE_PASSWORD";

/// ClickHouse as a child process, its files in `clickhouse/` of the data directory.
#[derive(Debug)]
pub(crate) struct ClickHouse {
    data_dir: PathBuf,
    program: PathBuf,
    library: PathBuf,
    wanted: Port,
    port: u16,
    password: SecretString,
    http: reqwest::Client,
}

impl ClickHouse {
    /// Nothing is touched yet.
    pub(crate) fn new(
        data_dir: &Path,
        assets: &Assets,
        wanted: Port,
        secrets: &Secrets,
    ) -> Result<Self> {
        let find = |path: &Path, remedy| {
            let path = std::path::absolute(path).map_err(Error::file("find", path))?;
            if path.exists() {
                Ok(path)
            } else {
                Err(Error::Missing { part: Part::ClickHouse, path, remedy })
            }
        };
        Ok(ClickHouse {
            data_dir: data_dir.to_owned(),
            program: find(
                &assets.clickhouse,
                "Run `make build`, point MILLRACE_CLICKHOUSE_BIN to it, or set MILLRACE_CLICKHOUSE_URL",
            )?,
            library: find(
                &assets.libchdb,
                "Run infra/local/assets/fetch.sh, or set MILLRACE_CLICKHOUSE_URL to a server of your own",
            )?,
            wanted,
            port: 0,
            password: secrets.clickhouse.clone(),
            http: reqwest::Client::new(),
        })
    }

    fn folder(&self) -> PathBuf {
        self.data_dir.join("clickhouse")
    }
}

impl Component for ClickHouse {
    fn part(&self) -> Part {
        Part::ClickHouse
    }

    async fn prepare(&mut self, first: bool) -> Result<()> {
        previous::outlast(&self.data_dir, Part::ClickHouse, Duration::from_secs(20)).await?;
        std::fs::create_dir_all(self.folder()).map_err(Error::file("make", self.folder()))?;
        if first {
            self.port = ports::choose(&self.data_dir, Part::ClickHouse, self.wanted)?;
        }
        Ok(())
    }

    fn launch(&self) -> Launch {
        let option = |name: &str, value: OsString| [OsString::from(name), value];
        let listen = format!("127.0.0.1:{}", self.port);
        let args = [
            option("--listen", listen.into()),
            option("--data", self.folder().into()),
            option("--library", self.library.clone().into()),
        ];
        Launch {
            program: self.program.clone(),
            args: args.into_iter().flatten().collect(),
            env: vec![(PASSWORD_VARIABLE, self.password.expose_secret().into())],
            user: None,
            dir: self.data_dir.clone(),
            // Nothing acknowledged is lost, and nothing can delay it.
            death_signal: "KILL",
            log: self.log(),
        }
    }

    async fn probe(&self) -> Result<(), Unready> {
        let silent = |reason: reqwest::Error| Unready::Silent(reason.to_string());
        let url = format!("http://127.0.0.1:{}/ping", self.port);
        let text = self.http.get(url).send().await.map_err(silent)?.text().await.map_err(silent)?;
        if text == "Ok.\n" {
            Ok(())
        } else {
            Err(Unready::Silent(format!("/ping answers {text:?}")))
        }
    }

    fn port(&self) -> u16 {
        self.port
    }

    fn may_move(&self) -> bool {
        self.wanted == Port::Auto
    }

    fn log(&self) -> PathBuf {
        self.data_dir.join("logs/clickhouse.log")
    }

    fn farewell(&self) -> &'static [(Signal, Duration)] {
        const SIGNALS: [(Signal, Duration); 1] = [(Signal::SIGTERM, Duration::from_secs(20))];
        &SIGNALS
    }

    fn halt(&self) -> Signal {
        Signal::SIGKILL
    }
}

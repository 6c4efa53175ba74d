//! The embedded Kafka-protocol broker as a child process.

use std::{
    path::{Path, PathBuf},
    time::Duration,
};

use nix::sys::signal::Signal;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
    time::timeout,
};

use crate::{
    Assets, Error, Part, Port, Result, ports,
    supervisor::{Component, Launch, Unready, previous},
};

/// The broker, its log in `kafka/` of the data directory.
#[derive(Debug)]
pub(crate) struct Broker {
    data_dir: PathBuf,
    program: PathBuf,
    wanted: Port,
    port: u16,
}

impl Broker {
    /// Nothing is touched yet.
    pub(crate) fn new(data_dir: &Path, assets: &Assets, wanted: Port) -> Result<Self> {
        let program =
            std::path::absolute(&assets.broker).map_err(Error::file("find", &assets.broker))?;
        if !program.exists() {
            return Err(Error::Missing {
                part: Part::Kafka,
                path: program,
                remedy: "Run `make broker`, point MILLRACE_BROKER_BIN to it, or set MILLRACE_KAFKA_BROKERS to a broker of your own",
            });
        }
        Ok(Broker { data_dir: data_dir.to_owned(), program, wanted, port: 0 })
    }

    fn folder(&self) -> PathBuf {
        self.data_dir.join("kafka")
    }
}

impl Component for Broker {
    fn part(&self) -> Part {
        Part::Kafka
    }

    async fn prepare(&mut self, first: bool) -> Result<()> {
        previous::outlast(&self.data_dir, Part::Kafka, Duration::from_secs(10)).await?;
        std::fs::create_dir_all(self.folder()).map_err(Error::file("make", self.folder()))?;
        if first {
            self.port = ports::choose(&self.data_dir, Part::Kafka, self.wanted)?;
        }
        Ok(())
    }

    fn launch(&self) -> Launch {
        let listen = format!("127.0.0.1:{}", self.port);
        Launch {
            program: self.program.clone(),
            args: vec!["--listen".into(), listen.into(), "--data".into(), self.folder().into()],
            env: Vec::new(),
            user: None,
            dir: self.data_dir.clone(),
            // Nothing acknowledged is lost, and nothing can delay it.
            death_signal: "KILL",
            log: self.log(),
        }
    }

    async fn probe(&self) -> Result<(), Unready> {
        let address = format!("127.0.0.1:{}", self.port);
        answers(&address).await.map_err(|e| Unready::Silent(e.to_string()))
    }

    fn port(&self) -> u16 {
        self.port
    }

    fn may_move(&self) -> bool {
        self.wanted == Port::Auto
    }

    fn log(&self) -> PathBuf {
        self.data_dir.join("logs/kafka.log")
    }

    fn farewell(&self) -> &'static [(Signal, Duration)] {
        const SIGNALS: [(Signal, Duration); 1] = [(Signal::SIGTERM, Duration::from_secs(10))];
        &SIGNALS
    }

    fn halt(&self) -> Signal {
        Signal::SIGKILL
    }
}

/// Asks for the versions it speaks: the one request that every Kafka broker answers to a stranger.
async fn answers(address: &str) -> std::io::Result<()> {
    /// Length 10, `ApiVersions` (18) in version 0, correlation id 7, no client id.
    const REQUEST: [u8; 14] = [0, 0, 0, 10, 0, 18, 0, 0, 0, 0, 0, 7, 0xff, 0xff];
    const CORRELATION: [u8; 4] = [0, 0, 0, 7];
    const NO_ERROR: [u8; 2] = [0, 0];
    let mut stream = TcpStream::connect(address).await?;
    stream.write_all(&REQUEST).await?;
    let mut answer = [0u8; 10];
    stream.read_exact(&mut answer).await?;
    if answer[4..8] == CORRELATION && answer[8..] == NO_ERROR {
        Ok(())
    } else {
        Err(std::io::Error::other("what listens there is no Kafka broker"))
    }
}

/// Checks brokers of the user's own: the list reads as `host:port[,host:port]` and one of them answers.
pub(crate) async fn check(brokers: &str) -> Result<()> {
    const WITHIN: Duration = Duration::from_secs(10);
    let unusable = |reason| Error::Url { variable: "MILLRACE_KAFKA_BROKERS", reason };
    let addresses = addresses(brokers)
        .ok_or_else(|| unusable(format!("'{brokers}' is not host:port[,host:port]")))?;
    let mut reasons = Vec::new();
    for address in addresses {
        match timeout(WITHIN, answers(address)).await {
            Ok(Ok(())) => return Ok(()),
            Ok(Err(error)) => reasons.push(format!("{address}: {error}")),
            Err(_) => reasons.push(format!("{address}: no answer within {WITHIN:?}")),
        }
    }
    Err(unusable(format!("no broker answers ({})", reasons.join("; "))))
}

fn addresses(brokers: &str) -> Option<Vec<&str>> {
    let readable = |broker: &str| {
        broker
            .rsplit_once(':')
            .is_some_and(|(host, port)| !host.is_empty() && port.parse::<u16>().is_ok())
    };
    let addresses: Vec<_> = brokers.split(',').map(str::trim).collect();
    addresses.iter().all(|broker| readable(broker)).then_some(addresses)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn broker_lists_are_read() {
        assert_eq!(addresses("localhost:9092"), Some(vec!["localhost:9092"]));
        assert_eq!(addresses("a:1, [::1]:2"), Some(vec!["a:1", "[::1]:2"]));
        for bad in ["", "localhost", "a:1,b", "a:99999", ":9092"] {
            assert_eq!(addresses(bad), None, "{bad}");
        }
    }
}

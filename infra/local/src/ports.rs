//! Which TCP port a part listens on: the configured one, the one it had before, or a free one.

use std::{
    collections::BTreeMap,
    fs, io,
    net::{Ipv4Addr, TcpListener},
    path::Path,
};

use rand::Rng as _;

use crate::{Error, Part, Port, Result};

const FILE: &str = "ports.toml";

/// Below the range from which Linux takes ports of outgoing connections (32768 and up), so that a
/// chosen port isn't lost to one of those while its part is down.
const FIRST: u16 = 15_000;
const LAST: u16 = 31_999;
const TRIES: usize = 200;

/// The port `part` shall listen on. A chosen one is kept in the data directory.
pub(crate) fn choose(data_dir: &Path, part: Part, wanted: Port) -> Result<u16> {
    match wanted {
        Port::Fixed(port) if is_free(port) => Ok(port),
        Port::Fixed(port) => Err(Error::PortTaken { part, port }),
        Port::Auto => {
            let mut kept = load(data_dir)?;
            if let Some(&port) = kept.get(part.name())
                && is_free(port)
            {
                return Ok(port);
            }
            let mut rng = rand::rng();
            let port = (0..TRIES)
                .map(|_| rng.random_range(FIRST..=LAST))
                .find(|port| !kept.values().any(|k| k == port) && is_free(*port))
                .ok_or(Error::NoFreePort { part, first: FIRST, last: LAST })?;
            kept.insert(part.name().to_owned(), port);
            store(data_dir, &kept)?;
            Ok(port)
        }
    }
}

/// Whether nobody listens on the port of 127.0.0.1.
pub(crate) fn is_free(port: u16) -> bool {
    TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok()
}

fn load(data_dir: &Path) -> Result<BTreeMap<String, u16>> {
    let path = data_dir.join(FILE);
    match fs::read_to_string(&path) {
        Ok(text) => toml::from_str(&text)
            .map_err(|e| Error::Damaged { path, reason: e.message().to_owned() }),
        Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(BTreeMap::new()),
        Err(e) => Err(Error::file("read", path)(e)),
    }
}

fn store(data_dir: &Path, ports: &BTreeMap<String, u16>) -> Result<()> {
    let path = data_dir.join(FILE);
    let text: String = ports.iter().map(|(part, port)| format!("{part} = {port}\n")).collect();
    let new = path.with_extension("new");
    fs::write(&new, text).and_then(|()| fs::rename(&new, &path)).map_err(Error::file("write", path))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_taken_port_is_reported_with_its_part() {
        let dir = tempfile::tempdir().unwrap();
        let holder = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let port = holder.local_addr().unwrap().port();
        let error = choose(dir.path(), Part::Kafka, Port::Fixed(port)).unwrap_err();
        assert!(
            matches!(error, Error::PortTaken { part: Part::Kafka, port: p } if p == port),
            "{error}"
        );
        assert!(
            error.to_string().contains("kafka") && error.to_string().contains(&port.to_string()),
            "{error}"
        );
    }

    #[test]
    fn a_chosen_port_is_kept_while_free_and_replaced_when_taken() {
        let dir = tempfile::tempdir().unwrap();
        let first = choose(dir.path(), Part::Postgres, Port::Auto).unwrap();
        assert_eq!(choose(dir.path(), Part::Postgres, Port::Auto).unwrap(), first);
        assert_ne!(choose(dir.path(), Part::Kafka, Port::Auto).unwrap(), first);
        let _holder = TcpListener::bind((Ipv4Addr::LOCALHOST, first)).unwrap();
        let second = choose(dir.path(), Part::Postgres, Port::Auto).unwrap();
        assert_ne!(second, first);
        assert_eq!(choose(dir.path(), Part::Postgres, Port::Auto).unwrap(), second);
    }
}

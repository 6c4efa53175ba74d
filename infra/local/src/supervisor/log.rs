//! Bounds for the children's log files.

use std::{fs, io, path::Path};

/// A log that grew beyond this is kept once as `<name>.1` and started anew.
const BYTES_MAX: u64 = 16 * 1024 * 1024;

/// Turns the file over when it is too long. The child goes on appending to the same file, so what
/// it writes during the copy may be lost: logs are for reading, not for recovery.
pub(crate) fn turn_over(log: &Path) -> io::Result<()> {
    turn_over_beyond(log, BYTES_MAX)
}

fn turn_over_beyond(log: &Path, bytes_max: u64) -> io::Result<()> {
    match fs::metadata(log) {
        Ok(meta) if meta.len() > bytes_max => {
            fs::copy(log, log.with_extension("log.1"))?;
            fs::OpenOptions::new().write(true).open(log)?.set_len(0)
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write as _;

    #[test]
    fn a_long_log_is_turned_over_under_its_writer() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("kafka.log");
        let mut writer = fs::OpenOptions::new().create(true).append(true).open(&path).unwrap();
        writer.write_all(b"0123456789").unwrap();
        turn_over_beyond(&path, 10).unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"0123456789");
        turn_over_beyond(&path, 9).unwrap();
        writer.write_all(b"next").unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"next");
        assert_eq!(fs::read(dir.path().join("kafka.log.1")).unwrap(), b"0123456789");
    }
}

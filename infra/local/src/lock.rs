//! One Millrace per data directory.

use std::{
    fs::{File, OpenOptions, TryLockError},
    path::Path,
};

use crate::{Error, Result};

/// Held as long as the value lives; the system releases it when the process dies.
#[derive(Debug)]
pub(crate) struct DataDirLock {
    _file: File,
}

impl DataDirLock {
    /// Takes the data directory's lock, or says that another process holds it.
    pub(crate) fn take(data_dir: &Path) -> Result<Self> {
        let path = data_dir.join(".lock");
        let file = OpenOptions::new()
            .create(true)
            .truncate(false)
            .write(true)
            .open(&path)
            .map_err(Error::file("open", &path))?;
        match file.try_lock() {
            Ok(()) => Ok(DataDirLock { _file: file }),
            Err(TryLockError::WouldBlock) => Err(Error::DataDirInUse { path: data_dir.to_owned() }),
            Err(TryLockError::Error(e)) => Err(Error::file("lock", &path)(e)),
        }
    }
}

//! Checkpoints as files in one directory, each made durable with fsync.

use std::fs::{self, File, OpenOptions};
use std::io::{self, ErrorKind, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use super::CheckpointStore;
use crate::{Error, Result};

/// Suffix of a file that is being written and not yet in place.
const PARTIAL: &str = ".partial";

/// A directory of checkpoint files.
#[derive(Debug)]
pub struct DirStore {
    directory: PathBuf,
}

impl DirStore {
    /// Opens `directory`, creating it when missing. Files left half-written by a crash are removed.
    pub fn open(directory: impl Into<PathBuf>) -> Result<Self> {
        let directory = directory.into();
        let failed = |source| Error::Store { name: directory.display().to_string(), source };
        fs::create_dir_all(&directory).map_err(failed)?;
        for entry in fs::read_dir(&directory).map_err(failed)? {
            let path = entry.map_err(failed)?.path();
            if path.to_string_lossy().ends_with(PARTIAL) {
                fs::remove_file(&path).map_err(failed)?;
            }
        }
        Ok(Self { directory })
    }

    fn path(&self, name: &str) -> PathBuf {
        self.directory.join(name)
    }

    /// Makes additions and removals of names durable.
    fn sync_directory(&self) -> io::Result<()> {
        File::open(&self.directory)?.sync_all()
    }

    fn put(&self, path: &Path, bytes: &[u8]) -> io::Result<()> {
        let mut partial = path.as_os_str().to_owned();
        partial.push(PARTIAL);
        let mut file = File::create(&partial)?;
        file.write_all(bytes)?;
        file.sync_all()?;
        fs::rename(&partial, path)?;
        self.sync_directory()
    }

    fn add(&self, path: &Path, bytes: &[u8]) -> io::Result<()> {
        let is_new = !path.exists();
        let mut file = OpenOptions::new().create(true).append(true).open(path)?;
        file.write_all(bytes)?;
        file.sync_data()?;
        if is_new { self.sync_directory() } else { Ok(()) }
    }
}

/// `None` when the file is not there.
fn absent_is_none<T>(name: &str, outcome: io::Result<T>) -> Result<Option<T>> {
    match outcome {
        Ok(value) => Ok(Some(value)),
        Err(source) if source.kind() == ErrorKind::NotFound => Ok(None),
        Err(source) => Err(Error::Store { name: name.to_owned(), source }),
    }
}

impl CheckpointStore for DirStore {
    fn write(&mut self, name: &str, bytes: &[u8]) -> Result<()> {
        self.put(&self.path(name), bytes)
            .map_err(|source| Error::Store { name: name.to_owned(), source })
    }

    fn append(&mut self, name: &str, bytes: &[u8]) -> Result<()> {
        self.add(&self.path(name), bytes)
            .map_err(|source| Error::Store { name: name.to_owned(), source })
    }

    fn replace(&mut self, name: &str, bytes: &[u8]) -> Result<()> {
        self.write(name, bytes)
    }

    fn read(&self, name: &str) -> Result<Option<Vec<u8>>> {
        absent_is_none(name, fs::read(self.path(name)))
    }

    fn read_range(&self, name: &str, offset: u64, length: u64) -> Result<Option<Vec<u8>>> {
        let read = || {
            let mut file = File::open(self.path(name))?;
            file.seek(SeekFrom::Start(offset))?;
            let mut bytes = Vec::new();
            file.take(length).read_to_end(&mut bytes)?;
            Ok(bytes)
        };
        absent_is_none(name, read())
    }

    fn list(&self) -> Result<Vec<String>> {
        let failed = |source| Error::Store { name: self.directory.display().to_string(), source };
        let mut names = Vec::new();
        for entry in fs::read_dir(&self.directory).map_err(failed)? {
            names.push(entry.map_err(failed)?.file_name().to_string_lossy().into_owned());
        }
        names.sort();
        Ok(names)
    }

    fn delete(&mut self, name: &str) -> Result<()> {
        absent_is_none(name, fs::remove_file(self.path(name))).map(drop)
    }
}

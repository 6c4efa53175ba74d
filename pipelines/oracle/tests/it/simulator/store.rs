//! A checkpoint store that fails when it is told to, as a disk or a process that ends does.

use std::cell::Cell;
use std::fs;

use millrace_engine::{CheckpointStore, DirStore, Error, MemoryStore, Result};
use tempfile::TempDir;

/// What [`DirStore`] calls files that are not in place yet.
const PARTIAL: &str = ".partial";

/// How far a call has got when it fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reach {
    Nothing,
    /// Half of the bytes of a write are there; what must be atomic has not happened.
    Half,
    /// It has happened, but nobody was told.
    All,
}

/// A failure to come.
#[derive(Debug, Clone, Copy)]
pub struct Fault {
    /// Calls that work before the one that fails.
    pub calls_left: usize,
    pub reach: Reach,
    /// Whether all later calls fail too, because the process is gone.
    pub lasts: bool,
}

/// Files that outlive the engines that write them.
pub struct FaultyStore {
    files: Box<dyn CheckpointStore>,
    /// Where the files are, if they are on disk.
    directory: Option<TempDir>,
    fault: Cell<Option<Fault>>,
    is_down: Cell<bool>,
}

impl FaultyStore {
    pub fn in_memory() -> Self {
        Self::new(Box::new(MemoryStore::new()), None)
    }

    pub fn on_disk() -> Self {
        let directory = tempfile::tempdir().expect("there is room for a directory");
        let files = DirStore::open(directory.path()).expect("a new directory can be read");
        Self::new(Box::new(files), Some(directory))
    }

    fn new(files: Box<dyn CheckpointStore>, directory: Option<TempDir>) -> Self {
        Self { files, directory, fault: Cell::new(None), is_down: Cell::new(false) }
    }

    /// Lets a coming call fail.
    pub fn arm(&self, fault: Fault) {
        self.fault.set(Some(fault));
    }

    /// Takes back a failure that has not come.
    pub fn disarm(&self) {
        self.fault.set(None);
    }

    /// Whether a failure is to come.
    pub fn is_armed(&self) -> bool {
        self.fault.get().is_some()
    }

    /// Whether a lasting failure has come.
    pub fn is_down(&self) -> bool {
        self.is_down.get()
    }

    /// What a new process finds.
    pub fn restart(&mut self) {
        self.disarm();
        self.is_down.set(false);
        if let Some(directory) = &self.directory {
            self.files = Box::new(DirStore::open(directory.path()).expect("it was there before"));
        }
    }

    /// Files of one kind that are whole, by name.
    pub fn names(&self, prefix: &str) -> Vec<String> {
        let mut names = self.files.list().expect("files can be listed");
        names.retain(|name| name.starts_with(prefix) && !name.ends_with(PARTIAL));
        names
    }

    /// Removes all files.
    pub fn clear(&mut self) {
        for name in self.names("") {
            self.files.delete(&name).expect("files can be removed");
        }
    }

    /// Flips a bit of one byte, the one at `place` in thousandths of the file.
    pub fn damage(&mut self, name: &str, place: usize) {
        let bytes = self.files.read(name).expect("files can be read");
        let mut bytes = bytes.expect("the file is there");
        let at = bytes.len() * place / 1000;
        bytes[at] ^= 0x10;
        self.files.replace(name, &bytes).expect("files can be written");
    }

    /// What is to become of this call.
    fn trip(&self) -> Option<Reach> {
        if self.is_down() {
            return Some(Reach::Nothing);
        }
        let mut fault = self.fault.take()?;
        if fault.calls_left > 0 {
            fault.calls_left -= 1;
            self.fault.set(Some(fault));
            return None;
        }
        self.is_down.set(fault.lasts);
        Some(fault.reach)
    }

    fn failed(name: &str) -> Error {
        Error::Store { name: name.to_owned(), source: std::io::ErrorKind::StorageFull.into() }
    }

    fn check(&self, name: &str) -> Result<()> {
        self.trip().map_or(Ok(()), |_| Err(Self::failed(name)))
    }

    /// On disk, a swap that was cut short leaves the new file beside the old one.
    fn leave_partial(&self, name: &str, bytes: &[u8]) {
        if let Some(directory) = &self.directory {
            let path = directory.path().join(format!("{name}{PARTIAL}"));
            fs::write(path, &bytes[..bytes.len() / 2]).expect("the directory can be written");
        }
    }
}

impl CheckpointStore for FaultyStore {
    fn write(&mut self, name: &str, bytes: &[u8]) -> Result<()> {
        let half = &bytes[..bytes.len() / 2];
        match self.trip() {
            None => return self.files.write(name, bytes),
            Some(Reach::Nothing) => {}
            Some(Reach::Half) => self.files.write(name, half)?,
            Some(Reach::All) => self.files.write(name, bytes)?,
        }
        Err(Self::failed(name))
    }

    fn append(&mut self, name: &str, bytes: &[u8]) -> Result<()> {
        let half = &bytes[..bytes.len() / 2];
        match self.trip() {
            None => return self.files.append(name, bytes),
            Some(Reach::Nothing) => {}
            Some(Reach::Half) => self.files.append(name, half)?,
            Some(Reach::All) => self.files.append(name, bytes)?,
        }
        Err(Self::failed(name))
    }

    fn replace(&mut self, name: &str, bytes: &[u8]) -> Result<()> {
        match self.trip() {
            None => return self.files.replace(name, bytes),
            Some(Reach::Nothing) => {}
            Some(Reach::Half) => self.leave_partial(name, bytes),
            Some(Reach::All) => self.files.replace(name, bytes)?,
        }
        Err(Self::failed(name))
    }

    fn read(&self, name: &str) -> Result<Option<Vec<u8>>> {
        self.check(name)?;
        self.files.read(name)
    }

    fn read_range(&self, name: &str, offset: u64, length: u64) -> Result<Option<Vec<u8>>> {
        self.check(name)?;
        self.files.read_range(name, offset, length)
    }

    fn list(&self) -> Result<Vec<String>> {
        self.check("its directory")?;
        self.files.list()
    }

    fn delete(&mut self, name: &str) -> Result<()> {
        match self.trip() {
            None => return self.files.delete(name),
            Some(Reach::Nothing | Reach::Half) => {}
            Some(Reach::All) => self.files.delete(name)?,
        }
        Err(Self::failed(name))
    }
}

//! Where checkpoints and the journal are kept, behind a trait so that the engine itself does no IO.

mod dir;
mod memory;

pub use dir::DirStore;
pub use memory::MemoryStore;

use crate::Result;

/// A flat folder of files. Names are plain (`[a-z0-9.-]`), contents are bytes.
///
/// An implementation must make a file durable before `write`, `append` or `replace` return, and `replace`
/// must be atomic: after a crash a reader sees the old contents or the new, never a mix.
pub trait CheckpointStore: Send {
    /// Creates `name` with `bytes`; an existing file of that name is overwritten.
    fn write(&mut self, name: &str, bytes: &[u8]) -> Result<()>;
    /// Adds `bytes` to the end of `name`, creating it when missing.
    fn append(&mut self, name: &str, bytes: &[u8]) -> Result<()>;
    /// Swaps the contents of `name` for `bytes` atomically, creating it when missing.
    fn replace(&mut self, name: &str, bytes: &[u8]) -> Result<()>;
    /// The whole file, or `None` when there is none.
    fn read(&self, name: &str) -> Result<Option<Vec<u8>>>;
    /// `length` bytes from `offset`, fewer when the file ends before, or `None` when there is none.
    fn read_range(&self, name: &str, offset: u64, length: u64) -> Result<Option<Vec<u8>>>;
    /// Names of all files, sorted.
    fn list(&self) -> Result<Vec<String>>;
    /// Removes `name`; removing what is not there is no error.
    fn delete(&mut self, name: &str) -> Result<()>;
}

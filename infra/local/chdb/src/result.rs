//! Results of statements, owned by the library until copied out.

use std::{
    ffi::{CStr, c_char},
    time::Duration,
};

use crate::{
    Error, Result,
    symbols::{RawResult, Symbols},
};

/// What a statement read and wrote.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Progress {
    /// Time it took.
    pub elapsed: Duration,
    /// Rows of the result.
    pub rows_result: u64,
    /// Rows read from tables.
    pub rows_read: u64,
    /// Bytes read from tables.
    pub bytes_read: u64,
    /// Rows written, those of materialised views included.
    pub rows_written: u64,
    /// Bytes written.
    pub bytes_written: u64,
}

/// A finished statement.
#[derive(Debug, Clone, Default)]
pub struct Output {
    /// The result in the format asked for.
    pub bytes: Vec<u8>,
    /// What it took.
    pub progress: Progress,
}

/// A result handle, freed when dropped.
#[derive(Debug)]
pub(crate) struct Handle {
    symbols: Symbols,
    raw: RawResult,
}

impl Handle {
    /// Takes over a handle that the library has just returned.
    ///
    /// # Safety
    /// `raw` must be a `chdb_result *` nobody else frees, or null.
    pub(crate) unsafe fn new(symbols: Symbols, raw: RawResult) -> Result<Self> {
        if raw.is_null() {
            return Err(Error::query(
                "Code: 1002. DB::Exception: The engine returned no result".into(),
            ));
        }
        Ok(Handle { symbols, raw })
    }

    /// The raw handle, for calls that take it while `self` lives.
    pub(crate) fn raw(&self) -> RawResult {
        self.raw
    }

    /// The engine's error, if it has one.
    pub(crate) fn check(&self) -> Result<()> {
        // SAFETY: the handle is live; the text, if any, lives as long as the handle.
        let error = unsafe { text((self.symbols.chdb_result_error)(self.raw)) };
        error.map_or(Ok(()), |message| Err(Error::query(message)))
    }

    /// Copies the result out.
    pub(crate) fn output(&self) -> Output {
        // SAFETY: the handle is live, and buffer and length belong together; the buffer is copied
        // before the handle is freed.
        let bytes = unsafe {
            let length = (self.symbols.chdb_result_length)(self.raw);
            let buffer = (self.symbols.chdb_result_buffer)(self.raw);
            if buffer.is_null() || length == 0 {
                Vec::new()
            } else {
                std::slice::from_raw_parts(buffer.cast::<u8>(), length).to_vec()
            }
        };
        Output { bytes, progress: self.progress() }
    }

    fn progress(&self) -> Progress {
        let s = &self.symbols;
        // SAFETY: the handle is live; these only read numbers from it.
        unsafe {
            Progress {
                elapsed: Duration::try_from_secs_f64((s.chdb_result_elapsed)(self.raw))
                    .unwrap_or_default(),
                rows_result: (s.chdb_result_rows_read)(self.raw),
                rows_read: (s.chdb_result_storage_rows_read)(self.raw),
                bytes_read: (s.chdb_result_storage_bytes_read)(self.raw),
                rows_written: (s.chdb_result_rows_written)(self.raw),
                bytes_written: (s.chdb_result_bytes_written)(self.raw),
            }
        }
    }
}

impl Drop for Handle {
    fn drop(&mut self) {
        // SAFETY: the handle is live and freed only here.
        unsafe { (self.symbols.chdb_destroy_query_result)(self.raw) }
    }
}

/// A message of the library, if there is one.
///
/// # Safety
/// `message` must be null or a NUL-terminated string that lives during the call.
pub(crate) unsafe fn text(message: *const c_char) -> Option<String> {
    if message.is_null() {
        return None;
    }
    // SAFETY: promised by the caller.
    let message = unsafe { CStr::from_ptr(message) };
    Some(message.to_string_lossy().trim_end().to_owned()).filter(|message| !message.is_empty())
}

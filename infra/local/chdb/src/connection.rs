//! A session with the engine and what can be done in it.

use std::{
    ffi::{c_char, c_void},
    ptr::NonNull,
};

use crate::{
    Error, Output, Result,
    result::{Handle, text},
    symbols::{RawAnalysis, RawConnection, RawInsert, Statement, Symbols},
};

/// Names and values for `{name:Type}` in a statement; values as ClickHouse's text format has them.
pub type Params = [(String, String)];

/// A session: settings, current database and temporary tables are its own. Closed when dropped.
#[derive(Debug)]
pub struct Connection {
    symbols: Symbols,
    handle: NonNull<RawConnection>,
}

// SAFETY: the library hands each statement to threads of its own and keeps nothing in the caller's
// thread; `&mut self` everywhere keeps statements of one connection apart.
unsafe impl Send for Connection {}

/// What kind of statement it is, as the engine's parser sees it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Class {
    /// Leaves no trace.
    ReadOnly,
    /// Changes a database.
    Mutating,
    /// Changes something beside the databases (functions, users).
    MutatingGlobal,
    /// Changes the session, the server, or something outside it.
    Control,
    /// Does not parse, or is of a kind this crate doesn't know.
    Unknown,
}

/// What [`Connection::classify`] finds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Analysis {
    /// Executable statements in the text; 0 if it doesn't parse.
    pub statements: u32,
    /// The most restricted class among them.
    pub class: Class,
}

impl Connection {
    pub(crate) fn new(symbols: Symbols, handle: NonNull<RawConnection>) -> Option<Self> {
        let connection = Connection { symbols, handle };
        (!connection.raw().is_null()).then_some(connection)
    }

    fn raw(&self) -> RawConnection {
        // SAFETY: `chdb_connect` returned this pointer to a connection that is open until dropped.
        unsafe { *self.handle.as_ptr() }
    }

    /// Hands a statement to one of the library's functions that take its parameters beside it.
    fn send<R>(&self, function: Statement<R>, sql: &[u8], format: &str, params: &Params) -> R {
        let params = RawParams::new(params);
        // SAFETY: every pointer comes with its length and outlives the call; the connection is open.
        unsafe {
            function(
                self.raw(),
                sql.as_ptr().cast(),
                sql.len(),
                format.as_ptr().cast(),
                format.len(),
                params.names.as_ptr(),
                params.name_lengths.as_ptr(),
                params.values.as_ptr(),
                params.value_lengths.as_ptr(),
                params.names.len(),
            )
        }
    }

    /// Runs a statement to its end. `format` holds unless the statement names one. Inline data of an
    /// `insert` may be binary.
    pub fn query(&mut self, sql: &[u8], format: &str, params: &Params) -> Result<Output> {
        let raw = self.send(self.symbols.chdb_query_with_params_n, sql, format, params);
        // SAFETY: the library has just returned the result to nobody else.
        let handle = unsafe { Handle::new(self.symbols, raw)? };
        handle.check()?;
        Ok(handle.output())
    }

    /// Starts a `select` whose result is fetched block by block. Each block is a document of its own
    /// in the format: formats with a header repeat it.
    pub fn stream(&mut self, sql: &[u8], format: &str, params: &Params) -> Result<Stream<'_>> {
        let raw = self.send(self.symbols.chdb_stream_query_with_params_n, sql, format, params);
        // SAFETY: as in `query`.
        let handle = unsafe { Handle::new(self.symbols, raw)? };
        handle.check()?;
        Ok(Stream { connection: self, handle, ended: false })
    }

    /// Starts an `insert into t (columns)`, without `format` clause, whose data is appended in `format`.
    pub fn insert(&mut self, sql: &[u8], format: &str, params: &Params) -> Result<Insert<'_>> {
        let raw = self.send(self.symbols.chdb_stream_insert_with_params_n, sql, format, params);
        let insert = Insert { connection: self, raw };
        insert.check()?;
        Ok(insert)
    }

    /// Says what a statement would do, without running it.
    pub fn classify(&mut self, sql: &[u8]) -> Result<Analysis> {
        let mut analysis = RawAnalysis {
            struct_size: size_of::<RawAnalysis>() as u32,
            statement_count: 0,
            flags: 0,
            query_class: 0,
        };
        // SAFETY: the text comes with its length, no target database is named, and the struct says
        // its own size; all outlive the call.
        let state = unsafe {
            (self.symbols.chdb_classify_query_n)(
                self.raw(),
                sql.as_ptr().cast(),
                sql.len(),
                std::ptr::null(),
                0,
                &mut analysis,
            )
        };
        if state != 0 {
            return Err(Error::query("Code: 1002. DB::Exception: The engine cannot analyse statements on this connection".into()));
        }
        let class = match analysis.query_class {
            0 => Class::ReadOnly,
            1 => Class::Mutating,
            2 => Class::MutatingGlobal,
            3 => Class::Control,
            _ => Class::Unknown,
        };
        Ok(Analysis { statements: analysis.statement_count, class })
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        // SAFETY: open until here, and streams borrow it, so none is left.
        unsafe { (self.symbols.chdb_close_conn)(self.handle.as_ptr()) }
    }
}

/// Blocks of a running `select`. Dropping it early cancels the query.
#[derive(Debug)]
pub struct Stream<'a> {
    connection: &'a mut Connection,
    handle: Handle,
    ended: bool,
}

impl Stream<'_> {
    /// The next block, or `None` after the last one.
    pub fn fetch(&mut self) -> Result<Option<Output>> {
        if self.ended {
            return Ok(None);
        }
        // SAFETY: connection and stream are live, and `&mut self` keeps fetches apart.
        let block = unsafe {
            let raw = (self.connection.symbols.chdb_stream_fetch_result)(
                self.connection.raw(),
                self.handle.raw(),
            );
            Handle::new(self.connection.symbols, raw)?
        };
        if let Err(error) = block.check() {
            self.ended = true;
            return Err(error);
        }
        let output = block.output();
        self.ended = output.bytes.is_empty();
        Ok((!self.ended).then_some(output))
    }
}

impl Drop for Stream<'_> {
    fn drop(&mut self) {
        if !self.ended {
            // SAFETY: both are live; nothing fetches any more.
            unsafe {
                (self.connection.symbols.chdb_stream_cancel_query)(
                    self.connection.raw(),
                    self.handle.raw(),
                )
            }
        }
    }
}

/// A running `insert`. Dropping it before [`Insert::finish`] cancels it.
#[derive(Debug)]
pub struct Insert<'a> {
    connection: &'a mut Connection,
    raw: RawInsert,
}

impl Insert<'_> {
    fn check(&self) -> Result<()> {
        // SAFETY: the stream is live; its message, if any, lives as long.
        let error = unsafe { text((self.connection.symbols.chdb_stream_insert_error)(self.raw)) };
        error.map_or(Ok(()), |message| Err(Error::query(message)))
    }

    /// Appends bytes of the input format; cuts may fall anywhere. Blocks while the engine is behind.
    pub fn append(&mut self, data: &[u8]) -> Result<()> {
        // SAFETY: the stream is live and the bytes are copied during the call.
        let state = unsafe {
            (self.connection.symbols.chdb_stream_append)(
                self.raw,
                data.as_ptr().cast::<c_void>(),
                data.len(),
            )
        };
        match state {
            0 => Ok(()),
            _ => self
                .check()
                .and(Err(Error::query("Code: 1002. DB::Exception: The insert has ended".into()))),
        }
    }

    /// Says that all data is there and waits until it is in the table.
    pub fn finish(self) -> Result<Output> {
        // SAFETY: the stream is live and not finished yet, because finishing consumes it.
        let handle = unsafe {
            let raw = (self.connection.symbols.chdb_stream_done)(self.raw);
            Handle::new(self.connection.symbols, raw)?
        };
        handle.check()?;
        Ok(handle.output())
    }
}

impl Drop for Insert<'_> {
    fn drop(&mut self) {
        // SAFETY: live until here; the library cancels what wasn't finished.
        unsafe { (self.connection.symbols.chdb_destroy_insert_stream)(self.raw) }
    }
}

/// Parameters as arrays of pointers and lengths. Borrows from what it was made of.
struct RawParams<'a> {
    names: Vec<*const c_char>,
    name_lengths: Vec<usize>,
    values: Vec<*const c_char>,
    value_lengths: Vec<usize>,
    _params: &'a Params,
}

impl<'a> RawParams<'a> {
    fn new(params: &'a Params) -> Self {
        RawParams {
            names: params.iter().map(|(name, _)| name.as_ptr().cast()).collect(),
            name_lengths: params.iter().map(|(name, _)| name.len()).collect(),
            values: params.iter().map(|(_, value)| value.as_ptr().cast()).collect(),
            value_lengths: params.iter().map(|(_, value)| value.len()).collect(),
            _params: params,
        }
    }
}

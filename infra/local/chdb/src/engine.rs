//! The engine: one library, one data folder per process.

use std::{
    ffi::{CString, c_char},
    os::unix::ffi::OsStrExt as _,
    path::{Path, PathBuf},
    ptr::NonNull,
};

use libloading::Library;

use crate::{Connection, Error, Result, symbols::Symbols};

/// A loaded library and the data folder its connections share. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Engine {
    symbols: Symbols,
    args: Vec<CString>,
    data: PathBuf,
}

impl Engine {
    /// Loads the library. `options` are the engine's own at start, e.g. `background_pool_size=2`.
    ///
    /// The first connection opens the data folder. One process can use one folder only.
    pub fn load(library: &Path, data: &Path, options: &[&str]) -> Result<Self> {
        let broken = |source| Error::Load { path: library.to_owned(), source };
        // SAFETY: loading runs the library's initialisers; it is the engine this crate is made for.
        let loaded = unsafe { Library::new(library) }.map_err(broken)?;
        // SAFETY: its header declares these functions, and it is never unloaded (below).
        let symbols = unsafe { Symbols::find(&loaded) }.map_err(broken)?;
        // The engine's threads run until the process ends: the code must stay mapped.
        std::mem::forget(loaded);
        // SAFETY: to be called before the first connection, which needs the value returned here.
        unsafe { (symbols.chdb_set_signal_handlers_enabled)(0) };

        let mut path = b"--path=".to_vec();
        path.extend_from_slice(data.as_os_str().as_bytes());
        let mut args = vec![b"clickhouse".to_vec(), path];
        args.extend(options.iter().map(|option| format!("--{option}").into_bytes()));
        let args = args.into_iter().map(CString::new).collect::<Result<_, _>>();
        let args = args.map_err(|_| Error::Path { path: data.to_owned() })?;
        Ok(Engine { symbols, args, data: data.to_owned() })
    }

    /// A new session. The first one opens the data folder; later ones take under a millisecond.
    pub fn connect(&self) -> Result<Connection> {
        let mut args: Vec<*mut c_char> =
            self.args.iter().map(|arg| arg.as_ptr().cast_mut()).collect();
        let count = args.len().try_into().map_err(|_| Error::Open { data: self.data.clone() })?;
        // SAFETY: `args` holds `count` NUL-terminated strings that live longer than the call, and
        // the library reads them only.
        let raw = unsafe { (self.symbols.chdb_connect)(count, args.as_mut_ptr()) };
        let handle = NonNull::new(raw).ok_or_else(|| Error::Open { data: self.data.clone() })?;
        Connection::new(self.symbols, handle).ok_or_else(|| Error::Open { data: self.data.clone() })
    }
}

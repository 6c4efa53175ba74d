//! The functions of `chdb.h` that are used here, looked up once.

use std::ffi::{c_char, c_int, c_void};

use libloading::Library;

/// `chdb_connection`: a pointer to the library's own state.
pub(crate) type RawConnection = *mut c_void;
/// `chdb_result *`.
pub(crate) type RawResult = *mut c_void;
/// `chdb_insert_stream`.
pub(crate) type RawInsert = *mut c_void;
/// `chdb_state`: 0 is success.
pub(crate) type State = c_int;

/// A function that takes a statement, a format, and names and values of parameters, each with its
/// length.
pub(crate) type Statement<R> = unsafe extern "C" fn(
    RawConnection,
    *const c_char,
    usize,
    *const c_char,
    usize,
    *const *const c_char,
    *const usize,
    *const *const c_char,
    *const usize,
    usize,
) -> R;

/// `chdb_query_analysis_v1`.
#[repr(C)]
#[derive(Debug)]
pub(crate) struct RawAnalysis {
    pub struct_size: u32,
    pub statement_count: u32,
    pub flags: u32,
    pub query_class: u32,
}

macro_rules! symbols {
    ($($name:ident: $type:ty,)*) => {
        /// Function pointers into the library.
        #[derive(Debug, Clone, Copy)]
        pub(crate) struct Symbols { $(pub $name: $type,)* }

        impl Symbols {
            /// Looks all of them up.
            ///
            /// # Safety
            /// The library must be libchdb with the API of `chdb.h` 26.7, and stay loaded.
            pub(crate) unsafe fn find(library: &Library) -> Result<Self, libloading::Error> {
                Ok(Symbols {
                    $(
                        // SAFETY: the caller vouches for the library, whose header declares this type.
                        $name: *unsafe { library.get::<$type>(stringify!($name)) }?,
                    )*
                })
            }
        }
    };
}

symbols! {
    chdb_connect: unsafe extern "C" fn(c_int, *mut *mut c_char) -> *mut RawConnection,
    chdb_close_conn: unsafe extern "C" fn(*mut RawConnection),
    chdb_query_with_params_n: Statement<RawResult>,
    chdb_stream_query_with_params_n: Statement<RawResult>,
    chdb_stream_fetch_result: unsafe extern "C" fn(RawConnection, RawResult) -> RawResult,
    chdb_stream_cancel_query: unsafe extern "C" fn(RawConnection, RawResult),
    chdb_stream_insert_with_params_n: Statement<RawInsert>,
    chdb_stream_append: unsafe extern "C" fn(RawInsert, *const c_void, usize) -> State,
    chdb_stream_done: unsafe extern "C" fn(RawInsert) -> RawResult,
    chdb_stream_insert_error: unsafe extern "C" fn(RawInsert) -> *const c_char,
    chdb_destroy_insert_stream: unsafe extern "C" fn(RawInsert),
    chdb_classify_query_n: unsafe extern "C" fn(
        RawConnection, *const c_char, usize, *const c_char, usize, *mut RawAnalysis,
    ) -> State,
    chdb_result_buffer: unsafe extern "C" fn(RawResult) -> *mut c_char,
    chdb_result_length: unsafe extern "C" fn(RawResult) -> usize,
    chdb_result_error: unsafe extern "C" fn(RawResult) -> *const c_char,
    chdb_result_elapsed: unsafe extern "C" fn(RawResult) -> f64,
    chdb_result_storage_rows_read: unsafe extern "C" fn(RawResult) -> u64,
    chdb_result_storage_bytes_read: unsafe extern "C" fn(RawResult) -> u64,
    chdb_result_rows_read: unsafe extern "C" fn(RawResult) -> u64,
    chdb_result_rows_written: unsafe extern "C" fn(RawResult) -> u64,
    chdb_result_bytes_written: unsafe extern "C" fn(RawResult) -> u64,
    chdb_destroy_query_result: unsafe extern "C" fn(RawResult),
    chdb_set_signal_handlers_enabled: unsafe extern "C" fn(c_int),
}

//! Views that people define while the system runs.

use crate::UserId;
use crate::record::record;

record! {
    /// What a view holds from now on.
    pub struct ViewDefined {
        pub name: String,
        /// Header lines and one `select`, as in a view's file.
        pub text: String,
        pub defined_by: UserId,
    }
}

record! {
    pub struct ViewDropped {
        pub name: String,
        pub dropped_by: UserId,
    }
}

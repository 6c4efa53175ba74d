//! Encoded rows as keys of their own.

use std::borrow::Borrow;
use std::cmp::Ordering;

/// As many bytes are kept without an allocation: two encoded numbers and a length.
const INLINE_MAX: usize = 22;

/// Some bytes, compared as such.
#[derive(Debug, Clone)]
pub(crate) enum Bytes {
    Inline { length: u8, bytes: [u8; INLINE_MAX] },
    Boxed(Box<[u8]>),
}

impl Bytes {
    pub fn as_slice(&self) -> &[u8] {
        match self {
            Self::Inline { length, bytes } => &bytes[..usize::from(*length)],
            Self::Boxed(bytes) => bytes,
        }
    }

    /// Bytes kept beside the value itself.
    pub fn allocated(&self) -> usize {
        match self {
            Self::Inline { .. } => 0,
            Self::Boxed(bytes) => bytes.len(),
        }
    }
}

impl From<&[u8]> for Bytes {
    fn from(source: &[u8]) -> Self {
        match source.len() {
            length @ ..=INLINE_MAX => {
                let mut bytes = [0; INLINE_MAX];
                bytes[..length].copy_from_slice(source);
                Self::Inline { length: length as u8, bytes }
            }
            _ => Self::Boxed(source.into()),
        }
    }
}

impl Borrow<[u8]> for Bytes {
    fn borrow(&self) -> &[u8] {
        self.as_slice()
    }
}

impl PartialEq for Bytes {
    fn eq(&self, other: &Self) -> bool {
        self.as_slice() == other.as_slice()
    }
}

impl Eq for Bytes {}

impl PartialOrd for Bytes {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Bytes {
    fn cmp(&self, other: &Self) -> Ordering {
        self.as_slice().cmp(other.as_slice())
    }
}

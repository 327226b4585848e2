//! Tar archives, as layers use them: POSIX ustar and pax, with GNU's long names and numbers.
//! <https://pubs.opengroup.org/onlinepubs/9799919799/utilities/pax.html>
//!
//! Read here and not by a library because a layer needs what libraries drop: attributes whose bytes
//! include a newline (a file's capabilities may), and times within a second. Sparse files are refused.

mod pax;
mod read;
#[cfg(test)]
mod tests;
mod write;

pub(crate) use read::Reader;
pub(crate) use write::Writer;

use std::io;

/// Header and padding come in blocks of this size.
const BLOCK: usize = 512;

/// A member of an archive, without its data.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Entry {
    pub(crate) path: Vec<u8>,
    pub(crate) kind: Kind,
    /// Permissions, with set-id and sticky bits.
    pub(crate) mode: u32,
    pub(crate) uid: u32,
    pub(crate) gid: u32,
    /// Bytes of data.
    pub(crate) size: u64,
    pub(crate) modified: Time,
    /// Extended attributes by name.
    pub(crate) xattrs: Vec<(Vec<u8>, Vec<u8>)>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    File,
    Directory,
    Symlink(Vec<u8>),
    /// Another name of a file that came before.
    HardLink(Vec<u8>),
    Fifo,
    Device {
        block: bool,
        major: u32,
        minor: u32,
    },
}

/// A time since 1970.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Time {
    pub(crate) seconds: i64,
    pub(crate) nanoseconds: u32,
}

fn broken(what: impl Into<String>) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what.into())
}

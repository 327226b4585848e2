//! The control socket: how `skylab` commands talk to a running lab.
//!
//! A unix socket in the state directory, for its user only. A message is its length (four bytes,
//! network order) and JSON; descriptors travel beside the length.

mod capacity;
mod capture;
mod client;
mod frame;
mod images;
mod protocol;
mod running;
mod server;
mod session;

pub use client::{Connection, ControlError, connect};
pub use protocol::{
    CapacityChange, Capture, Counts, Ended, Exec, ImageInfo, ImageRequest, KubeRequest, Ports,
    Refusal, RefusalKind, Reply, Request, Status,
};
pub use server::{Service, listen, serve};

use std::fs::File;
use std::io;
use std::os::fd::AsRawFd;
use std::path::{Path, PathBuf};

/// The longest path that a unix socket's address holds, its final zero included.
const ADDRESS: usize = 108;

/// A path to the same file that is short enough for a socket's address, with what keeps it valid.
fn reachable(path: &Path) -> io::Result<(PathBuf, Option<File>)> {
    if path.as_os_str().len() < ADDRESS {
        return Ok((path.to_owned(), None));
    }
    let missing = || io::Error::from(io::ErrorKind::InvalidInput);
    let directory = File::open(path.parent().ok_or_else(missing)?)?;
    let name = path.file_name().ok_or_else(missing)?;
    let short = Path::new("/proc/self/fd")
        .join(directory.as_raw_fd().to_string())
        .join(name);
    Ok((short, Some(directory)))
}

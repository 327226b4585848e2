//! A program's terminal: an outer side for whoever watches, an inner side for the program.

use crate::factory::{Failure, step};
use nix::errno::Errno;
use nix::fcntl::{OFlag, open};
use nix::sys::stat::Mode;
use std::io;
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd};
use std::path::Path;

/// A new terminal.
pub(crate) struct Terminal {
    /// The outer side.
    pub(crate) outer: OwnedFd,
    /// The inner side, as three streams.
    pub(crate) inner: [OwnedFd; 3],
}

impl Terminal {
    /// Opens one on the file system of terminals that is mounted there.
    pub(crate) fn open(terminals: &Path) -> Result<Self, Failure> {
        let flags = OFlag::O_RDWR | OFlag::O_NOCTTY | OFlag::O_CLOEXEC;
        let outer = open(&terminals.join("ptmx"), flags, Mode::empty())
            .map_err(step("opening a terminal"))?;
        let unlock: libc::c_int = 0;
        // SAFETY: the request takes a pointer to an int that outlives the call.
        #[allow(unsafe_code)]
        let result = unsafe { libc::ioctl(outer.as_raw_fd(), libc::TIOCSPTLCK, &raw const unlock) };
        Errno::result(result).map_err(step("unlocking the terminal"))?;
        let inner = || {
            // SAFETY: the request takes an integer and gives a descriptor that is ours alone.
            #[allow(unsafe_code)]
            let opened = unsafe {
                let fd = libc::ioctl(outer.as_raw_fd(), libc::TIOCGPTPEER, flags.bits());
                Errno::result(fd).map(|fd| OwnedFd::from_raw_fd(fd))
            };
            opened.map_err(step("opening the terminal's inner side"))
        };
        let inner = [inner()?, inner()?, inner()?];
        Ok(Self { outer, inner })
    }
}

/// Tells a terminal its size.
///
/// # Errors
/// It is no terminal.
pub fn set_terminal_size(terminal: BorrowedFd<'_>, columns: u16, rows: u16) -> io::Result<()> {
    let size = libc::winsize {
        ws_row: rows,
        ws_col: columns,
        ws_xpixel: 0,
        ws_ypixel: 0,
    };
    // SAFETY: the request takes a pointer to the structure, which outlives the call.
    #[allow(unsafe_code)]
    let result = unsafe { libc::ioctl(terminal.as_raw_fd(), libc::TIOCSWINSZ, &raw const size) };
    Ok(Errno::result(result).map(drop)?)
}

/// Makes the terminal on descriptor 0 the controlling one of the caller's session.
pub(super) fn take() -> Result<(), Errno> {
    // SAFETY: the request takes an integer.
    #[allow(unsafe_code)]
    let result = unsafe { libc::ioctl(0, libc::TIOCSCTTY, 0) };
    Errno::result(result).map(drop)
}

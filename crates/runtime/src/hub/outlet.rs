//! A descriptor that is written to without ever waiting: what doesn't fit waits in memory.

use super::{Hub, Key, Watched};
use nix::errno::Errno;
use nix::fcntl::{FcntlArg, OFlag, fcntl};
use nix::sys::epoll::EpollFlags;
use std::collections::VecDeque;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::Arc;

/// As much waits for a slow reader; one that is slower still is let go.
const PATIENCE: usize = 4 * 1024 * 1024;

/// The other side is gone, or too slow.
#[derive(Debug)]
pub(crate) struct Gone;

/// A descriptor to write to.
#[derive(Debug)]
pub(crate) struct Outlet {
    hub: Hub,
    descriptor: OwnedFd,
    key: Key,
    /// What else it is watched for.
    interest: EpollFlags,
    waiting: VecDeque<u8>,
}

impl Outlet {
    /// Watches the descriptor, for `interest` and for its end.
    pub(crate) fn new(
        hub: &Hub,
        descriptor: OwnedFd,
        interest: EpollFlags,
        watched: Arc<dyn Watched>,
        part: u64,
    ) -> io::Result<Self> {
        fcntl(&descriptor, FcntlArg::F_SETFL(OFlag::O_NONBLOCK))?;
        let key = hub.watch(descriptor.as_fd(), interest, watched, part)?;
        Ok(Self {
            hub: hub.clone(),
            descriptor,
            key,
            interest,
            waiting: VecDeque::new(),
        })
    }

    /// Whether all is written.
    pub(crate) fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }

    /// Writes, now or when the other side has room.
    pub(crate) fn push(&mut self, text: &[u8]) -> Result<(), Gone> {
        if self.waiting.len() + text.len() > PATIENCE {
            return Err(Gone);
        }
        self.waiting.extend(text);
        self.flush()
    }

    /// Writes what waits, as far as there is room.
    pub(crate) fn flush(&mut self) -> Result<(), Gone> {
        let before = !self.waiting.is_empty();
        while !self.waiting.is_empty() {
            match nix::unistd::write(&self.descriptor, self.waiting.as_slices().0) {
                Ok(written) => drop(self.waiting.drain(..written)),
                Err(Errno::EINTR) => {}
                Err(Errno::EAGAIN) => break,
                Err(_) => return Err(Gone),
            }
        }
        if before {
            self.tell_interest();
        }
        Ok(())
    }

    fn tell_interest(&self) {
        let mut interest = self.interest;
        interest.set(EpollFlags::EPOLLOUT, !self.waiting.is_empty());
        self.hub.change(self.descriptor.as_fd(), self.key, interest);
    }

    /// Looks for nothing more to read.
    pub(crate) fn read_no_more(&mut self) {
        self.interest.remove(EpollFlags::EPOLLIN);
        self.tell_interest();
    }
}

impl AsFd for Outlet {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.descriptor.as_fd()
    }
}

impl Drop for Outlet {
    fn drop(&mut self) {
        self.hub.forget(self.descriptor.as_fd(), self.key);
    }
}

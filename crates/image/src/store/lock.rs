//! Who may do what at the same time: other processes too.

use crate::digest::Digest;
use rustix::fs::{FlockOperation, Mode, OFlags, flock, open};
use rustix::io::Errno;
use std::collections::HashSet;
use std::io;
use std::os::fd::OwnedFd;
use std::path::Path;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// A lock on a file or directory, held until it is dropped or the process ends.
#[derive(Debug)]
pub(crate) struct Held(#[allow(dead_code, reason = "it is held by being there")] OwnedFd);

/// Waits for a lock that others may hold too.
pub(crate) fn shared(path: &Path) -> io::Result<Held> {
    take(path, FlockOperation::LockShared)
}

/// Waits for a lock that nobody else holds.
pub(crate) fn alone(path: &Path) -> io::Result<Held> {
    take(path, FlockOperation::LockExclusive)
}

/// A lock that nobody else holds, or none.
pub(crate) fn alone_now(path: &Path) -> io::Result<Option<Held>> {
    match take(path, FlockOperation::NonBlockingLockExclusive) {
        Ok(held) => Ok(Some(held)),
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(None),
        Err(error) => Err(error),
    }
}

fn take(path: &Path, operation: FlockOperation) -> io::Result<Held> {
    let flags = OFlags::RDONLY | OFlags::CLOEXEC;
    let file = match open(path, flags, Mode::empty()) {
        Err(Errno::NOENT) => open(path, flags | OFlags::CREATE, Mode::RUSR | Mode::WUSR)?,
        opened => opened?,
    };
    loop {
        match flock(&file, operation) {
            Ok(()) => return Ok(Held(file)),
            Err(Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
    }
}

/// One after another, by what is worked on: ten nodes that want a blob at once get it once.
#[derive(Debug, Default)]
pub(crate) struct Turns {
    taken: Mutex<HashSet<Digest>>,
    changed: Condvar,
}

/// A turn, over when this is dropped.
pub(crate) struct Turn<'a> {
    turns: &'a Turns,
    digest: Digest,
}

impl Turns {
    /// Waits until nobody works on something; with `patience` only so long, and works without a turn
    /// then.
    pub(crate) fn take(&self, digest: &Digest, patience: Option<Duration>) -> Option<Turn<'_>> {
        let is_taken = |taken: &mut HashSet<Digest>| taken.contains(digest);
        let taken = locked(&self.taken);
        let mut taken = match patience {
            Some(patience) => {
                let waited = self.changed.wait_timeout_while(taken, patience, is_taken);
                waited.unwrap_or_else(PoisonError::into_inner).0
            }
            None => {
                let waited = self.changed.wait_while(taken, is_taken);
                waited.unwrap_or_else(PoisonError::into_inner)
            }
        };
        taken.insert(digest.clone()).then(|| Turn {
            turns: self,
            digest: digest.clone(),
        })
    }
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        locked(&self.turns.taken).remove(&self.digest);
        self.turns.changed.notify_all();
    }
}

pub(crate) fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

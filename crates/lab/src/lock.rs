//! One lab a state: a lock that ends with its process, however that ends.

use crate::paths::StateDir;
use nix::errno::Errno;
use nix::fcntl::{Flock, FlockArg};
use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::OpenOptionsExt;
use std::thread;
use std::time::Duration;

/// Together half a second.
const ATTEMPTS: u32 = 50;
const PAUSE: Duration = Duration::from_millis(10);

/// The held lock; dropping it lets the next lab in.
#[derive(Debug)]
pub struct StateLock {
    _file: Flock<File>,
}

/// Why a state can't be locked.
#[derive(Debug, thiserror::Error)]
pub enum LockError {
    /// Another process has it.
    #[error("another lab is using this state")]
    Held,
    /// The lock file can't be used.
    #[error("the state's lock can't be taken: {0}")]
    File(#[from] io::Error),
}

impl StateLock {
    /// Takes the lock, or says that somebody has it. A lab that was just killed has it until the
    /// kernel has cleared it away, which is waited for.
    ///
    /// # Errors
    /// Somebody has it, or the file can't be used.
    pub fn take(state: &StateDir) -> Result<Self, LockError> {
        let mut file = OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .open(state.lock())?;
        for _ in 0..ATTEMPTS {
            match Flock::lock(file, FlockArg::LockExclusiveNonblock) {
                Ok(file) => return Ok(Self { _file: file }),
                Err((refused, Errno::EWOULDBLOCK)) => file = refused,
                Err((_, errno)) => return Err(LockError::File(errno.into())),
            }
            thread::sleep(PAUSE);
        }
        Err(LockError::Held)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_second_lab_is_refused() {
        let root = std::env::temp_dir().join(format!("skylab-lock-{}", std::process::id()));
        let state = StateDir::choose(Some(&root)).unwrap();
        state.create().unwrap();
        let held = StateLock::take(&state).unwrap();
        assert!(matches!(StateLock::take(&state), Err(LockError::Held)));
        drop(held);
        StateLock::take(&state).unwrap();
        std::fs::remove_dir_all(&root).unwrap();
    }
}

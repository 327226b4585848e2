//! Directories of control groups, held by their lab and swept when nobody holds them.

use nix::errno::Errno;
use nix::fcntl::{Flock, FlockArg};
use std::fs::{self, File};
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

/// A directory of a living lab's: it is locked.
#[derive(Debug)]
pub(super) struct Held {
    path: PathBuf,
    #[allow(dead_code, reason = "it holds the lock")]
    lock: Flock<File>,
}

impl Held {
    /// Makes the directory, or takes one over that nobody holds.
    pub(super) fn make(path: &Path) -> io::Result<Self> {
        loop {
            match fs::create_dir(path) {
                Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(error),
                _ => {}
            }
            let Some(lock) = lock(path)? else {
                return Err(Errno::EBUSY.into());
            };
            // Somebody who sweeps may have been quicker.
            let held = lock.metadata()?;
            if fs::metadata(path).is_ok_and(|there| there.ino() == held.ino()) {
                return Ok(Self {
                    path: path.to_owned(),
                    lock,
                });
            }
        }
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        remove(&self.path);
    }
}

/// Locks a directory; `None` where somebody else has.
fn lock(path: &Path) -> io::Result<Option<Flock<File>>> {
    let directory = File::open(path)?;
    match Flock::lock(directory, FlockArg::LockExclusiveNonblock) {
        Ok(lock) => Ok(Some(lock)),
        Err((_, Errno::EWOULDBLOCK)) => Ok(None),
        Err((_, errno)) => Err(errno.into()),
    }
}

/// Removes the directories of dead labs.
pub(super) fn sweep(parent: &Path, prefix: &str) {
    let Ok(entries) = fs::read_dir(parent) else {
        return;
    };
    for entry in entries.flatten() {
        if !entry.file_name().to_string_lossy().starts_with(prefix) {
            continue;
        }
        // The lock is held until it is gone.
        if let Ok(Some(_lock)) = lock(&entry.path()) {
            remove(&entry.path());
        }
    }
}

/// Removes a group and those below it, as far as they are empty of processes.
pub(super) fn remove(path: &Path) {
    let below = fs::read_dir(path).into_iter().flatten().flatten();
    for entry in below {
        if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            remove(&entry.path());
        }
    }
    match fs::remove_dir(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            tracing::debug!(path = %path.display(), %error, "a control group stays");
        }
        _ => {}
    }
}

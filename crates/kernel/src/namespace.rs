//! Network namespaces: made, entered and used from threads that never come back to the host's.

use nix::sched::{CloneFlags, setns, unshare};
use std::fs::File;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::thread;

/// A network namespace, kept alive by its descriptor.
#[derive(Debug)]
pub struct NetNs(OwnedFd);

impl AsFd for NetNs {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

/// Runs a job on a thread of its own. The thread ends with the job, so whatever namespace it
/// entered, nobody has to leave it again: from a user namespace nobody could set the host's network
/// namespace back.
fn on_own_thread<T: Send>(job: impl FnOnce() -> T + Send) -> io::Result<T> {
    thread::scope(|scope| {
        let thread = thread::Builder::new()
            .stack_size(512 * 1024)
            .spawn_scoped(scope, job)?;
        thread
            .join()
            .map_err(|_| io::Error::other("a job inside a network namespace panicked"))
    })
}

impl NetNs {
    /// Makes a namespace that belongs to the caller's user namespace, with its loopback link down.
    ///
    /// # Errors
    /// What the kernel says: no right to make one, or too many.
    pub fn create() -> io::Result<Self> {
        on_own_thread(|| {
            unshare(CloneFlags::CLONE_NEWNET)?;
            Ok(Self(File::open("/proc/thread-self/ns/net")?.into()))
        })?
    }

    /// A namespace that somebody else made.
    pub fn from_fd(fd: OwnedFd) -> Self {
        Self(fd)
    }

    /// Runs a function on a thread inside the namespace and waits for it. Sockets that it opens
    /// stay in the namespace, whoever uses them afterwards.
    ///
    /// # Errors
    /// The namespace can't be entered, no thread can be made, or the function panicked.
    pub fn run<T: Send>(&self, job: impl FnOnce() -> T + Send) -> io::Result<T> {
        on_own_thread(|| {
            setns(self.as_fd(), CloneFlags::CLONE_NEWNET)?;
            Ok(job())
        })?
    }
}

/// Lets this process have as many descriptors as it may: a lab of 1,000 hosts holds several thousand,
/// and the usual limit of 1,024 is there for programs that use `select`. Processes started before keep
/// their own limit.
pub(crate) fn allow_many_descriptors() {
    let mut limit = libc::rlimit {
        rlim_cur: 0,
        rlim_max: 0,
    };
    // SAFETY: the pointers are to a live local; a refusal leaves the limit as it was, and what goes
    // beyond it will say so.
    #[allow(unsafe_code)]
    unsafe {
        if libc::getrlimit(libc::RLIMIT_NOFILE, &raw mut limit) == 0 {
            limit.rlim_cur = limit.rlim_max;
            libc::setrlimit(libc::RLIMIT_NOFILE, &raw const limit);
        }
    }
}

//! One thread that watches every container's descriptors: what they print, and that they ended. A lab
//! has one, however many containers run.

mod outlet;

use nix::errno::Errno;
use nix::sys::epoll::{Epoll, EpollCreateFlags, EpollEvent, EpollFlags, EpollTimeout};
pub(crate) use outlet::Outlet;
use std::collections::HashMap;
use std::fmt;
use std::io;
use std::os::fd::BorrowedFd;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;

/// Locks; a thread that panicked left nothing half done that others could not see for themselves.
pub(crate) fn lock<T: ?Sized>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Something with descriptors that are watched.
pub(crate) trait Watched: Send + Sync {
    /// One of its descriptors, by the number that it was given, can be used or has come to its end. Must
    /// not block.
    fn ready(self: Arc<Self>, part: u64, events: EpollFlags);
}

/// What is watched, to be changed or forgotten.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Key(u64);

/// The thread that watches. Clones share it.
#[derive(Clone)]
pub struct Hub {
    inner: Arc<Inner>,
}

impl fmt::Debug for Hub {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Hub").finish_non_exhaustive()
    }
}

type Owner = (Arc<dyn Watched>, u64);

struct Inner {
    epoll: Epoll,
    next: AtomicU64,
    /// By key: whom it belongs to, and what part of them it is.
    watched: Mutex<HashMap<u64, Owner>>,
}

impl Hub {
    /// Starts the thread; it runs until the lab ends.
    ///
    /// # Errors
    /// No thread can be made.
    pub fn start() -> io::Result<Self> {
        let inner = Arc::new(Inner {
            epoll: Epoll::new(EpollCreateFlags::EPOLL_CLOEXEC)?,
            next: AtomicU64::new(1),
            watched: Mutex::default(),
        });
        let watching = inner.clone();
        thread::Builder::new()
            .name("containers".to_owned())
            .spawn(move || watching.run())?;
        Ok(Self { inner })
    }

    /// Watches a descriptor until it is forgotten. That it came to its end is told in any case.
    pub(crate) fn watch(
        &self,
        descriptor: BorrowedFd<'_>,
        interest: EpollFlags,
        watched: Arc<dyn Watched>,
        part: u64,
    ) -> io::Result<Key> {
        let key = self.inner.next.fetch_add(1, Ordering::Relaxed);
        lock(&self.inner.watched).insert(key, (watched, part));
        let added = self
            .inner
            .epoll
            .add(descriptor, EpollEvent::new(interest, key));
        if added.is_err() {
            lock(&self.inner.watched).remove(&key);
        }
        added?;
        Ok(Key(key))
    }

    /// Changes what is watched for.
    pub(crate) fn change(&self, descriptor: BorrowedFd<'_>, key: Key, interest: EpollFlags) {
        let mut event = EpollEvent::new(interest, key.0);
        if let Err(errno) = self.inner.epoll.modify(descriptor, &mut event) {
            tracing::error!(%errno, "a container's descriptor is not watched any more");
        }
    }

    /// Watches a descriptor no more. Comes before it is closed.
    pub(crate) fn forget(&self, descriptor: BorrowedFd<'_>, key: Key) {
        // It may have been refused.
        let _ = self.inner.epoll.delete(descriptor);
        lock(&self.inner.watched).remove(&key.0);
    }
}

impl Inner {
    fn run(&self) {
        let mut events = [EpollEvent::empty(); 64];
        loop {
            match self.epoll.wait(&mut events, EpollTimeout::NONE) {
                Ok(count) => events[..count]
                    .iter()
                    .for_each(|event| self.tell(event.data(), event.events())),
                Err(Errno::EINTR) => {}
                Err(errno) => {
                    tracing::error!(%errno, "containers are not watched any more");
                    return;
                }
            }
        }
    }

    fn tell(&self, key: u64, events: EpollFlags) {
        // Forgotten meanwhile, perhaps.
        let found = lock(&self.watched).get(&key).cloned();
        if let Some((watched, part)) = found {
            watched.ready(part, events);
        }
    }
}

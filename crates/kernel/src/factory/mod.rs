//! The guests' factory: a small single-threaded process in a user namespace below the lab's.
//!
//! Guests' network namespaces belong to that lower user namespace, so a guest's root commands its own
//! stack and nothing above it. The lab has many threads and can't fork safely; the factory forks for
//! it. It does one thing at a time: it takes a request with a socket for the answer, forks a child
//! that does the work and answers, and goes on. The processes that these children bring up are the
//! factory's: it tells of their end on the same socket, and reaps them.

mod birth;
mod children;
pub(crate) mod holder;
mod process;
mod protocol;
mod server;

use crate::guest::{Guest, GuestSpec};
use crate::launch::{LaunchError, failed, fork_single};
use crate::namespace::NetNs;
pub(crate) use birth::{Birth, Numbering};
use nix::errno::Errno;
use nix::sched::{CloneFlags, unshare};
use nix::sys::socket::{AddressFamily, SockFlag, SockType, socketpair};
use nix::unistd::{ForkResult, pipe2, read, write};
pub use process::{Exit, Process};
use protocol::Answer;
pub(crate) use protocol::{ContainerRequest, ExecRequest, Request, SandboxRequest};
pub(crate) use server::{Failure, step};
use std::os::fd::{AsFd, OwnedFd};
use std::path::PathBuf;
use std::sync::Arc;

/// Makes guests and their network namespaces. Cheap to clone; calls block until done.
#[derive(Clone, Debug)]
pub struct GuestFactory {
    socket: Arc<OwnedFd>,
}

/// A request that the factory could not carry out.
#[derive(Debug, thiserror::Error)]
pub enum FactoryError {
    /// A step failed.
    #[error("{step}: {errno}")]
    Failed {
        /// Which step.
        step: String,
        /// What the kernel said.
        errno: Errno,
    },
    /// The factory is gone, or its answer can't be read.
    #[error("the guests' factory does not answer: {0}")]
    Silent(Errno),
    /// A file of the guest can't be written.
    #[error("writing {path} for a guest: {source}")]
    File {
        /// The file, as the guest sees it.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
}

impl From<Errno> for FactoryError {
    fn from(errno: Errno) -> Self {
        Self::Silent(errno)
    }
}

/// Forks the factory. Called by pid 1 before it has threads.
pub(crate) fn start(hidden: Vec<PathBuf>) -> Result<GuestFactory, LaunchError> {
    let (ours, theirs) = socketpair(
        AddressFamily::Unix,
        SockType::SeqPacket,
        None,
        SockFlag::SOCK_CLOEXEC,
    )
    .map_err(failed("making the factory's socket"))?;
    let (ready, tell_ready) =
        pipe2(nix::fcntl::OFlag::O_CLOEXEC).map_err(failed("making a pipe"))?;
    let (mapped, tell_mapped) =
        pipe2(nix::fcntl::OFlag::O_CLOEXEC).map_err(failed("making a pipe"))?;
    match fork_single().map_err(failed("forking the factory"))? {
        ForkResult::Child => {
            drop((ours, ready, tell_mapped));
            let entered = unshare(CloneFlags::CLONE_NEWUSER)
                .and_then(|()| write(&tell_ready, &[1]))
                .and_then(|_| read(&mapped, &mut [0; 1]));
            std::process::exit(match entered {
                Ok(1) => server::serve(&theirs, &hidden),
                _ => 1,
            });
        }
        ForkResult::Parent { child } => {
            drop((theirs, tell_ready, mapped));
            if read(&ready, &mut [0; 1]) != Ok(1) {
                return Err(LaunchError::Failed {
                    step: "the guests' user namespace".to_owned(),
                    errno: Errno::EPERM,
                });
            }
            crate::launch::map_same(child).map_err(failed("mapping the guests' users"))?;
            write(&tell_mapped, &[1]).map_err(failed("talking to the factory"))?;
            Ok(GuestFactory {
                socket: Arc::new(ours),
            })
        }
    }
}

impl GuestFactory {
    /// A network namespace that belongs to the guests' user namespace.
    ///
    /// # Errors
    /// The kernel refuses one.
    pub fn network_namespace(&self) -> Result<NetNs, FactoryError> {
        let mut fds = self.ask(&Request::NetworkNamespace, &[])?;
        fds.pop()
            .map(NetNs::from_fd)
            .ok_or(FactoryError::Silent(Errno::EPROTO))
    }

    /// Boots a guest: a view of the machine's files over its disk, its own processes, host name and
    /// the given network namespace.
    ///
    /// # Errors
    /// A file can't be written or a step in the guest's set-up fails.
    pub fn boot(&self, spec: &GuestSpec) -> Result<Guest, FactoryError> {
        spec.write_files()?;
        let request = Request::Boot {
            hostname: spec.hostname.clone(),
            disk: spec.disk.path().to_owned(),
        };
        let (process, mut fds) = self.bring_up(&request, &[spec.net.as_fd()])?;
        let root = fds.pop().ok_or(FactoryError::Silent(Errno::EPROTO))?;
        Ok(Guest::new(process, root, spec))
    }

    /// Asks for a process, and gives it when it runs its program, with the descriptors that came along.
    pub(crate) fn bring_up(
        &self,
        request: &Request,
        fds: &[std::os::fd::BorrowedFd<'_>],
    ) -> Result<(Process, Vec<OwnedFd>), FactoryError> {
        let (mut answer, mut fds, ending) = self.ask_on(request, fds)?;
        // One that ended at once may be heard of before whoever brought it up has said so.
        let ended = Exit::told(&answer);
        if ended.is_some() {
            (answer, fds) = protocol::receive(&ending)?;
        }
        match understood(answer)? {
            Answer::Started { process } => {
                Ok((Process::new(self.clone(), process, ending, ended), fds))
            }
            _ => Err(FactoryError::Silent(Errno::EPROTO)),
        }
    }

    /// Asks, waits until it is done, and gives the descriptors that came along.
    pub(crate) fn ask(
        &self,
        request: &Request,
        fds: &[std::os::fd::BorrowedFd<'_>],
    ) -> Result<Vec<OwnedFd>, FactoryError> {
        match self.ask_on(request, fds)? {
            (Answer::Done, fds, _) => Ok(fds),
            _ => Err(FactoryError::Silent(Errno::EPROTO)),
        }
    }

    /// Asks, waits for the first answer, and keeps the socket for later ones.
    fn ask_on(
        &self,
        request: &Request,
        fds: &[std::os::fd::BorrowedFd<'_>],
    ) -> Result<(Answer, Vec<OwnedFd>, OwnedFd), FactoryError> {
        let (ours, theirs) = socketpair(
            AddressFamily::Unix,
            SockType::SeqPacket,
            None,
            SockFlag::SOCK_CLOEXEC,
        )?;
        let mut passed = vec![theirs.as_fd()];
        passed.extend_from_slice(fds);
        protocol::send(&self.socket, request, &passed)?;
        drop(theirs);
        let (answer, fds) = protocol::receive::<Answer>(&ours)?;
        Ok((understood(answer)?, fds, ours))
    }
}

fn understood(answer: Answer) -> Result<Answer, FactoryError> {
    match answer {
        Answer::Failed { step, errno } => Err(FactoryError::Failed {
            step,
            errno: Errno::from_raw(errno),
        }),
        answer => Ok(answer),
    }
}

impl crate::engine::HostNamespaces for GuestFactory {
    fn create(&self) -> std::io::Result<NetNs> {
        self.network_namespace().map_err(std::io::Error::other)
    }
}

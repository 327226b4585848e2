//! Bringing up processes that the factory looks after.
//!
//! A request is carried out by a child of the factory, which enters namespaces and ends. What it brings
//! up is made as the factory's own child (`CLONE_PARENT`), so that nobody has to wait beside it: the
//! factory hears of its end, and reaps it.

use super::children::Registry;
use super::protocol::{self, Answer};
use super::{Failure, step};
use nix::errno::Errno;
use nix::fcntl::OFlag;
use nix::sched::CloneFlags;
use nix::unistd::{ForkResult, Pid, pipe2, read, write};
use std::os::fd::{BorrowedFd, OwnedFd};

/// What the child says when the factory knows of it.
const KNOWN: u8 = b'r';

/// A process to be brought up.
pub(crate) struct Birth<'a> {
    /// The number by which the lab and the factory speak of it.
    pub(super) process: u64,
    /// Where the lab waits for answers.
    pub(super) reply: &'a OwnedFd,
    pub(super) registry: &'a Registry,
    pub(super) holder: &'a OwnedFd,
}

/// Which numbers a process and its children have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Numbering {
    /// Those of the pid namespace that was entered.
    Entered,
    /// Those of a new pid namespace; none was entered.
    Fresh,
    /// Those of a new pid namespace in the one that was entered.
    FreshInside,
}

impl Birth<'_> {
    /// The program of places' first processes.
    pub(crate) fn holder(&self) -> &OwnedFd {
        self.holder
    }

    /// Makes the process. `become_it` runs in it and comes back only when it failed. Answers when the
    /// process runs its program, with these descriptors.
    pub(crate) fn bring_up(
        &self,
        numbering: Numbering,
        fds: &[BorrowedFd<'_>],
        become_it: impl FnOnce() -> Failure,
    ) -> Result<(), Failure> {
        // A new pid namespace is made in one's own, so one has to be in it.
        if numbering == Numbering::FreshInside
            && let ForkResult::Parent { .. } =
                fork_sibling(CloneFlags::empty()).map_err(step("forking"))?
        {
            return Ok(());
        }
        let (outcome, tell) = pipe2(OFlag::O_CLOEXEC).map_err(step("making a pipe"))?;
        let flags = match numbering {
            Numbering::Entered => CloneFlags::empty(),
            Numbering::Fresh | Numbering::FreshInside => CloneFlags::CLONE_NEWPID,
        };
        match fork_sibling(flags).map_err(step("forking"))? {
            ForkResult::Child => {
                drop(outcome);
                let failure = match self.registry.register(self.process, self.reply) {
                    Ok(()) => {
                        // The one who waits reads until the end.
                        let _ = write(&tell, &[KNOWN]);
                        become_it()
                    }
                    Err(errno) => step("registering")(errno),
                };
                let errno = failure.errno as i32;
                let text = [&errno.to_ne_bytes()[..], failure.step.as_bytes()].concat();
                let _ = write(&tell, &text);
                std::process::exit(127);
            }
            ForkResult::Parent { .. } => {
                drop(tell);
                hear(&outcome)?;
                let started = Answer::Started {
                    process: self.process,
                };
                protocol::send(self.reply, &started, fds).map_err(step("answering"))
            }
        }
    }
}

/// Waits until the new process runs its program, which closes its end of the pipe, or has failed.
fn hear(outcome: &OwnedFd) -> Result<(), Failure> {
    let mut words = Vec::new();
    let mut buffer = [0; 1024];
    loop {
        match read(outcome, &mut buffer) {
            Ok(0) => break,
            Ok(length) => words.extend_from_slice(&buffer[..length]),
            Err(Errno::EINTR) => {}
            Err(errno) => return Err(step("waiting for the program")(errno)),
        }
    }
    match words.strip_prefix(&[KNOWN]).unwrap_or(&words) {
        [] if !words.is_empty() => Ok(()),
        failure => match failure.split_first_chunk::<4>() {
            Some((errno, step)) => Err(Failure {
                step: String::from_utf8_lossy(step).into_owned(),
                errno: Errno::from_raw(i32::from_ne_bytes(*errno)),
            }),
            None => Err(Failure {
                step: "it was ended while it was brought up".to_owned(),
                errno: Errno::ESRCH,
            }),
        },
    }
}

/// Forks a child of the caller's parent.
fn fork_sibling(flags: CloneFlags) -> nix::Result<ForkResult> {
    let flags = (CloneFlags::CLONE_PARENT | flags).bits() | libc::SIGCHLD;
    // SAFETY: as fork(2), in a process with one thread: no memory is shared and the stack is the
    // caller's, copied.
    #[allow(unsafe_code)]
    let result = unsafe { libc::syscall(libc::SYS_clone, libc::c_long::from(flags), 0, 0, 0, 0) };
    match Errno::result(result)? {
        0 => Ok(ForkResult::Child),
        child => Ok(ForkResult::Parent {
            child: Pid::from_raw(child as i32),
        }),
    }
}

//! Into the lab's namespaces, before any thread exists.
//!
//! [`spawn`] forks twice. The first child makes the user, mount, pid, ipc and uts namespaces; the
//! second is pid 1 of the new pid namespace and runs the lab. The host's network namespace is kept,
//! for loopback listeners only. When pid 1 dies, however it dies, the kernel ends everything in its
//! pid namespace and the mounts go with the mount namespace: nothing is left on the host.

mod identity;
mod memory;
mod mounts;

pub use memory::{mount_memory, unmount};

use crate::factory::{self, GuestFactory};
use nix::errno::Errno;
use nix::sched::{CloneFlags, unshare};
use nix::sys::signal::{SigHandler, Signal, kill, signal};
use nix::sys::wait::{WaitStatus, waitpid};
use nix::unistd::{ForkResult, Pid, fork, getpid, getppid, pipe2, read, setsid, write};
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};

/// How to launch.
#[derive(Clone, Debug, Default)]
pub struct LaunchOptions {
    /// Paths that guests must not see: the lab's state and keys.
    pub hidden: Vec<PathBuf>,
    /// Whether the lab ends when its launcher does.
    pub die_with_parent: bool,
    /// Whether the lab gets a session of its own, away from the launcher's terminal.
    pub new_session: bool,
}

/// The directory of the lab's that goes with it: nothing on the machine sees it.
pub fn runtime_directory() -> &'static Path {
    Path::new(RUNTIME)
}

/// What the lab gets.
#[derive(Clone, Debug)]
pub struct Inside {
    /// Makes guests and their network namespaces.
    pub factory: GuestFactory,
}

/// A launched lab.
#[derive(Debug)]
pub struct Spawned {
    pid: Pid,
    between: Pid,
}

/// Why the lab can't be launched.
#[derive(Debug, thiserror::Error)]
pub enum LaunchError {
    /// The machine forbids user namespaces.
    #[error("this machine does not let an ordinary process make namespaces ({errno}). {cure}")]
    Forbidden {
        /// What the kernel said.
        errno: Errno,
        /// What to do about it.
        cure: String,
    },
    /// A step of the set-up failed.
    #[error("setting up the lab's namespaces, {step}: {errno}")]
    Failed {
        /// Which step.
        step: String,
        /// What the kernel said.
        errno: Errno,
    },
    /// The child went away without a word.
    #[error("the lab's process ended while it was being set up")]
    Vanished,
}

pub(crate) use identity::map_same;
pub(crate) use mounts::RUNTIME;

pub(crate) fn failed(step: &str) -> impl FnOnce(Errno) -> LaunchError {
    let step = step.to_owned();
    move |errno| LaunchError::Failed { step, errno }
}

impl Spawned {
    /// The host's number of the lab's pid 1. Killing it ends the lab.
    pub fn pid(&self) -> i32 {
        self.pid.as_raw()
    }

    /// Waits for the lab's end and gives its exit code, 128 and the signal's number if it was
    /// killed.
    ///
    /// # Errors
    /// The lab is no child of the caller.
    pub fn wait(&self) -> std::io::Result<i32> {
        Ok(exit_code(self.between)?)
    }

    /// Ends the lab at once.
    ///
    /// # Errors
    /// It is gone already.
    pub fn kill(&self) -> std::io::Result<()> {
        Ok(kill(self.pid, Signal::SIGKILL)?)
    }
}

fn exit_code(pid: Pid) -> nix::Result<i32> {
    loop {
        match waitpid(pid, None) {
            Ok(WaitStatus::Exited(_, code)) => return Ok(code),
            Ok(WaitStatus::Signaled(_, signal, _)) => return Ok(128 + signal as i32),
            Ok(_) | Err(Errno::EINTR) => {}
            Err(errno) => return Err(errno),
        }
    }
}

/// Forks. The process must have one thread.
pub(crate) fn fork_single() -> nix::Result<ForkResult> {
    // SAFETY: callers run before any thread is started (launch) or in processes that never start
    // one (the factory and its children), so no lock can be held by a thread that isn't copied.
    #[allow(unsafe_code)]
    unsafe {
        fork()
    }
}

/// Launches a lab: `inside` runs as pid 1 of its namespaces and its result is the exit code.
///
/// # Errors
/// The namespaces are refused, with the cure, or a step of the set-up fails.
pub fn spawn(
    options: &LaunchOptions,
    inside: impl FnOnce(Inside) -> i32,
) -> Result<Spawned, LaunchError> {
    let (from_child, to_parent) =
        pipe2(nix::fcntl::OFlag::O_CLOEXEC).map_err(failed("making a pipe"))?;
    let (from_parent, to_child) =
        pipe2(nix::fcntl::OFlag::O_CLOEXEC).map_err(failed("making a pipe"))?;
    match fork_single().map_err(failed("forking"))? {
        ForkResult::Child => {
            drop((from_child, to_child));
            std::process::exit(between(options, &from_parent, &to_parent, inside));
        }
        ForkResult::Parent { child } => {
            drop((to_parent, from_parent));
            let pid = introduce(child, &from_child, &to_child);
            if pid.is_err() {
                // It may be gone already; then there is nothing to end.
                let _ = kill(child, Signal::SIGKILL);
                let _ = waitpid(child, None);
            }
            Ok(Spawned {
                pid: pid?,
                between: child,
            })
        }
    }
}

/// The parent's side of the set-up.
fn introduce(child: Pid, from_child: &OwnedFd, to_child: &OwnedFd) -> Result<Pid, LaunchError> {
    hear(from_child)?;
    identity::map(child).map_err(failed("mapping users"))?;
    say(to_child, 0).map_err(failed("talking to the child"))?;
    hear(from_child).map(Pid::from_raw)
}

/// The process between the launcher and pid 1: it makes the namespaces, then waits.
fn between(
    options: &LaunchOptions,
    from_parent: &OwnedFd,
    to_parent: &OwnedFd,
    inside: impl FnOnce(Inside) -> i32,
) -> i32 {
    match set_up(options, from_parent, to_parent) {
        Ok(Some(pid)) => match say(to_parent, pid.as_raw()) {
            Ok(()) => exit_code(pid).unwrap_or(1),
            Err(_) => 1,
        },
        Ok(None) => first_process(options, inside),
        Err(error) => {
            let (step, errno) = match &error {
                LaunchError::Failed { step, errno } => (step.as_str(), *errno),
                _ => ("", Errno::EIO),
            };
            // The launcher may be gone; then nobody needs to know.
            let _ = write(
                to_parent,
                &[&(-(errno as i32)).to_ne_bytes()[..], step.as_bytes()].concat(),
            );
            1
        }
    }
}

/// The namespaces. Gives pid 1's number in the process between, `None` in pid 1.
fn set_up(
    options: &LaunchOptions,
    from_parent: &OwnedFd,
    to_parent: &OwnedFd,
) -> Result<Option<Pid>, LaunchError> {
    if options.die_with_parent {
        die_with_parent().map_err(failed("asking to end with the launcher"))?;
    }
    if options.new_session {
        setsid().map_err(failed("making a session"))?;
    }
    unshare(CloneFlags::CLONE_NEWUSER).map_err(failed("user namespace"))?;
    say(to_parent, 0).map_err(failed("talking to the launcher"))?;
    hear(from_parent)?;
    let flags = CloneFlags::CLONE_NEWNS
        | CloneFlags::CLONE_NEWPID
        | CloneFlags::CLONE_NEWIPC
        | CloneFlags::CLONE_NEWUTS;
    unshare(flags).map_err(failed("mount, pid, ipc and uts namespaces"))?;
    match fork_single().map_err(failed("forking"))? {
        ForkResult::Parent { child } => Ok(Some(child)),
        ForkResult::Child => {
            die_with_parent().map_err(failed("asking to end with its parent"))?;
            Ok(None)
        }
    }
}

/// Pid 1: private mounts, the guests' factory, then the lab itself.
fn first_process(options: &LaunchOptions, inside: impl FnOnce(Inside) -> i32) -> i32 {
    let prepared = mounts::prepare()
        .and_then(|()| factory::start(options.hidden.clone()))
        .and_then(|factory| ignore_children().map(|()| factory));
    match prepared {
        Ok(factory) => inside(Inside { factory }),
        Err(error) => {
            // The lab's log isn't open yet.
            #[allow(clippy::print_stderr)]
            {
                eprintln!("skylab: {error}");
            }
            1
        }
    }
}

/// Orphans of guests come to pid 1, which needs no word of their end.
fn ignore_children() -> Result<(), LaunchError> {
    // SAFETY: ignoring a signal runs no handler.
    #[allow(unsafe_code)]
    unsafe { signal(Signal::SIGCHLD, SigHandler::SigIgn) }
        .map(drop)
        .map_err(failed("ignoring children"))
}

/// Asks for SIGKILL when the parent dies; called by single-threaded processes only, since the
/// signal comes when the parent's *thread* that forked ends.
fn die_with_parent() -> nix::Result<()> {
    nix::sys::prctl::set_pdeathsig(Signal::SIGKILL)?;
    // The parent may have died before the request: init or a subreaper has taken over then. In a new
    // pid namespace the parent's number is 0 as long as it lives outside.
    if getpid() != Pid::from_raw(1) && getppid() == Pid::from_raw(1) {
        std::process::exit(1);
    }
    Ok(())
}

fn say(to: &OwnedFd, number: i32) -> nix::Result<()> {
    write(to, &number.to_ne_bytes()).map(drop)
}

/// A number, or the failed step that comes as a negative errno with the step's words.
fn hear(from: &OwnedFd) -> Result<i32, LaunchError> {
    let mut buffer = [0; 256];
    let length = loop {
        match read(from, &mut buffer) {
            Err(Errno::EINTR) => {}
            other => break other.map_err(failed("listening to the child"))?,
        }
    };
    let Some((number, step)) = buffer[..length].split_first_chunk::<4>() else {
        return Err(LaunchError::Vanished);
    };
    let number = i32::from_ne_bytes(*number);
    if number >= 0 {
        return Ok(number);
    }
    let errno = Errno::from_raw(-number);
    let step = String::from_utf8_lossy(step).into_owned();
    if step.starts_with("user namespace") {
        return Err(LaunchError::Forbidden {
            errno,
            cure: identity::cure(),
        });
    }
    Err(LaunchError::Failed { step, errno })
}

/// Whether labs can be launched here; the error says what forbids it and the cure.
///
/// # Errors
/// As [`spawn`].
pub fn check() -> Result<(), LaunchError> {
    let lab = spawn(
        &LaunchOptions {
            die_with_parent: true,
            ..LaunchOptions::default()
        },
        |_| 0,
    )?;
    match lab.wait().map_err(|_| LaunchError::Vanished)? {
        0 => Ok(()),
        _ => Err(LaunchError::Vanished),
    }
}

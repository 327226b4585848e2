//! Booting: namespaces, the view, confinement, and a first process that outlives the others.

use super::{confine, view};
use crate::factory::{Answer, Failure, send, step};
use crate::launch::fork_single;
use nix::sched::{CloneFlags, setns, unshare};
use nix::sys::signal::{SigHandler, Signal, signal};
use nix::unistd::{ForkResult, getpid, pause, pipe2, read, sethostname, write};
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};

/// Boots a guest and answers with its first process. Runs in a child of the factory.
pub(crate) fn boot(
    reply: &OwnedFd,
    hostname: &str,
    disk: &Path,
    net: &OwnedFd,
    hidden: &[PathBuf],
) -> Result<(), Failure> {
    setns(net, CloneFlags::CLONE_NEWNET).map_err(step("entering the guest's network"))?;
    let flags = CloneFlags::CLONE_NEWNS
        | CloneFlags::CLONE_NEWPID
        | CloneFlags::CLONE_NEWUTS
        | CloneFlags::CLONE_NEWIPC
        | CloneFlags::CLONE_NEWCGROUP;
    unshare(flags).map_err(step("the guest's namespaces"))?;
    let (ready, tell) = pipe2(nix::fcntl::OFlag::O_CLOEXEC).map_err(step("making a pipe"))?;
    match fork_single().map_err(step("forking the guest's first process"))? {
        ForkResult::Child => {
            drop(ready);
            let outcome = prepare(hostname, disk, hidden);
            let fine = outcome.is_ok();
            if let Err(failure) = outcome {
                // The lab may be gone; then nobody needs to know.
                let _ = send(
                    reply,
                    &Answer::Failed {
                        step: failure.step,
                        errno: failure.errno as i32,
                    },
                    &[],
                );
            }
            let _ = write(&tell, &[u8::from(fine)]);
            drop(tell);
            first_process(fine)
        }
        ForkResult::Parent { child } => {
            drop(tell);
            let mut fine = [0];
            if read(&ready, &mut fine) == Ok(1) && fine == [1] {
                send(
                    reply,
                    &Answer::Booted {
                        init: child.as_raw(),
                    },
                    &[],
                )
                .map_err(step("answering"))?;
            }
            Ok(())
        }
    }
}

fn prepare(hostname: &str, disk: &Path, hidden: &[PathBuf]) -> Result<(), Failure> {
    debug_assert_eq!(getpid().as_raw(), 1);
    sethostname(hostname).map_err(step("setting the host name"))?;
    view::enter(disk, hidden)?;
    confine::drop_capabilities()
}

/// Waits for the end; children that are left to it are reaped by the kernel.
fn first_process(fine: bool) -> ! {
    // SAFETY: ignoring a signal runs no handler.
    #[allow(unsafe_code)]
    let ignoring = unsafe { signal(Signal::SIGCHLD, SigHandler::SigIgn) };
    if !fine || ignoring.is_err() {
        std::process::exit(1);
    }
    close_everything();
    loop {
        pause();
    }
}

/// The guest's first process keeps no descriptor of the lab's.
fn close_everything() {
    // SAFETY: closes descriptors that this process, which only waits from here on, never uses.
    #[allow(unsafe_code)]
    unsafe {
        libc::syscall(libc::SYS_close_range, 0, u32::MAX, 0);
    }
}

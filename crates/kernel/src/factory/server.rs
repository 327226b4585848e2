//! The factory's side: one request at a time, each in a child of its own.

use super::protocol::{self, Answer, ExecRequest, Request};
use crate::guest::{boot, exec};
use crate::launch::fork_single;
use nix::errno::Errno;
use nix::sched::{CloneFlags, unshare};
use nix::sys::signal::{SigHandler, Signal, kill, killpg, signal};
use nix::unistd::{ForkResult, Pid};
use std::fs::File;
use std::os::fd::{AsFd, OwnedFd};
use std::path::PathBuf;

/// A step that failed, for the answer.
pub(crate) struct Failure {
    pub(crate) step: String,
    pub(crate) errno: Errno,
}

/// Names the step that an error belongs to.
pub(crate) fn step(name: impl Into<String>) -> impl FnOnce(Errno) -> Failure {
    let step = name.into();
    move |errno| Failure { step, errno }
}

/// Serves until the lab is gone.
pub(super) fn serve(socket: &OwnedFd, hidden: &[PathBuf]) -> i32 {
    // SAFETY: ignoring a signal runs no handler; ended children need no further word.
    #[allow(unsafe_code)]
    if unsafe { signal(Signal::SIGCHLD, SigHandler::SigIgn) }.is_err() {
        return 1;
    }
    loop {
        match protocol::receive::<Request>(socket) {
            Ok((request, fds)) => serve_one(request, fds, hidden),
            // What can't be understood is dropped with its descriptors; the asker sees the end.
            Err(Errno::EPROTO) => {}
            Err(_) => return 0,
        }
    }
}

fn serve_one(request: Request, fds: Vec<OwnedFd>, hidden: &[PathBuf]) {
    let mut fds = fds.into_iter();
    let Some(reply) = fds.next() else { return };
    let outcome = match request {
        Request::NetworkNamespace => network_namespace(&reply),
        Request::Signal { pid, group, signal } => {
            send_signal(pid, group, signal).and_then(|()| done(&reply))
        }
        Request::Boot { hostname, disk } => match fds.next() {
            Some(net) => in_child(&reply, || {
                boot::boot(&reply, &hostname, &disk, &net, hidden)
            }),
            None => Err(Failure {
                step: "boot without a network".to_owned(),
                errno: Errno::EINVAL,
            }),
        },
        Request::Exec(request) => run(&reply, &request, fds.collect()),
    };
    if let Err(failure) = outcome {
        answer_failure(&reply, failure);
    }
}

fn run(reply: &OwnedFd, request: &ExecRequest, streams: Vec<OwnedFd>) -> Result<(), Failure> {
    in_child(reply, || exec::run(reply, request, streams))
}

/// Does the work in a child, which answers for itself.
fn in_child(reply: &OwnedFd, work: impl FnOnce() -> Result<(), Failure>) -> Result<(), Failure> {
    match fork_single().map_err(step("forking"))? {
        ForkResult::Parent { .. } => Ok(()),
        ForkResult::Child => {
            let code = match work() {
                Ok(()) => 0,
                Err(failure) => {
                    answer_failure(reply, failure);
                    1
                }
            };
            std::process::exit(code);
        }
    }
}

fn answer_failure(reply: &OwnedFd, failure: Failure) {
    let answer = Answer::Failed {
        step: failure.step,
        errno: failure.errno as i32,
    };
    // The asker may have gone.
    let _ = protocol::send(reply, &answer, &[]);
}

fn done(reply: &OwnedFd) -> Result<(), Failure> {
    protocol::send(reply, &Answer::Done, &[]).map_err(step("answering"))
}

fn network_namespace(reply: &OwnedFd) -> Result<(), Failure> {
    unshare(CloneFlags::CLONE_NEWNET).map_err(step("making a network namespace"))?;
    let file = File::open("/proc/self/ns/net")
        .map_err(|_| Errno::last())
        .map_err(step("opening the namespace"))?;
    protocol::send(reply, &Answer::Done, &[file.as_fd()]).map_err(step("answering"))
}

fn send_signal(pid: i32, group: bool, number: i32) -> Result<(), Failure> {
    let signal = Signal::try_from(number).map_err(step("signal"))?;
    let pid = Pid::from_raw(pid);
    if group {
        killpg(pid, signal)
    } else {
        kill(pid, signal)
    }
    .map_err(step("signalling"))
}

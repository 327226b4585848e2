//! The factory's side: one request at a time, each in a child of its own.

use super::birth::Birth;
use super::children::Children;
use super::holder;
use super::protocol::{self, Answer, Request};
use crate::container;
use crate::guest::{boot, exec};
use crate::launch::fork_single;
use nix::errno::Errno;
use nix::fcntl::{FcntlArg, FdFlag, fcntl};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sched::{CloneFlags, unshare};
use nix::unistd::ForkResult;
use std::fs::{self, File};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
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

struct Server<'a> {
    socket: &'a OwnedFd,
    hidden: &'a [PathBuf],
    holder: OwnedFd,
    children: Children,
}

/// Serves until the lab is gone.
pub(super) fn serve(socket: &OwnedFd, hidden: &[PathBuf]) -> i32 {
    let (Ok(holder), Ok(children)) = (holder::open_program(), Children::new()) else {
        return 1;
    };
    join_own_keyring();
    if keep_descriptors().is_err() {
        return 1;
    }
    let mut server = Server {
        socket,
        hidden,
        holder,
        children,
    };
    loop {
        match server.wait() {
            // What can't be understood is dropped with its descriptors; the asker sees the end.
            Ok(()) | Err(Errno::EPROTO | Errno::EINTR) => {}
            Err(_) => return 0,
        }
    }
}

/// Leaves the session's keyring to whoever started the lab: what runs in guests has a new, empty one.
fn join_own_keyring() {
    const JOIN_SESSION_KEYRING: libc::c_int = 1;
    // SAFETY: the call takes an integer and a null pointer. A kernel without keyrings refuses it.
    #[allow(unsafe_code)]
    unsafe {
        libc::syscall(libc::SYS_keyctl, JOIN_SESSION_KEYRING, 0);
    }
}

/// Gives no program in a place a descriptor that whoever started the lab left open.
fn keep_descriptors() -> std::io::Result<()> {
    let open: Vec<i32> = fs::read_dir("/proc/self/fd")?
        .filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok())
        .filter(|descriptor| *descriptor > 2)
        .collect();
    for descriptor in open {
        // SAFETY: the descriptor is only borrowed for the call; the directory's own is closed by now and
        // refused.
        #[allow(unsafe_code)]
        let descriptor = unsafe { BorrowedFd::borrow_raw(descriptor) };
        match fcntl(descriptor, FcntlArg::F_SETFD(FdFlag::FD_CLOEXEC)) {
            Ok(_) | Err(Errno::EBADF) => {}
            Err(errno) => return Err(errno.into()),
        }
    }
    Ok(())
}

impl Server<'_> {
    fn wait(&mut self) -> Result<(), Errno> {
        let [registered, signals] = self.children.descriptors();
        let mut watched = [self.socket.as_fd(), registered, signals]
            .map(|descriptor| PollFd::new(descriptor, PollFlags::POLLIN));
        poll(&mut watched, PollTimeout::NONE)?;
        let asked = watched[0].any().unwrap_or(true);
        self.children.look();
        if asked {
            let (request, fds) = protocol::receive::<Request>(self.socket)?;
            // Whoever asks may have been told of a process before it was heard here.
            self.children.hear();
            self.serve_one(request, fds);
        }
        Ok(())
    }

    fn serve_one(&mut self, request: Request, fds: Vec<OwnedFd>) {
        let mut fds = fds.into_iter();
        let Some(reply) = fds.next() else { return };
        if let Err(failure) = self.carry_out(request, &reply, fds.collect()) {
            answer_failure(&reply, failure);
        }
    }

    fn carry_out(
        &mut self,
        request: Request,
        reply: &OwnedFd,
        fds: Vec<OwnedFd>,
    ) -> Result<(), Failure> {
        match request {
            Request::NetworkNamespace => network_namespace(reply),
            Request::Signal {
                process,
                group,
                signal,
            } => {
                self.children.signal(process, group, signal)?;
                done(reply)
            }
            Request::Boot { hostname, disk } => {
                let hidden = self.hidden;
                self.bring_up(reply, |birth| {
                    boot::boot(birth, &hostname, &disk, &fds, hidden)
                })
            }
            Request::Exec(request) => {
                let target = self.children.descriptor(request.target)?;
                self.bring_up(reply, |birth| exec::run(birth, request, &target, fds))
            }
            Request::Sandbox(request) => {
                let node = self.children.descriptor(request.node)?;
                self.bring_up(reply, |birth| {
                    container::sandbox::make(birth, &request, &node)
                })
            }
            Request::TakeDown { node, paths } => {
                let node = self.children.descriptor(node)?;
                in_child(reply, || {
                    container::sandbox::take_down(&node, &paths)?;
                    done(reply)
                })
            }
            Request::Container(request) => {
                let places = container::program::Places {
                    node: self.children.descriptor(request.node)?,
                    sandbox: self.children.descriptor(request.sandbox)?,
                };
                let hidden = self.hidden;
                self.bring_up(reply, |birth| {
                    container::program::make(birth, request, &places, fds, hidden)
                })
            }
        }
    }

    /// Brings a process up, in a child that answers for itself.
    fn bring_up(
        &mut self,
        reply: &OwnedFd,
        work: impl FnOnce(&Birth<'_>) -> Result<(), Failure>,
    ) -> Result<(), Failure> {
        let birth = Birth {
            process: self.children.next(),
            reply,
            registry: self.children.registry(),
            holder: &self.holder,
        };
        in_child(reply, || work(&birth))
    }
}

/// Does the work in a child, which answers for itself.
fn in_child(reply: &OwnedFd, work: impl FnOnce() -> Result<(), Failure>) -> Result<(), Failure> {
    match fork_single().map_err(step("forking"))? {
        ForkResult::Parent { .. } => Ok(()),
        ForkResult::Child => {
            let code = match keep_private().and_then(|()| work()) {
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

/// Lets no guest's root look into the calling process, which may be visible in a place while it still
/// sees the machine: only what it becomes can be traced again.
fn keep_private() -> Result<(), Failure> {
    nix::sys::prctl::set_dumpable(false).map_err(step("keeping its memory private"))
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

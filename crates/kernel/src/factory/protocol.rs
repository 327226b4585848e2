//! What the lab and the factory say to each other: JSON datagrams with descriptors.

use crate::container::{Mount, Pids, Root};
use crate::program::Program;
use nix::cmsg_space;
use nix::errno::Errno;
use nix::sys::socket::{ControlMessage, ControlMessageOwned, MsgFlags, recvmsg, sendmsg};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use std::io::{IoSlice, IoSliceMut};
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};
use std::path::PathBuf;

/// The longest message: a command line may be long, a disk image never passes here.
const LONGEST: usize = 192 * 1024;
/// The most descriptors in a message: the answer's socket, a namespace, three streams.
const DESCRIPTORS: usize = 8;

/// A request. Its first descriptor is the socket for the answers.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) enum Request {
    /// A network namespace; it comes with the answer.
    NetworkNamespace,
    /// A guest; the second descriptor is its network namespace. Its root comes with the answer.
    Boot { hostname: String, disk: PathBuf },
    /// A program in a place; its streams are the further descriptors, unless it gets a terminal.
    Exec(ExecRequest),
    /// A sandbox in a guest; its network namespace comes with the answer.
    Sandbox(SandboxRequest),
    /// What sandboxes mounted in a guest, to be taken away.
    TakeDown { node: u64, paths: Vec<PathBuf> },
    /// A container in a sandbox; its streams are the further descriptors, unless it gets a terminal.
    Container(ContainerRequest),
    /// A signal to a process, or to its process group.
    Signal {
        process: u64,
        group: bool,
        signal: i32,
    },
}

/// A program to run beside a running one.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct ExecRequest {
    pub(crate) target: u64,
    pub(crate) program: Program,
    /// The lists of processes of the control groups that it joins.
    pub(crate) groups: Vec<PathBuf>,
}

/// A sandbox to make.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct SandboxRequest {
    pub(crate) node: u64,
    /// Its host name; the node's, and the node's network, where none is given.
    pub(crate) hostname: Option<String>,
    pub(crate) node_ipc: bool,
    pub(crate) shared_pids: bool,
    /// Switches by their path below `/proc/sys`.
    pub(crate) switches: Vec<(PathBuf, String)>,
    /// Where the node sees its network namespace, and where its shared memory.
    pub(crate) network_at: Option<PathBuf>,
    pub(crate) memory_at: Option<PathBuf>,
}

/// A container to make.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct ContainerRequest {
    pub(crate) node: u64,
    pub(crate) sandbox: u64,
    pub(crate) disk: PathBuf,
    pub(crate) root: Root,
    pub(crate) read_only_root: bool,
    pub(crate) pids: Pids,
    /// Whether it commands its network's switches.
    pub(crate) switches: bool,
    pub(crate) mounts: Vec<Mount>,
    pub(crate) program: Program,
    pub(crate) groups: Vec<PathBuf>,
}

/// An answer.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) enum Answer {
    /// Done.
    Done,
    /// The process runs its program.
    Started { process: u64 },
    /// The program ended, with a code or by a signal.
    Ended {
        code: Option<i32>,
        signal: Option<i32>,
    },
    /// A step failed.
    Failed { step: String, errno: i32 },
}

pub(crate) fn send<T: Serialize>(
    socket: &OwnedFd,
    message: &T,
    fds: &[BorrowedFd<'_>],
) -> Result<(), Errno> {
    let bytes = serde_json::to_vec(message).map_err(|_| Errno::EINVAL)?;
    if bytes.len() > LONGEST {
        return Err(Errno::E2BIG);
    }
    let raw: Vec<RawFd> = fds.iter().map(AsRawFd::as_raw_fd).collect();
    let rights = [ControlMessage::ScmRights(&raw)];
    let control: &[ControlMessage<'_>] = if raw.is_empty() { &[] } else { &rights };
    sendmsg::<()>(
        socket.as_raw_fd(),
        &[IoSlice::new(&bytes)],
        control,
        MsgFlags::MSG_NOSIGNAL,
        None,
    )
    .map(drop)
}

pub(crate) fn receive<T: DeserializeOwned>(socket: &OwnedFd) -> Result<(T, Vec<OwnedFd>), Errno> {
    receive_by(socket, MsgFlags::empty())
}

/// What is there already; EAGAIN where nothing is.
pub(crate) fn receive_now<T: DeserializeOwned>(
    socket: &OwnedFd,
) -> Result<(T, Vec<OwnedFd>), Errno> {
    receive_by(socket, MsgFlags::MSG_DONTWAIT)
}

fn receive_by<T: DeserializeOwned>(
    socket: &OwnedFd,
    how: MsgFlags,
) -> Result<(T, Vec<OwnedFd>), Errno> {
    let mut bytes = vec![0; LONGEST];
    let mut control = cmsg_space!([RawFd; DESCRIPTORS]);
    let (length, fds) = loop {
        let mut buffers = [IoSliceMut::new(&mut bytes)];
        let flags = MsgFlags::MSG_CMSG_CLOEXEC | how;
        match recvmsg::<()>(socket.as_raw_fd(), &mut buffers, Some(&mut control), flags) {
            Err(Errno::EINTR) => {}
            Err(errno) => return Err(errno),
            Ok(message) => {
                let rights = message.cmsgs()?.filter_map(|control| match control {
                    ControlMessageOwned::ScmRights(fds) => Some(fds),
                    _ => None,
                });
                // SAFETY: the kernel has just put these descriptors into this process for us alone.
                #[allow(unsafe_code)]
                let fds: Vec<OwnedFd> = rights
                    .flatten()
                    .map(|fd| unsafe { OwnedFd::from_raw_fd(fd) })
                    .collect();
                break (message.bytes, fds);
            }
        }
    };
    if length == 0 {
        return Err(Errno::EPIPE);
    }
    let message = serde_json::from_slice(&bytes[..length]).map_err(|_| Errno::EPROTO)?;
    Ok((message, fds))
}

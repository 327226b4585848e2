//! What the lab and the factory say to each other: JSON datagrams with descriptors.

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
    /// A guest; the second descriptor is its network namespace.
    Boot { hostname: String, disk: PathBuf },
    /// A program in a guest; its streams are the further descriptors, unless it gets a terminal.
    Exec(ExecRequest),
    /// A signal to a process group in a guest, or to a guest's first process.
    Signal { pid: i32, group: bool, signal: i32 },
}

/// A program to run in a guest.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct ExecRequest {
    pub(crate) init: i32,
    pub(crate) arguments: Vec<String>,
    pub(crate) environment: Vec<(String, String)>,
    pub(crate) directory: String,
    pub(crate) terminal: bool,
}

/// An answer.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) enum Answer {
    /// Done.
    Done,
    /// The guest's first process, as the lab numbers it.
    Booted { init: i32 },
    /// The program runs; with it comes its terminal, if it got one.
    Started { pid: i32 },
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
    let mut bytes = vec![0; LONGEST];
    let mut control = cmsg_space!([RawFd; DESCRIPTORS]);
    let (length, fds) = loop {
        let mut buffers = [IoSliceMut::new(&mut bytes)];
        let flags = MsgFlags::MSG_CMSG_CLOEXEC;
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

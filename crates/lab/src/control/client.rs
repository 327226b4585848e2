//! The commands' side of the control socket.

use super::protocol::{Refusal, Reply, Request};
use super::{frame, reachable};
use crate::paths::StateDir;
use nix::sys::socket::{getsockopt, sockopt::PeerCredentials};
use std::io;
use std::os::fd::{BorrowedFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;

/// Why the lab can't be talked to.
#[derive(Debug, thiserror::Error)]
pub enum ControlError {
    /// No lab runs on the state.
    #[error("no lab runs on {path}; start one with: skylab up --detach --state {path}", path = .0.display())]
    NotRunning(PathBuf),
    /// The lab went away, or the socket failed.
    #[error("the lab does not answer: {0}")]
    Socket(#[from] io::Error),
    /// The lab said no.
    #[error("{}", .0.message)]
    Refused(Refusal),
    /// The lab said something else; another version of it runs.
    #[error(
        "the running lab is of another version; restart it with: skylab down && skylab up --detach"
    )]
    Version,
}

/// A connection with a running lab.
#[derive(Debug)]
pub struct Connection {
    stream: UnixStream,
}

/// Connects with the lab that runs on a state.
///
/// # Errors
/// None does, or its socket can't be used.
pub fn connect(state: &StateDir) -> Result<Connection, ControlError> {
    let (path, _directory) = match reachable(&state.socket()) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            return Err(ControlError::NotRunning(state.path().to_owned()));
        }
        other => other?,
    };
    match UnixStream::connect(path) {
        Ok(stream) => Ok(Connection { stream }),
        Err(error)
            if matches!(
                error.kind(),
                io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused
            ) =>
        {
            Err(ControlError::NotRunning(state.path().to_owned()))
        }
        Err(error) => Err(error.into()),
    }
}

impl Connection {
    /// Sends a request with descriptors.
    ///
    /// # Errors
    /// The lab went away.
    pub fn send(
        &self,
        request: &Request,
        descriptors: &[BorrowedFd<'_>],
    ) -> Result<(), ControlError> {
        Ok(frame::send(&self.stream, request, descriptors)?)
    }

    /// Receives a reply and its descriptors.
    ///
    /// # Errors
    /// The lab went away or said no.
    pub fn receive(&self) -> Result<(Reply, Vec<OwnedFd>), ControlError> {
        match frame::receive(&self.stream) {
            Ok(Some((Reply::Refused(refusal), _))) => Err(ControlError::Refused(refusal)),
            Ok(Some(reply)) => Ok(reply),
            Ok(None) => Err(io::Error::from(io::ErrorKind::UnexpectedEof).into()),
            Err(error) if error.kind() == io::ErrorKind::InvalidData => Err(ControlError::Version),
            Err(error) => Err(error.into()),
        }
    }

    /// Asks, and gives the reply.
    ///
    /// # Errors
    /// The lab went away or said no.
    pub fn ask(&self, request: &Request) -> Result<Reply, ControlError> {
        self.send(request, &[])?;
        Ok(self.receive()?.0)
    }

    /// The lab's process, as this machine numbers it.
    ///
    /// # Errors
    /// The kernel doesn't say.
    pub fn pid(&self) -> io::Result<i32> {
        Ok(getsockopt(&self.stream, PeerCredentials)?.pid())
    }

    /// A second handle on the same connection, for another thread.
    ///
    /// # Errors
    /// No descriptor is left.
    pub fn try_clone(&self) -> io::Result<Self> {
        Ok(Self {
            stream: self.stream.try_clone()?,
        })
    }
}

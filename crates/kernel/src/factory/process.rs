//! A process that the factory looks after, as the lab sees it.

use super::protocol::{self, Answer, Request};
use super::{FactoryError, GuestFactory};
use nix::errno::Errno;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::OnceLock;

/// A process in a place of the lab. It runs on when this is dropped.
#[derive(Debug)]
pub struct Process {
    factory: GuestFactory,
    number: u64,
    ending: OwnedFd,
    ended: OnceLock<Exit>,
}

/// How a program ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    /// With a code.
    Code(i32),
    /// By a signal.
    Signal(i32),
}

impl Exit {
    /// As a shell has it: the code, or 128 and the signal's number.
    pub fn code(self) -> i32 {
        match self {
            Self::Code(code) => code,
            Self::Signal(signal) => 128 + signal,
        }
    }

    /// What an answer says of an end.
    pub(super) fn told(answer: &Answer) -> Option<Self> {
        match answer {
            Answer::Ended {
                code: Some(code), ..
            } => Some(Self::Code(*code)),
            Answer::Ended {
                signal: Some(signal),
                ..
            } => Some(Self::Signal(*signal)),
            _ => None,
        }
    }
}

impl Process {
    pub(super) fn new(
        factory: GuestFactory,
        number: u64,
        ending: OwnedFd,
        ended: Option<Exit>,
    ) -> Self {
        Self {
            factory,
            number,
            ending,
            ended: ended.map(OnceLock::from).unwrap_or_default(),
        }
    }

    /// The number by which the factory knows it.
    pub(crate) fn number(&self) -> u64 {
        self.number
    }

    pub(crate) fn factory(&self) -> &GuestFactory {
        &self.factory
    }

    /// Waits for its end. Blocks; the descriptor of [`AsFd`] is readable when it won't.
    ///
    /// # Errors
    /// The factory is gone.
    pub fn wait(&self) -> Result<Exit, FactoryError> {
        if let Some(ended) = self.ended.get() {
            return Ok(*ended);
        }
        self.hear(protocol::receive(&self.ending))
            .and_then(|exit| exit.ok_or(FactoryError::Silent(Errno::EPROTO)))
    }

    /// How it ended, if it has.
    ///
    /// # Errors
    /// The factory is gone.
    pub fn look(&self) -> Result<Option<Exit>, FactoryError> {
        match self.ended.get() {
            Some(ended) => Ok(Some(*ended)),
            None => self.hear(protocol::receive_now(&self.ending)),
        }
    }

    fn hear(
        &self,
        heard: Result<(Answer, Vec<OwnedFd>), Errno>,
    ) -> Result<Option<Exit>, FactoryError> {
        let exit = match heard {
            Ok((answer, _)) => Exit::told(&answer).ok_or(FactoryError::Silent(Errno::EPROTO))?,
            Err(Errno::EAGAIN) => return Ok(None),
            // Another caller may have heard it.
            Err(errno) => match self.ended.get() {
                Some(ended) => *ended,
                None => return Err(FactoryError::Silent(errno)),
            },
        };
        Ok(Some(*self.ended.get_or_init(|| exit)))
    }

    /// Sends a signal to its process group.
    ///
    /// # Errors
    /// It has ended.
    pub fn signal(&self, signal: i32) -> Result<(), FactoryError> {
        self.send(true, signal)
    }

    /// Sends a signal to itself alone.
    ///
    /// # Errors
    /// It has ended.
    pub fn signal_alone(&self, signal: i32) -> Result<(), FactoryError> {
        self.send(false, signal)
    }

    fn send(&self, group: bool, signal: i32) -> Result<(), FactoryError> {
        let request = Request::Signal {
            process: self.number,
            group,
            signal,
        };
        self.factory.ask(&request, &[]).map(drop)
    }
}

impl AsFd for Process {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.ending.as_fd()
    }
}

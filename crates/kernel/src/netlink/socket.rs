//! A netlink socket that lives in one namespace.

use super::message::{Message, attributes, received};
use crate::namespace::NetNs;
use nix::errno::Errno;
use nix::sys::socket::{
    AddressFamily, MsgFlags, NetlinkAddr, SockFlag, SockProtocol, SockType, bind, getsockopt, recv,
    send, setsockopt, socket, sockopt,
};
use std::io;
use std::os::fd::{AsRawFd, OwnedFd};

/// Which family a socket speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Family {
    /// Links, addresses, routes, rules, neighbours.
    Route,
    /// nftables.
    Netfilter,
}

/// A request that the kernel refused, or a socket that failed.
#[derive(Debug, thiserror::Error)]
pub enum NetlinkError {
    /// The kernel refused a message.
    #[error("{errno}{}", hint(.text))]
    Refused {
        /// Which of the messages that were sent together, counted from 0.
        message: usize,
        /// The kernel's error.
        errno: Errno,
        /// The kernel's extended words, if any.
        text: Option<String>,
    },
    /// The socket failed.
    #[error("netlink: {0}")]
    Io(#[from] io::Error),
}

fn hint(text: &Option<String>) -> String {
    text.as_ref()
        .map(|text| format!(" ({text})"))
        .unwrap_or_default()
}

impl From<Errno> for NetlinkError {
    fn from(errno: Errno) -> Self {
        Self::Io(errno.into())
    }
}

/// How many requests are sent before their answers are read: an answer takes under a kilobyte of
/// the receive buffer, which holds at least 200 KB everywhere.
const WINDOW: usize = 128;
/// How many bytes are sent at once, well under any send buffer.
const WINDOW_BYTES: usize = 64 * 1024;
/// What the kernel keeps of the send buffer for itself.
const OVERHEAD: usize = 64;
/// NLMSGERR_ATTR_MSG.
const EXTENDED_ACK_MESSAGE: u16 = 1;

/// One answer: the sequence number it answers and, for a refusal, why.
type Answer = (u32, Option<(Errno, Option<String>)>);

/// A netlink socket.
#[derive(Debug)]
pub(crate) struct Socket {
    fd: OwnedFd,
    sequence: u32,
    buffer: Vec<u8>,
    largest: usize,
}

impl Socket {
    /// Opens a socket inside a namespace.
    pub(crate) fn open(namespace: &NetNs, family: Family) -> Result<Self, NetlinkError> {
        namespace.run(move || Self::open_here(family))?
    }

    /// Opens a socket in the namespace that the calling thread is in.
    pub(crate) fn open_here(family: Family) -> Result<Self, NetlinkError> {
        let protocol = match family {
            Family::Route => SockProtocol::NetlinkRoute,
            Family::Netfilter => SockProtocol::NetlinkNetFilter,
        };
        let fd = socket(
            AddressFamily::Netlink,
            SockType::Raw,
            SockFlag::SOCK_CLOEXEC,
            protocol,
        )?;
        bind(fd.as_raw_fd(), &NetlinkAddr::new(0, 0))?;
        // Only the machine's root may pass the kernel's limits; the others get as far as these go.
        if setsockopt(&fd, sockopt::SndBufForce, &(64 * 1024 * 1024)).is_err() {
            setsockopt(&fd, sockopt::SndBuf, &(64 * 1024 * 1024))?;
        }
        if setsockopt(&fd, sockopt::RcvBufForce, &(16 * 1024 * 1024)).is_err() {
            setsockopt(&fd, sockopt::RcvBuf, &(16 * 1024 * 1024))?;
        }
        set_option(&fd, libc::NETLINK_EXT_ACK)?;
        set_option(&fd, libc::NETLINK_CAP_ACK)?;
        let largest = getsockopt(&fd, sockopt::SndBuf)?.saturating_sub(OVERHEAD);
        Ok(Self {
            fd,
            sequence: 0,
            buffer: vec![0; 64 * 1024],
            largest,
        })
    }

    /// How many bytes one [`Self::transaction`] can hold.
    pub(crate) fn largest(&self) -> usize {
        self.largest
    }

    /// Sends requests and waits until all are acknowledged. Every one is tried; the first refusal
    /// is the answer.
    pub(crate) fn request_all(&mut self, requests: Vec<Message>) -> Result<(), NetlinkError> {
        let refusals = self.request_each(requests)?;
        refusals.into_iter().next().map_or(Ok(()), Err)
    }

    /// Sends requests and waits until all are answered. Every one is tried; gives the refusals.
    pub(crate) fn request_each(
        &mut self,
        requests: Vec<Message>,
    ) -> Result<Vec<NetlinkError>, NetlinkError> {
        let start = self.sequence + 1;
        let mut window = Vec::with_capacity(WINDOW_BYTES);
        let mut waiting = 0;
        let mut refusals = Vec::new();
        for message in requests {
            if waiting == WINDOW || window.len() + message.len() > WINDOW_BYTES {
                self.exchange(&window, start, waiting, &mut refusals)?;
                window.clear();
                waiting = 0;
            }
            self.sequence += 1;
            waiting += 1;
            window.extend(message.finish(self.sequence, true));
        }
        self.exchange(&window, start, waiting, &mut refusals)?;
        Ok(refusals)
    }

    fn exchange(
        &mut self,
        window: &[u8],
        start: u32,
        mut waiting: usize,
        refusals: &mut Vec<NetlinkError>,
    ) -> Result<(), NetlinkError> {
        if waiting == 0 {
            return Ok(());
        }
        send(self.fd.as_raw_fd(), window, MsgFlags::empty())?;
        while waiting > 0 {
            for answer in self.answers()? {
                waiting = waiting.saturating_sub(1);
                refusals.extend(refused(answer, start));
            }
        }
        Ok(())
    }

    /// Sends a question that has one answer, and gives that answer's payload.
    pub(crate) fn ask(&mut self, question: Message) -> Result<Vec<u8>, NetlinkError> {
        self.sequence += 1;
        let sequence = self.sequence;
        let bytes = question.finish(sequence, false);
        send(self.fd.as_raw_fd(), &bytes, MsgFlags::empty())?;
        loop {
            let length = self.receive()?;
            for message in received(self.buffer.get(..length).unwrap_or_default()) {
                if message.sequence != sequence {
                    continue;
                }
                let answer = message.payload.to_vec();
                if i32::from(message.kind) != libc::NLMSG_ERROR {
                    return Ok(answer);
                }
                if let Some((errno, text)) = refusal(&answer) {
                    return Err(NetlinkError::Refused {
                        message: 0,
                        errno,
                        text,
                    });
                }
            }
        }
    }

    /// Sends a question that has many answers, and gives each one's kind and payload.
    pub(crate) fn dump(
        &mut self,
        question: Message,
        mut each: impl FnMut(u16, &[u8]),
    ) -> Result<(), NetlinkError> {
        self.sequence += 1;
        let sequence = self.sequence;
        let bytes = question.finish(sequence, false);
        send(self.fd.as_raw_fd(), &bytes, MsgFlags::empty())?;
        loop {
            let length = self.receive()?;
            for message in received(self.buffer.get(..length).unwrap_or_default()) {
                match i32::from(message.kind) {
                    _ if message.sequence != sequence => {}
                    libc::NLMSG_DONE => return Ok(()),
                    libc::NLMSG_ERROR => {
                        if let Some((errno, text)) = refusal(message.payload) {
                            return Err(NetlinkError::Refused {
                                message: 0,
                                errno,
                                text,
                            });
                        }
                    }
                    _ => each(message.kind, message.payload),
                }
            }
        }
    }

    fn receive(&mut self) -> Result<usize, Errno> {
        loop {
            match recv(self.fd.as_raw_fd(), &mut self.buffer, MsgFlags::empty()) {
                Err(Errno::EINTR) => {}
                other => return other,
            }
        }
    }

    /// Sends an nftables transaction: all of it happens, or nothing. The first and the last message
    /// are the ones that begin and end it. Only the last but one asks for an acknowledgement (those
    /// two are never acknowledged by older kernels); a refused message is reported in any case.
    pub(crate) fn transaction(&mut self, batch: Vec<Message>) -> Result<(), NetlinkError> {
        let mut bytes = Vec::with_capacity(batch.iter().map(Message::len).sum());
        let start = self.sequence + 1;
        let count = batch.len();
        for (index, message) in batch.into_iter().enumerate() {
            self.sequence += 1;
            bytes.extend(message.finish(self.sequence, index + 2 == count));
        }
        let last = self.sequence - 1;
        send(self.fd.as_raw_fd(), &bytes, MsgFlags::empty())?;
        let mut failed: Option<NetlinkError> = None;
        let mut finished = false;
        while failed.is_none() && !finished {
            for answer in self.answers()? {
                finished |= answer.0 == last;
                failed = failed.or_else(|| refused(answer, start));
            }
        }
        // A refused transaction may have more to say; the next one must not hear it.
        while recv(
            self.fd.as_raw_fd(),
            &mut self.buffer,
            MsgFlags::MSG_DONTWAIT,
        )
        .is_ok()
        {}
        failed.map_or(Ok(()), Err)
    }

    /// Acknowledgements and refusals of one datagram.
    fn answers(&mut self) -> Result<Vec<Answer>, NetlinkError> {
        let length = self.receive()?;
        let messages = received(self.buffer.get(..length).unwrap_or_default());
        let errors = messages
            .iter()
            .filter(|message| i32::from(message.kind) == libc::NLMSG_ERROR);
        Ok(errors
            .map(|message| (message.sequence, refusal(message.payload)))
            .collect())
    }
}

/// What an acknowledgement says, if it is a refusal.
fn refusal(payload: &[u8]) -> Option<(Errno, Option<String>)> {
    let code = i32::from_ne_bytes(payload.get(..4)?.try_into().ok()?);
    (code != 0).then(|| (Errno::from_raw(-code), extended_text(payload)))
}

/// An answer as an error, if it is a refusal.
fn refused(answer: Answer, start: u32) -> Option<NetlinkError> {
    let (sequence, refusal) = answer;
    refusal.map(|(errno, text)| NetlinkError::Refused {
        message: sequence.saturating_sub(start) as usize,
        errno,
        text,
    })
}

fn set_option(fd: &OwnedFd, option: i32) -> Result<(), Errno> {
    let on: i32 = 1;
    // SAFETY: the descriptor is open and the value is an int that outlives the call.
    #[allow(unsafe_code)]
    let result = unsafe {
        libc::setsockopt(
            fd.as_raw_fd(),
            libc::SOL_NETLINK,
            option,
            std::ptr::from_ref(&on).cast(),
            size_of::<i32>() as libc::socklen_t,
        )
    };
    Errno::result(result).map(drop)
}

/// The kernel's own words in an acknowledgement (its extended attributes follow the capped request).
fn extended_text(payload: &[u8]) -> Option<String> {
    let (_, text) = attributes(payload.get(20..)?)
        .into_iter()
        .find(|(kind, _)| *kind == EXTENDED_ACK_MESSAGE)?;
    Some(
        String::from_utf8_lossy(text)
            .trim_end_matches('\0')
            .to_owned(),
    )
}

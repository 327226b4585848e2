//! The processes that the factory looks after: it knows them by their own word, hears of their end,
//! tells whoever asked for them, and reaps them.

use super::protocol::{self, Answer};
use super::{Failure, step};
use nix::cmsg_space;
use nix::errno::Errno;
use nix::sys::signal::{SigSet, Signal};
use nix::sys::signalfd::{SfdFlags, SignalFd};
use nix::sys::socket::{
    AddressFamily, ControlMessage, ControlMessageOwned, MsgFlags, SockFlag, SockType,
    UnixCredentials, recvmsg, sendmsg, setsockopt, socketpair, sockopt,
};
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::Pid;
use std::collections::HashMap;
use std::io::{IoSlice, IoSliceMut};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};

/// Where new processes make themselves known.
pub(super) struct Registry(OwnedFd);

impl Registry {
    /// Makes the calling process known by its number, with the socket that waits for its end. The
    /// kernel says who calls.
    pub(super) fn register(&self, process: u64, reply: &OwnedFd) -> Result<(), Errno> {
        let number = process.to_ne_bytes();
        let passed = [reply.as_raw_fd()];
        sendmsg::<()>(
            self.0.as_raw_fd(),
            &[IoSlice::new(&number)],
            &[ControlMessage::ScmRights(&passed)],
            MsgFlags::MSG_NOSIGNAL,
            None,
        )
        .map(drop)
    }
}

/// All of them.
pub(super) struct Children {
    registry: Registry,
    registered: OwnedFd,
    signals: SignalFd,
    last: u64,
    running: HashMap<u64, Running>,
    numbers: HashMap<Pid, u64>,
}

struct Running {
    pid: Pid,
    reply: OwnedFd,
}

impl Children {
    pub(super) fn new() -> Result<Self, Errno> {
        let signals: SigSet = [Signal::SIGCHLD].into_iter().collect();
        signals.thread_block()?;
        let (registered, register) = socketpair(
            AddressFamily::Unix,
            SockType::SeqPacket,
            None,
            SockFlag::SOCK_CLOEXEC,
        )?;
        setsockopt(&registered, sockopt::PassCred, &true)?;
        Ok(Self {
            registry: Registry(register),
            registered,
            signals: SignalFd::with_flags(
                &signals,
                SfdFlags::SFD_CLOEXEC | SfdFlags::SFD_NONBLOCK,
            )?,
            last: 0,
            running: HashMap::new(),
            numbers: HashMap::new(),
        })
    }

    /// A number for the next process.
    pub(super) fn next(&mut self) -> u64 {
        self.last += 1;
        self.last
    }

    pub(super) fn registry(&self) -> &Registry {
        &self.registry
    }

    /// What is readable when there is something to do.
    pub(super) fn descriptors(&self) -> [BorrowedFd<'_>; 2] {
        [self.registered.as_fd(), self.signals.as_fd()]
    }

    /// Hears who is new and who has ended.
    pub(super) fn look(&mut self) {
        while matches!(self.signals.read_signal(), Ok(Some(_))) {}
        self.hear();
        loop {
            match waitpid(None, Some(WaitPidFlag::WNOHANG)) {
                Ok(WaitStatus::Exited(pid, code)) => self.ended(pid, Some(code), None),
                Ok(WaitStatus::Signaled(pid, signal, _)) => {
                    self.ended(pid, None, Some(signal as i32));
                }
                Ok(WaitStatus::StillAlive) | Err(Errno::ECHILD) => return,
                Ok(_) | Err(_) => {}
            }
        }
    }

    /// Hears who is new.
    pub(super) fn hear(&mut self) {
        while let Ok((process, pid, reply)) = self.receive() {
            self.numbers.insert(pid, process);
            self.running.insert(process, Running { pid, reply });
        }
    }

    fn receive(&self) -> Result<(u64, Pid, OwnedFd), Errno> {
        let mut number = [0; 8];
        let mut control = cmsg_space!(UnixCredentials, [RawFd; 1]);
        let mut buffers = [IoSliceMut::new(&mut number)];
        let flags = MsgFlags::MSG_CMSG_CLOEXEC | MsgFlags::MSG_DONTWAIT;
        let message = recvmsg::<()>(
            self.registered.as_raw_fd(),
            &mut buffers,
            Some(&mut control),
            flags,
        )?;
        let (mut pid, mut reply) = (None, None);
        for part in message.cmsgs()? {
            match part {
                ControlMessageOwned::ScmCredentials(sender) => {
                    pid = Some(Pid::from_raw(sender.pid()));
                }
                ControlMessageOwned::ScmRights(fds) => {
                    // SAFETY: the kernel has just put these descriptors into this process for us alone.
                    #[allow(unsafe_code)]
                    let mut fds = fds
                        .into_iter()
                        .map(|fd| unsafe { OwnedFd::from_raw_fd(fd) });
                    reply = fds.next();
                }
                _ => {}
            }
        }
        match (message.bytes, pid, reply) {
            (8, Some(pid), Some(reply)) => Ok((u64::from_ne_bytes(number), pid, reply)),
            _ => Err(Errno::EPROTO),
        }
    }

    fn ended(&mut self, pid: Pid, code: Option<i32>, signal: Option<i32>) {
        if !self.numbers.contains_key(&pid) {
            // It may have registered since, and ended at once; or it is one that only did some work.
            self.hear();
        }
        let running = self
            .numbers
            .remove(&pid)
            .and_then(|process| self.running.remove(&process));
        if let Some(running) = running {
            // The asker may have gone.
            let _ = protocol::send(&running.reply, &Answer::Ended { code, signal }, &[]);
        }
    }

    /// A descriptor of a process, by which its namespaces can be entered.
    pub(super) fn descriptor(&self, process: u64) -> Result<OwnedFd, Failure> {
        let gone = || step("it is gone")(Errno::ESRCH);
        let running = self.running.get(&process).ok_or_else(gone)?;
        // SAFETY: the call takes integers; the descriptor it gives is ours alone.
        #[allow(unsafe_code)]
        let opened = unsafe {
            let fd = libc::syscall(libc::SYS_pidfd_open, running.pid.as_raw(), 0);
            Errno::result(fd).map(|fd| OwnedFd::from_raw_fd(fd as RawFd))
        };
        opened.map_err(step("finding the process"))
    }

    pub(super) fn signal(&self, process: u64, group: bool, number: i32) -> Result<(), Failure> {
        let running = self.running.get(&process);
        let pid = running.ok_or_else(|| step("signalling")(Errno::ESRCH))?.pid;
        let pid = pid.as_raw();
        // SAFETY: the call takes integers. Not by nix, which knows no real-time signals.
        #[allow(unsafe_code)]
        let result = unsafe { libc::kill(if group { -pid } else { pid }, number) };
        Errno::result(result).map(drop).map_err(step("signalling"))
    }
}

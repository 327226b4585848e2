//! A program that runs for a command: in a guest, or in a pod's container.

use super::protocol::Ended;
use cri::{Process, Streams};
use kernel::guest::{Exit, GuestProcess};
use std::fs::File;
use std::io;
use std::os::fd::OwnedFd;
use std::sync::{Mutex, PoisonError};
use std::thread::{self, JoinHandle};

/// A program that runs.
pub(super) enum Running {
    /// In a guest, on the command's own streams.
    Guest(GuestProcess),
    /// In a container.
    Pod(InPod),
}

/// A program in a container, with what carries its output.
pub(super) struct InPod {
    process: Box<dyn Process>,
    carrying: Mutex<Vec<JoinHandle<()>>>,
}

impl Running {
    /// Waits for its end. Blocks.
    pub(super) fn wait(&self) -> io::Result<Ended> {
        match self {
            Self::Guest(process) => match process.wait().map_err(io::Error::other)? {
                Exit::Code(code) => Ok(Ended::Code(code)),
                Exit::Signal(signal) => Ok(Ended::Signal(signal)),
            },
            Self::Pod(pod) => {
                let code = pod.process.wait()?;
                let carrying = std::mem::take(
                    &mut *pod.carrying.lock().unwrap_or_else(PoisonError::into_inner),
                );
                // What it printed last arrives before its end is told.
                for thread in carrying {
                    let _ = thread.join();
                }
                Ok(Ended::Code(code))
            }
        }
    }

    /// Sends a signal to it and what it started.
    pub(super) fn signal(&self, signal: i32) -> io::Result<()> {
        match self {
            Self::Guest(process) => process.signal(signal).map_err(io::Error::other),
            Self::Pod(pod) => pod.process.signal(signal),
        }
    }
}

impl InPod {
    /// A program in a container, its streams joined to a command's: standard input, output and error.
    pub(super) fn joined(
        process: Box<dyn Process>,
        streams: Streams,
        command: [OwnedFd; 3],
    ) -> io::Result<Self> {
        let [input, output, errors] = command;
        let mut carrying = Vec::new();
        for (from, to) in [(streams.stdout, output), (streams.stderr, errors)] {
            if let Some(from) = from {
                carrying.push(carry(from, to)?);
            }
        }
        if let Some(to) = streams.stdin {
            // It ends with the command's input, whenever that is; nobody waits for it.
            carry(input, to)?;
        }
        Ok(Self {
            process,
            carrying: Mutex::new(carrying),
        })
    }

    /// A program on a terminal, whose other side the command has.
    pub(super) fn on_terminal(process: Box<dyn Process>) -> Self {
        Self {
            process,
            carrying: Mutex::default(),
        }
    }
}

/// Copies from one descriptor to another until the end of either.
fn carry(from: OwnedFd, to: OwnedFd) -> io::Result<JoinHandle<()>> {
    let copy = move || {
        // Whoever reads may have gone; then the rest is nobody's.
        let _ = io::copy(&mut File::from(from), &mut File::from(to));
    };
    thread::Builder::new().stack_size(128 * 1024).spawn(copy)
}

//! `skylab capture`: a place's packets as pcapng.

use super::exec::pass_signals_on;
use crate::args;
use crate::failure::{Failure, USAGE};
use lab::control::{self, Capture, ControlError, Reply, Request};
use lab::paths::StateDir;
use nix::sys::signal::Signal;
use std::fs::File;
use std::io::{self, IsTerminal};
use std::os::fd::{AsFd, OwnedFd};

pub(crate) fn run(state: &StateDir, args: args::Capture) -> Result<u8, Failure> {
    let out: OwnedFd = match &args.write {
        Some(path) => File::create(path)
            .map_err(|error| Failure::new(USAGE, format!("{}: {error}", path.display())))?
            .into(),
        None if io::stdout().is_terminal() => {
            let message = "packets are not for a terminal; name a file with -w, or pipe them on";
            return Err(Failure::new(USAGE, message));
        }
        None => io::stdout().as_fd().try_clone_to_owned()?,
    };
    let lab = control::connect(state)?;
    let request = Request::Capture(Capture {
        place: args.place,
        cluster: args.cluster,
        filter: args.filter,
    });
    lab.send(&request, &[out.as_fd()])?;
    drop(out);
    lab.receive()?;
    if io::stderr().is_terminal() {
        eprintln!("Capturing; Ctrl-C ends it.");
    }
    pass_signals_on(&lab, &[Signal::SIGINT, Signal::SIGTERM, Signal::SIGHUP])?;
    match lab.receive()? {
        (Reply::Captured(packets), _) => {
            eprintln!("{packets} packets");
            Ok(0)
        }
        _ => Err(ControlError::Version.into()),
    }
}

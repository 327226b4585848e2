//! `skylab shell`: a shell at a place, on a terminal of the place's own.

use super::exec::{ended, environment};
use crate::args;
use crate::failure::{EXEC, Failure};
use crate::terminal::{RawMode, copy_size};
use lab::control::{self, Exec, Request};
use lab::paths::StateDir;
use nix::sys::signal::{SigSet, Signal};
use std::fs::File;
use std::io::{self, IsTerminal};
use std::thread;

pub(crate) fn run(state: &StateDir, args: args::Shell) -> Result<u8, Failure> {
    if !io::stdin().is_terminal() {
        let message = "a shell needs a terminal; without one use: skylab exec PLACE -- sh";
        return Err(Failure::new(EXEC, message));
    }
    let lab = control::connect(state).map_err(|error| Failure::of_exec(&error))?;
    let request = Request::Exec(Exec {
        place: args.place,
        cluster: args.cluster,
        arguments: Vec::new(),
        environment: environment(),
        terminal: true,
    });
    lab.send(&request, &[])
        .map_err(|error| Failure::of_exec(&error))?;
    let (_, mut passed) = lab.receive().map_err(|error| Failure::of_exec(&error))?;
    let Some(terminal) = passed.pop() else {
        return Err(Failure::of_exec(&control::ControlError::Version));
    };
    let raw = RawMode::enter()?;
    follow(&File::from(terminal))?;
    let code = ended(&lab);
    drop(raw);
    code
}

/// Joins this terminal with the place's, sizes included.
fn follow(terminal: &File) -> io::Result<()> {
    copy_size(terminal)?;
    let resized: SigSet = [Signal::SIGWINCH].into_iter().collect();
    resized.thread_block()?;
    let there = terminal.try_clone()?;
    thread::Builder::new().spawn(move || {
        while resized.wait().is_ok() {
            // The place's terminal may have closed.
            let _ = copy_size(&there);
        }
    })?;
    let mut keys = terminal.try_clone()?;
    thread::Builder::new().spawn(move || io::copy(&mut io::stdin(), &mut keys))?;
    let mut screen = terminal.try_clone()?;
    let copied = io::copy(&mut screen, &mut io::stdout());
    match copied {
        // A terminal whose last program has gone ends with an error of its own (EIO).
        Err(error) if error.raw_os_error() == Some(nix::errno::Errno::EIO as i32) => Ok(()),
        other => other.map(drop),
    }
}

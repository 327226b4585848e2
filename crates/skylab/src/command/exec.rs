//! `skylab exec`: a program at a place, with this command's own streams.

use crate::args;
use crate::failure::{EXEC, Failure};
use lab::control::{self, Connection, Ended, Exec, Reply, Request};
use lab::paths::StateDir;
use nix::sys::signal::{SigSet, Signal};
use std::io;
use std::os::fd::AsFd;
use std::thread;

/// What this command passes on instead of obeying. SIGKILL it can't: the lab sees it go.
const PASSED_ON: [Signal; 6] = [
    Signal::SIGINT,
    Signal::SIGTERM,
    Signal::SIGHUP,
    Signal::SIGQUIT,
    Signal::SIGUSR1,
    Signal::SIGUSR2,
];

pub(crate) fn run(state: &StateDir, args: args::Exec) -> Result<u8, Failure> {
    let lab = control::connect(state).map_err(|error| Failure::of_exec(&error))?;
    let request = Request::Exec(Exec {
        place: args.place,
        cluster: args.cluster,
        arguments: args.command,
        environment: environment(),
        terminal: false,
    });
    let (stdin, stdout, stderr) = (io::stdin(), io::stdout(), io::stderr());
    lab.send(&request, &[stdin.as_fd(), stdout.as_fd(), stderr.as_fd()])
        .map_err(|error| Failure::of_exec(&error))?;
    lab.receive().map_err(|error| Failure::of_exec(&error))?;
    pass_signals_on(&lab, &PASSED_ON).map_err(|error| Failure::new(EXEC, error))?;
    ended(&lab)
}

/// What of this command's environment the program gets.
pub(crate) fn environment() -> Vec<(String, String)> {
    ["TERM", "COLORTERM"]
        .into_iter()
        .filter_map(|name| Some((name.to_owned(), std::env::var(name).ok()?)))
        .collect()
}

/// Passes signals on, on a thread of its own, as long as the command runs.
pub(crate) fn pass_signals_on(lab: &Connection, signals: &[Signal]) -> io::Result<()> {
    let signals: SigSet = signals.iter().copied().collect();
    signals.thread_block()?;
    let lab = lab.try_clone()?;
    thread::Builder::new().spawn(move || {
        while let Ok(signal) = signals.wait() {
            if lab.send(&Request::Signal(signal as i32), &[]).is_err() {
                return;
            }
        }
    })?;
    Ok(())
}

/// Waits for the program's end; its exit status, as a shell tells it.
pub(crate) fn ended(lab: &Connection) -> Result<u8, Failure> {
    match lab.receive() {
        Ok((Reply::Ended(Ended::Code(code)), _)) => Ok(u8::try_from(code).unwrap_or(u8::MAX)),
        Ok((Reply::Ended(Ended::Signal(signal)), _)) => {
            Ok(u8::try_from(128 + signal).unwrap_or(u8::MAX))
        }
        Ok(_) => Err(Failure::of_exec(&control::ControlError::Version)),
        Err(error) => Err(Failure::of_exec(&error)),
    }
}

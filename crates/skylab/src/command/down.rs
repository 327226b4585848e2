//! `skylab down`: ends the lab.

use crate::failure::Failure;
use lab::control::{self, ControlError, Request};
use lab::paths::StateDir;
use nix::errno::Errno;
use nix::sys::signal::kill;
use nix::unistd::Pid;
use std::thread;
use std::time::Duration;

const STEP: Duration = Duration::from_millis(10);
/// After so many steps the lab is ended the hard way; nothing acknowledged is lost by that.
const PATIENCE: u32 = 1000;

pub(crate) fn run(state: &StateDir) -> Result<u8, Failure> {
    if !end(state)? {
        eprintln!("No lab runs on {}.", state.path().display());
    }
    Ok(0)
}

/// Asks the lab to end.
pub(crate) fn ask(state: &StateDir) -> Result<(), Failure> {
    // A lab that is just ending may not answer any more.
    let _ = control::connect(state)?.ask(&Request::Down);
    Ok(())
}

/// Ends the lab and waits until it is gone; whether one ran.
pub(crate) fn end(state: &StateDir) -> Result<bool, Failure> {
    let lab = match control::connect(state) {
        Ok(lab) => lab,
        Err(ControlError::NotRunning(_)) => return Ok(false),
        Err(error) => return Err(error.into()),
    };
    let pid = Pid::from_raw(lab.pid()?);
    // A lab that is just ending may not answer any more.
    let _ = lab.ask(&Request::Down);
    for _ in 0..PATIENCE {
        if kill(pid, None) == Err(Errno::ESRCH) {
            return Ok(true);
        }
        thread::sleep(STEP);
    }
    Err(Failure::new(
        1,
        format!("the lab (process {pid}) does not end; end it with: kill -9 {pid}"),
    ))
}

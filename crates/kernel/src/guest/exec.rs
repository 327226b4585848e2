//! Running a program beside another one: in a guest, beside its first process, and in a container.

use crate::factory::{Birth, ExecRequest, Failure, Numbering, step};
use crate::program::{Belongings, Terminal, groups, streams};
use nix::sched::{CloneFlags, setns};
use std::os::fd::{AsFd, OwnedFd};
use std::path::Path;

/// Enters the place and brings the program up. Runs in a child of the factory.
pub(crate) fn run(
    birth: &Birth<'_>,
    request: ExecRequest,
    target: &OwnedFd,
    fds: Vec<OwnedFd>,
) -> Result<(), Failure> {
    // Opened while the machine's control groups are in sight.
    let groups = groups(&request.groups)?;
    let spaces = CloneFlags::CLONE_NEWNET
        | CloneFlags::CLONE_NEWUTS
        | CloneFlags::CLONE_NEWIPC
        | CloneFlags::CLONE_NEWCGROUP
        | CloneFlags::CLONE_NEWPID
        | CloneFlags::CLONE_NEWNS;
    setns(target, spaces).map_err(step("entering the place"))?;
    let terminals = Path::new("/dev/pts");
    let (outer, streams) = streams(&request.program, fds, || Terminal::open(terminals))?;
    let belongings = Belongings { streams, groups };
    let fds: Vec<_> = outer.iter().map(AsFd::as_fd).collect();
    birth.bring_up(Numbering::Entered, &fds, || match belongings.join() {
        Ok(()) => request.program.become_it(&belongings),
        Err(failure) => failure,
    })
}

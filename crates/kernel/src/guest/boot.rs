//! Booting: namespaces, the view, and a first process that outlives the others.

use super::view;
use crate::factory::{Birth, Failure, Numbering, holder, step};
use crate::rights::Rights;
use nix::errno::Errno;
use nix::fcntl::{OFlag, open};
use nix::sched::{CloneFlags, setns, unshare};
use nix::sys::stat::Mode;
use nix::unistd::sethostname;
use std::os::fd::{AsFd, OwnedFd};
use std::path::{Path, PathBuf};

/// Boots a guest and answers with its root. Runs in a child of the factory.
pub(crate) fn boot(
    birth: &Birth<'_>,
    hostname: &str,
    disk: &Path,
    net: &[OwnedFd],
    hidden: &[PathBuf],
) -> Result<(), Failure> {
    let net = net
        .first()
        .ok_or_else(|| step("boot without a network")(Errno::EINVAL))?;
    setns(net, CloneFlags::CLONE_NEWNET).map_err(step("entering the guest's network"))?;
    let flags = CloneFlags::CLONE_NEWNS
        | CloneFlags::CLONE_NEWUTS
        | CloneFlags::CLONE_NEWIPC
        | CloneFlags::CLONE_NEWCGROUP;
    unshare(flags).map_err(step("the guest's namespaces"))?;
    sethostname(hostname).map_err(step("setting the host name"))?;
    let root = view::build(disk, hidden)?;
    view::own_state(disk, &root)?;
    // The top of the view before it is anybody's root: the same mount that becomes it.
    let top = open(&root, OFlag::O_PATH | OFlag::O_CLOEXEC, Mode::empty())
        .map_err(step("opening the view"))?;
    birth.bring_up(Numbering::Fresh, &[top.as_fd()], || {
        let prepared = view::enter(&root, view::Switches::OfNetwork).and_then(|()| {
            let rights = Rights::of_guests();
            rights.bound()?;
            rights.hold(true)
        });
        match prepared {
            Ok(()) => holder::become_holder(birth.holder().as_fd(), c"init"),
            Err(failure) => failure,
        }
    })
}

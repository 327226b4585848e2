//! Making a container. Runs in a child of the factory.

use super::{Pids, Root, layers, mounts};
use crate::factory::{Birth, ContainerRequest, Failure, Numbering, step};
use crate::guest::view::{self, Switches};
use crate::program::{Belongings, Terminal, groups, streams};
use crate::tree;
use nix::errno::Errno;
use nix::fcntl::{OFlag, open};
use nix::sched::{CloneFlags, setns, unshare};
use nix::sys::stat::Mode;
use std::fs;
use std::os::fd::{AsFd, OwnedFd};
use std::path::PathBuf;

/// Where a container belongs.
pub(crate) struct Places {
    /// Its node's first process.
    pub(crate) node: OwnedFd,
    /// Its sandbox's.
    pub(crate) sandbox: OwnedFd,
}

/// Makes a container and answers with its terminal's outer side, if it has one.
pub(crate) fn make(
    birth: &Birth<'_>,
    request: ContainerRequest,
    places: &Places,
    fds: Vec<OwnedFd>,
    hidden: &[PathBuf],
) -> Result<(), Failure> {
    // Opened while the machine's control groups are in sight.
    let groups = groups(&request.groups)?;
    let shared = CloneFlags::CLONE_NEWNET | CloneFlags::CLONE_NEWUTS | CloneFlags::CLONE_NEWIPC;
    setns(&places.sandbox, shared).map_err(step("entering the sandbox"))?;
    unshare(CloneFlags::CLONE_NEWNS).map_err(step("a mount namespace"))?;
    let root = match &request.root {
        Root::Machine => view::build(&request.disk, hidden)?,
        Root::Layers(layers) => layers::build(&request.disk, layers)?,
    };
    let taken = mounts::take(&request.mounts, &places.node)?;
    let terminals = root.join("dev/pts");
    let (outer, streams) = streams(&request.program, fds, || Terminal::open(&terminals))?;
    let belongings = Belongings { streams, groups };
    let (of, numbering) = match request.pids {
        Pids::Own => (&places.node, Numbering::FreshInside),
        Pids::Sandbox => (&places.sandbox, Numbering::Entered),
        Pids::Node => (&places.node, Numbering::Entered),
    };
    setns(of, CloneFlags::CLONE_NEWPID).map_err(step("entering the processes"))?;
    let switches = if request.switches {
        Switches::OfNetwork
    } else {
        Switches::None
    };
    let fds: Vec<_> = outer.iter().map(AsFd::as_fd).collect();
    birth.bring_up(numbering, &fds, || {
        let settled = view::enter(&root, switches).and_then(|()| {
            let own = root_mounts(request.read_only_root)?;
            mounts::attach(&taken)?;
            own.iter().try_for_each(|own| {
                match tree::set_mount_read_only(own.as_fd()) {
                    // A directory of the mount above it.
                    Err(Errno::EINVAL) => Ok(()),
                    other => other.map_err(step("making the root read-only")),
                }
            })?;
            belongings.join()?;
            // It sees itself at the root of its groups.
            unshare(CloneFlags::CLONE_NEWCGROUP).map_err(step("a view of its control groups"))
        });
        match settled {
            Ok(()) => request.program.become_it(&belongings),
            Err(failure) => failure,
        }
    })
}

/// The mounts that make up the root, if it has to be read-only: its top, and what the view of the
/// machine's files put below it. Looked up before others are attached over them.
fn root_mounts(wanted: bool) -> Result<Vec<OwnedFd>, Failure> {
    if !wanted {
        return Ok(Vec::new());
    }
    let flags = OFlag::O_PATH | OFlag::O_DIRECTORY | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC;
    let top = open("/", flags, Mode::empty()).map_err(step("opening the root"))?;
    let entries = fs::read_dir("/").map_err(|_| step("reading the root")(Errno::last()))?;
    let mut mounts = vec![top];
    for entry in entries.flatten() {
        let name = entry.file_name();
        if ["dev", "proc", "sys"].iter().any(|own| name == *own) {
            continue;
        }
        match open(&entry.path(), flags, Mode::empty()) {
            Ok(directory) => mounts.push(directory),
            Err(Errno::ENOTDIR | Errno::ELOOP) => {}
            Err(errno) => return Err(step(format!("opening {}", entry.path().display()))(errno)),
        }
    }
    Ok(mounts)
}

//! Making sandboxes, and what they leave in their node's view. Runs in a child of the factory.

use crate::factory::{Birth, Failure, Numbering, SandboxRequest, holder, step};
use crate::netlink::route::link;
use crate::netlink::socket::{Family, NetlinkError, Socket};
use crate::rights::{Capabilities, Rights};
use crate::tree;
use nix::errno::Errno;
use nix::fcntl::{OFlag, open};
use nix::mount::{MntFlags, MsFlags, mount, umount2};
use nix::sched::{CloneFlags, setns, unshare};
use nix::sys::stat::Mode;
use nix::unistd::sethostname;
use std::fs;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::path::{Path, PathBuf};

const LOOPBACK: u32 = 1;
/// As much as containerd gives a pod's shared memory.
const SHARED_MEMORY: &str = "mode=1777,size=65536k";

/// Makes a sandbox and answers with its network namespace.
pub(crate) fn make(
    birth: &Birth<'_>,
    request: &SandboxRequest,
    node: &OwnedFd,
) -> Result<(), Failure> {
    spaces(request, node)?;
    for (switch, value) in &request.switches {
        let path = Path::new("/proc/sys").join(switch);
        fs::write(&path, value).map_err(failed(format!("setting {}", switch.display())))?;
    }
    let network = open("/proc/self/ns/net", OFlag::O_CLOEXEC, Mode::empty())
        .map_err(step("opening the network namespace"))?;
    let inside = CloneFlags::CLONE_NEWNS | CloneFlags::CLONE_NEWPID | CloneFlags::CLONE_NEWCGROUP;
    setns(node, inside).map_err(step("entering the node"))?;
    let made = show(request, &network).and_then(|()| {
        let numbering = if request.shared_pids {
            Numbering::FreshInside
        } else {
            Numbering::Entered
        };
        birth.bring_up(numbering, &[network.as_fd()], || hold(birth))
    });
    if made.is_err() {
        for path in request.network_at.iter().chain(&request.memory_at) {
            // What wasn't there yet can't be taken away.
            let _ = take_away(path);
        }
    }
    made
}

fn hold(birth: &Birth<'_>) -> Failure {
    let rights = Rights {
        capabilities: Capabilities::default(),
        no_new_privileges: true,
    };
    match rights.bound().and_then(|()| rights.hold(true)) {
        Ok(()) => holder::become_holder(birth.holder().as_fd(), c"pause"),
        Err(failure) => failure,
    }
}

/// Its own namespaces, and the node's where it shares them.
fn spaces(request: &SandboxRequest, node: &OwnedFd) -> Result<(), Failure> {
    let (mut own, mut nodes) = (CloneFlags::empty(), CloneFlags::empty());
    let network = CloneFlags::CLONE_NEWNET | CloneFlags::CLONE_NEWUTS;
    *(if request.hostname.is_some() {
        &mut own
    } else {
        &mut nodes
    }) |= network;
    *(if request.node_ipc {
        &mut nodes
    } else {
        &mut own
    }) |= CloneFlags::CLONE_NEWIPC;
    if !nodes.is_empty() {
        setns(node, nodes).map_err(step("entering the node's network"))?;
    }
    unshare(own).map_err(step("the sandbox's namespaces"))?;
    if let Some(hostname) = &request.hostname {
        sethostname(hostname).map_err(step("setting the host name"))?;
        loopback().map_err(|error| Failure {
            step: "setting the loopback link up".to_owned(),
            errno: match error {
                NetlinkError::Refused { errno, .. } => errno,
                NetlinkError::Io(error) => {
                    Errno::from_raw(error.raw_os_error().unwrap_or(Errno::EIO as i32))
                }
            },
        })?;
    }
    Ok(())
}

fn loopback() -> Result<(), NetlinkError> {
    Socket::open_here(Family::Route)?.request_all(vec![link::up(LOOPBACK)])
}

fn failed(step: String) -> impl FnOnce(io::Error) -> Failure {
    move |error| Failure {
        step,
        errno: Errno::from_raw(error.raw_os_error().unwrap_or(Errno::EIO as i32)),
    }
}

/// Shows the sandbox's network and shared memory in the node's view.
fn show(request: &SandboxRequest, network: &OwnedFd) -> Result<(), Failure> {
    if let Some(path) = &request.network_at {
        let shown = path
            .parent()
            .map_or(Ok(()), fs::create_dir_all)
            .and_then(|()| fs::write(path, []));
        shown.map_err(failed(format!("making {}", path.display())))?;
        tree::copy(network.as_fd())
            .and_then(|tree| tree::attach(tree.as_fd(), path))
            .map_err(step(format!("mounting {}", path.display())))?;
    }
    if let Some(path) = &request.memory_at {
        fs::create_dir_all(path).map_err(failed(format!("making {}", path.display())))?;
        let flags = MsFlags::MS_NOSUID | MsFlags::MS_NODEV | MsFlags::MS_NOEXEC;
        mount(Some("shm"), path, Some("tmpfs"), flags, Some(SHARED_MEMORY))
            .map_err(step(format!("mounting {}", path.display())))?;
    }
    Ok(())
}

/// Takes what sandboxes showed in a node out of its view again; what isn't there is fine.
pub(crate) fn take_down(node: &OwnedFd, paths: &[PathBuf]) -> Result<(), Failure> {
    setns(node, CloneFlags::CLONE_NEWNS).map_err(step("entering the node"))?;
    paths.iter().try_for_each(|path| take_away(path))
}

fn take_away(path: &Path) -> Result<(), Failure> {
    match umount2(path, MntFlags::MNT_DETACH | MntFlags::UMOUNT_NOFOLLOW) {
        Ok(()) | Err(Errno::EINVAL | Errno::ENOENT | Errno::ENOTDIR) => {}
        Err(errno) => return Err(step(format!("unmounting {}", path.display()))(errno)),
    }
    let removed = match path.symlink_metadata() {
        Ok(metadata) if metadata.is_dir() => {
            fs::remove_dir(path).and_then(|()| path.parent().map_or(Ok(()), fs::remove_dir))
        }
        Ok(_) => fs::remove_file(path),
        Err(_) => Ok(()),
    };
    removed.map_err(failed(format!("removing {}", path.display())))
}

//! What is mounted in a container: taken where it is, before the container's root is the root; attached
//! afterwards, where no link leads out any more.

use super::{Mount, Source};
use crate::factory::{Failure, step};
use crate::tree::{self, Links};
use nix::errno::Errno;
use nix::fcntl::{OFlag, open};
use nix::mount::{MsFlags, mount};
use nix::sched::{CloneFlags, setns};
use nix::sys::stat::{Mode, SFlag, fstat};
use nix::unistd::{chroot, fchdir};
use std::fs::{self, OpenOptions};
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::path::{Path, PathBuf};

/// Something that was taken, and where it goes.
pub(super) struct Taken {
    target: PathBuf,
    read_only: bool,
    what: What,
}

enum What {
    Tree(OwnedFd),
    Memory(Option<u64>),
}

fn open_root() -> Result<OwnedFd, Failure> {
    let flags = OFlag::O_PATH | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC;
    open("/", flags, Mode::empty()).map_err(step("opening the root"))
}

/// Takes all of them, in their order.
pub(super) fn take(mounts: &[Mount], node: &OwnedFd) -> Result<Vec<Taken>, Failure> {
    let root = open_root()?;
    let mut from_lab = trees(mounts, &root, Side::Lab)?.into_iter();
    let mut from_node = if mounts.iter().any(|mount| side(&mount.source) == Side::Node) {
        as_the_node(node, &root, || trees(mounts, &open_root()?, Side::Node))?.into_iter()
    } else {
        Vec::new().into_iter()
    };
    let each = |mount: &Mount| {
        let what = match &mount.source {
            Source::Lab(_) => from_lab.next().map(What::Tree),
            Source::Node(_) => from_node.next().map(What::Tree),
            Source::Memory(size) => Some(What::Memory(*size)),
        };
        what.map(|what| Taken {
            target: mount.target.clone(),
            read_only: mount.read_only,
            what,
        })
        .ok_or_else(|| step("counting mounts")(Errno::EINVAL))
    };
    mounts.iter().map(each).collect()
}

/// Whose view a source is looked up in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Side {
    Lab,
    Node,
    Neither,
}

fn side(source: &Source) -> Side {
    match source {
        Source::Lab(_) => Side::Lab,
        Source::Node(_) => Side::Node,
        Source::Memory(_) => Side::Neither,
    }
}

/// Does something in the node's view, and comes back.
fn as_the_node<T>(
    node: &OwnedFd,
    root: &OwnedFd,
    work: impl FnOnce() -> Result<T, Failure>,
) -> Result<T, Failure> {
    let back = open("/proc/self/ns/mnt", OFlag::O_CLOEXEC, Mode::empty())
        .map_err(step("remembering the own view"))?;
    setns(node, CloneFlags::CLONE_NEWNS).map_err(step("entering the node's view"))?;
    let result = work();
    setns(&back, CloneFlags::CLONE_NEWNS).map_err(step("leaving the node's view"))?;
    fchdir(root)
        .and_then(|()| chroot("."))
        .map_err(step("going back to the own root"))?;
    result
}

/// The trees of one side's sources, in their order.
fn trees(mounts: &[Mount], root: &OwnedFd, of: Side) -> Result<Vec<OwnedFd>, Failure> {
    let chosen = mounts.iter().filter(|mount| side(&mount.source) == of);
    chosen
        .map(|mount| {
            let copy = copy(&mount.source, root)?;
            if mount.read_only {
                tree::set_tree_read_only(copy.as_fd())
                    .map_err(step(format!("making {} read-only", mount.target.display())))?;
            }
            Ok(copy)
        })
        .collect()
}

fn copy(source: &Source, root: &OwnedFd) -> Result<OwnedFd, Failure> {
    let (path, links) = match source {
        Source::Lab(path) => (path, Links::Refused),
        Source::Node(path) => (path, Links::InRoot),
        Source::Memory(_) => return Err(step("looking for memory")(Errno::EINVAL)),
    };
    tree::open_in(root.as_fd(), path, OFlag::O_PATH, 0, links)
        .and_then(|found| tree::copy(found.as_fd()))
        .map_err(step(format!("failed to mount {:?}", path.display())))
}

/// Attaches them in the calling process's root.
pub(super) fn attach(taken: &[Taken]) -> Result<(), Failure> {
    for Taken {
        target,
        read_only,
        what,
    } in taken
    {
        match what {
            What::Tree(tree) => {
                let metadata = fstat(tree).map_err(step("looking at a mount"))?;
                let format = SFlag::from_bits_truncate(metadata.st_mode) & SFlag::S_IFMT;
                prepare(target, format == SFlag::S_IFDIR)?;
                tree::attach(tree.as_fd(), target)
                    .map_err(step(format!("mounting {}", target.display())))?;
            }
            What::Memory(size) => {
                prepare(target, true)?;
                memory(target, *size, *read_only)?;
            }
        }
    }
    Ok(())
}

fn memory(target: &Path, size: Option<u64>, read_only: bool) -> Result<(), Failure> {
    let size = size.map(|size| format!(",size={size}")).unwrap_or_default();
    let options = format!("mode=777{size}");
    let mut flags = MsFlags::MS_NOSUID | MsFlags::MS_NODEV;
    if read_only {
        flags |= MsFlags::MS_RDONLY;
    }
    mount(
        Some("tmpfs"),
        target,
        Some("tmpfs"),
        flags,
        Some(options.as_str()),
    )
    .map_err(step(format!("mounting {}", target.display())))
}

/// Makes what is mounted upon, where it isn't there.
fn prepare(target: &Path, directory: bool) -> Result<(), Failure> {
    let made = if directory {
        fs::create_dir_all(target)
    } else {
        empty_file(target)
    };
    made.map_err(|error| Failure {
        step: format!("making {} to mount on", target.display()),
        errno: Errno::from_raw(error.raw_os_error().unwrap_or(Errno::EIO as i32)),
    })
}

/// A file at a path, or where a link there leads: `/etc/resolv.conf` often leads to a service's file.
fn empty_file(path: &Path) -> io::Result<()> {
    if path.exists() {
        return Ok(());
    }
    let parent = path.parent().unwrap_or(Path::new("/"));
    let file = match fs::read_link(path) {
        Ok(link) => parent.join(link),
        Err(_) => path.to_owned(),
    };
    file.parent().map_or(Ok(()), fs::create_dir_all)?;
    let mut options = OpenOptions::new();
    options.write(true).create_new(true).open(file).map(drop)
}

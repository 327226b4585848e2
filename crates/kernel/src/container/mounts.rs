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
    let from_lab = trees(mounts, &root, |source| match source {
        Source::Lab(path) => Some((path, Links::Refused)),
        _ => None,
    })?;
    let in_node = mounts
        .iter()
        .any(|mount| matches!(mount.source, Source::Node(_)));
    let from_node = if in_node {
        as_the_node(node, &root, || {
            trees(mounts, &open_root()?, |source| match source {
                Source::Node(path) => Some((path, Links::InRoot)),
                _ => None,
            })
        })?
    } else {
        Vec::new()
    };
    let (mut from_lab, mut from_node) = (from_lab.into_iter(), from_node.into_iter());
    let each = |mount: &Mount| {
        let tree = match mount.source {
            Source::Lab(_) => from_lab.next(),
            Source::Node(_) => from_node.next(),
            Source::Memory(size) => return taken(mount, What::Memory(size)),
        };
        tree.map_or_else(
            || Err(step("counting mounts")(Errno::EINVAL)),
            |tree| taken(mount, What::Tree(tree)),
        )
    };
    mounts.iter().map(each).collect()
}

fn taken(mount: &Mount, what: What) -> Result<Taken, Failure> {
    Ok(Taken {
        target: mount.target.clone(),
        read_only: mount.read_only,
        what,
    })
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

fn trees<'a>(
    mounts: &'a [Mount],
    root: &OwnedFd,
    choose: impl Fn(&'a Source) -> Option<(&'a PathBuf, Links)>,
) -> Result<Vec<OwnedFd>, Failure> {
    let chosen = mounts
        .iter()
        .filter_map(|mount| choose(&mount.source).map(|path| (mount, path)));
    chosen
        .map(|(mount, (path, links))| {
            let found = tree::open_in(root.as_fd(), path, OFlag::O_PATH, 0, links);
            let copy = found.and_then(|found| tree::copy(found.as_fd()));
            let copy = copy.map_err(step(format!("failed to mount {:?}", path.display())))?;
            if mount.read_only {
                tree::set_tree_read_only(copy.as_fd())
                    .map_err(step(format!("making {} read-only", mount.target.display())))?;
            }
            Ok(copy)
        })
        .collect()
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
        let parent = target.parent().map_or(Ok(()), fs::create_dir_all);
        parent.and_then(|()| {
            let exists = target.symlink_metadata().is_ok();
            let mut options = OpenOptions::new();
            let options = options.write(true).create_new(true);
            if exists {
                Ok(())
            } else {
                options.open(target).map(drop)
            }
        })
    };
    made.map_err(|error| Failure {
        step: format!("making {} to mount on", target.display()),
        errno: Errno::from_raw(error.raw_os_error().unwrap_or(Errno::EIO as i32)),
    })
}

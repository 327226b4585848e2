//! Mount trees by descriptor: taken in one view, attached in another, and paths looked up in a root
//! without leaving it.

use nix::errno::Errno;
use nix::fcntl::OFlag;
use nix::sys::stat::{Mode, mkdirat};
use std::ffi::CString;
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};
use std::os::unix::ffi::OsStrExt;
use std::path::{Component, Path, PathBuf};

/// `OPEN_TREE_CLONE`, `MOVE_MOUNT_F_EMPTY_PATH`, `MOVE_MOUNT_T_SYMLINKS`, `MOUNT_ATTR_RDONLY`, as
/// linux/mount.h has them.
const CLONE: libc::c_int = 1;
const FROM_DESCRIPTOR: libc::c_int = 0x4;
const FOLLOW: libc::c_int = 0x10;
const READ_ONLY: u64 = 1;
/// `AT_RECURSIVE`.
const WITH_ALL_BELOW: libc::c_int = 0x8000;

/// `struct mount_attr`.
#[repr(C)]
struct Attributes {
    set: u64,
    clear: u64,
    propagation: u64,
    namespace: u64,
}

/// How a path is looked up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Links {
    /// Links lead on, below the root that the path is looked up in.
    InRoot,
    /// A link is refused.
    Refused,
}

fn text(path: &Path) -> Result<CString, Errno> {
    CString::new(path.as_os_str().as_bytes()).map_err(|_| Errno::EINVAL)
}

fn owned(result: libc::c_long) -> Result<OwnedFd, Errno> {
    // SAFETY: callers pass what a system call that opens descriptors gave them; it is theirs alone.
    #[allow(unsafe_code)]
    Errno::result(result).map(|fd| unsafe { OwnedFd::from_raw_fd(fd as RawFd) })
}

/// Opens a path in a root, and never leaves it by a link. Links that only the kernel makes (those of
/// `/proc`) are refused.
pub(crate) fn open_in(
    root: BorrowedFd<'_>,
    path: &Path,
    flags: OFlag,
    mode: u32,
    links: Links,
) -> Result<OwnedFd, Errno> {
    let path = text(path)?;
    // SAFETY: all zeros is a valid value of the structure, whose fields are numbers.
    #[allow(unsafe_code)]
    let mut how: libc::open_how = unsafe { std::mem::zeroed() };
    how.flags = u64::from((flags | OFlag::O_CLOEXEC).bits() as u32);
    how.mode = u64::from(mode);
    how.resolve = libc::RESOLVE_NO_MAGICLINKS
        | match links {
            Links::InRoot => libc::RESOLVE_IN_ROOT,
            Links::Refused => libc::RESOLVE_NO_SYMLINKS,
        };
    loop {
        // SAFETY: the path and the structure outlive the call, and the size is the structure's.
        #[allow(unsafe_code)]
        let opened = unsafe {
            libc::syscall(
                libc::SYS_openat2,
                root.as_raw_fd(),
                path.as_ptr(),
                &raw const how,
                size_of::<libc::open_how>(),
            )
        };
        match owned(opened) {
            // Something was renamed meanwhile.
            Err(Errno::EAGAIN) => {}
            other => return other,
        }
    }
}

/// Makes a directory in a root, and those on the way to it, with mode 0755; no link leaves the root.
pub(crate) fn make_directories(root: BorrowedFd<'_>, path: &Path) -> Result<(), Errno> {
    let directory = OFlag::O_PATH | OFlag::O_DIRECTORY;
    let mut made = PathBuf::from("/");
    for part in path.components() {
        let Component::Normal(name) = part else {
            continue;
        };
        let parent = open_in(root, &made, directory, 0, Links::InRoot)?;
        made.push(name);
        match open_in(root, &made, directory, 0, Links::InRoot) {
            Err(Errno::ENOENT) => match mkdirat(&parent, name, Mode::from_bits_truncate(0o755)) {
                Ok(()) | Err(Errno::EEXIST) => {}
                Err(errno) => return Err(errno),
            },
            other => drop(other?),
        }
    }
    Ok(())
}

/// A copy of what is mounted at a descriptor, with all below it, attached nowhere.
pub(crate) fn copy(of: BorrowedFd<'_>) -> Result<OwnedFd, Errno> {
    let flags = CLONE | WITH_ALL_BELOW | libc::AT_EMPTY_PATH | libc::O_CLOEXEC;
    // SAFETY: the path is an empty C string.
    #[allow(unsafe_code)]
    let opened = unsafe { libc::syscall(libc::SYS_open_tree, of.as_raw_fd(), c"".as_ptr(), flags) };
    owned(opened)
}

/// Attaches a tree; links in the target lead on.
pub(crate) fn attach(tree: BorrowedFd<'_>, target: &Path) -> Result<(), Errno> {
    let target = text(target)?;
    // SAFETY: both paths are C strings that outlive the call.
    #[allow(unsafe_code)]
    let result = unsafe {
        libc::syscall(
            libc::SYS_move_mount,
            tree.as_raw_fd(),
            c"".as_ptr(),
            libc::AT_FDCWD,
            target.as_ptr(),
            FROM_DESCRIPTOR | FOLLOW,
        )
    };
    Errno::result(result).map(drop)
}

/// Makes the mount at a path read-only, whatever else it is.
pub(crate) fn set_read_only(path: &Path) -> Result<(), Errno> {
    let path = text(path)?;
    set(libc::AT_FDCWD, &path, 0)
}

/// Makes the mount at a descriptor read-only, and nothing below it. EINVAL where none begins there.
pub(crate) fn set_mount_read_only(mount: BorrowedFd<'_>) -> Result<(), Errno> {
    set(mount.as_raw_fd(), c"", libc::AT_EMPTY_PATH)
}

/// Makes a tree that is attached nowhere read-only, with all below it.
pub(crate) fn set_tree_read_only(tree: BorrowedFd<'_>) -> Result<(), Errno> {
    let flags = libc::AT_EMPTY_PATH | WITH_ALL_BELOW;
    set(tree.as_raw_fd(), c"", flags)
}

fn set(at: RawFd, path: &std::ffi::CStr, flags: libc::c_int) -> Result<(), Errno> {
    let attributes = Attributes {
        set: READ_ONLY,
        clear: 0,
        propagation: 0,
        namespace: 0,
    };
    // SAFETY: the path and the structure outlive the call, and the size is the structure's.
    #[allow(unsafe_code)]
    let result = unsafe {
        libc::syscall(
            libc::SYS_mount_setattr,
            at,
            path.as_ptr(),
            flags,
            &raw const attributes,
            size_of::<Attributes>(),
        )
    };
    Errno::result(result).map(drop)
}

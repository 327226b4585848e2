//! Memory as directories of the lab's own.

use nix::errno::Errno;
use nix::mount::{MntFlags, MsFlags, mount, umount2};
use std::io;
use std::path::Path;

/// Mounts an empty file system in memory, of so many bytes at most, that everybody may write to. Only
/// the lab's own process may do that; containers that are made afterwards can have it mounted.
///
/// # Errors
/// The directory isn't there, or the caller is no lab.
pub fn mount_memory(at: &Path, size: u64) -> io::Result<()> {
    let options = format!("mode=777,size={size}");
    let flags = MsFlags::MS_NOSUID | MsFlags::MS_NODEV;
    let kind = Some("tmpfs");
    Ok(mount(kind, at, kind, flags, Some(options.as_str()))?)
}

/// Takes what is mounted at a directory away; containers that have it keep it. Where nothing is mounted,
/// or nothing is at all, nothing is done.
///
/// # Errors
/// It can't be taken away.
pub fn unmount(at: &Path) -> io::Result<()> {
    match umount2(at, MntFlags::MNT_DETACH | MntFlags::UMOUNT_NOFOLLOW) {
        Ok(()) | Err(Errno::EINVAL | Errno::ENOENT) => Ok(()),
        Err(errno) => Err(errno.into()),
    }
}

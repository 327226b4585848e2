//! Whose the files of a volume are.
//! <https://kubernetes.io/docs/tasks/configure-pod-container/security-context/#configure-volume-permission-and-ownership-change-policy-for-pods>

use std::fs::{self, Permissions};
use std::io;
use std::os::unix::fs::{MetadataExt, PermissionsExt, lchown};
use std::path::Path;

/// Makes a directory, and those above it, with a mode whatever the process's umask says.
pub(super) fn make_directory(path: &Path, mode: u32) -> io::Result<()> {
    fs::create_dir_all(path)?;
    fs::set_permissions(path, Permissions::from_mode(mode))
}

/// Gives a volume's files to a group, which then may read them, and write them unless that is
/// forbidden; what is made in its directories later is the group's too. Links are left as they
/// are.
pub(super) fn give(root: &Path, group: u32, read_only: bool) -> Result<(), String> {
    give_all(root, group, read_only)
        .map_err(|(path, error)| format!("applyFSGroup failed for vol: lchown {path}: {error}"))
}

fn give_all(path: &Path, group: u32, read_only: bool) -> Result<(), (String, io::Error)> {
    let at = |error| (path.display().to_string(), error);
    let metadata = path.symlink_metadata().map_err(at)?;
    if metadata.gid() != group {
        lchown(path, None, Some(group)).map_err(at)?;
    }
    if metadata.is_symlink() {
        return Ok(());
    }
    let more = match (metadata.is_dir(), read_only) {
        (true, true) => 0o2550,
        (true, false) => 0o2770,
        (false, true) => 0o440,
        (false, false) => 0o660,
    };
    let mode = Permissions::from_mode(metadata.mode() & 0o7777 | more);
    fs::set_permissions(path, mode).map_err(at)?;
    if metadata.is_dir() {
        for entry in fs::read_dir(path).map_err(at)? {
            give_all(&entry.map_err(at)?.path(), group, read_only)?;
        }
    }
    Ok(())
}

//! Parts of volumes (`subPath`). Programs may have put links into a volume; none of them is followed.

use crate::container::Part;
use crate::place::NodeFiles;
use cri::MountSource;
use nix::errno::Errno;
use nix::fcntl::{OFlag, open, openat};
use nix::sys::stat::{Mode, mkdirat};
use std::ffi::OsStr;
use std::fs;
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::fs::PermissionsExt;
use std::path::{Component, Path, PathBuf};

/// Where a part is; a directory is made where nothing is. Blocks.
pub(crate) fn find(part: &Part, files: &dyn NodeFiles) -> Result<MountSource, String> {
    let told = |error: io::Error| {
        format!(
            "failed to create subPath directory for volumeMount {:?}: {error}",
            part.below
        )
    };
    match &part.root {
        MountSource::Kubelet(root) if part.ours => resolved(root, &part.below)
            .map(MountSource::Kubelet)
            .map_err(told),
        MountSource::Kubelet(root) => {
            make(root, &part.below).map_err(told)?;
            Ok(MountSource::Kubelet(root.join(&part.below)))
        }
        MountSource::Node(root) => {
            let path = root.join(&part.below);
            if files.kind(&path).map_err(told)?.is_none() {
                files.make_directory(&path).map_err(told)?;
            }
            Ok(MountSource::Node(path))
        }
        MountSource::Memory(size) => Ok(MountSource::Memory(*size)),
    }
}

/// Where a file of the kubelet's own really is.
fn resolved(root: &Path, below: &Path) -> io::Result<PathBuf> {
    let (root, path) = (root.canonicalize()?, root.join(below).canonicalize()?);
    if path.starts_with(&root) {
        return Ok(path);
    }
    Err(io::Error::other("it leads out of its volume"))
}

/// Makes directories below one, step by step and with no step over a link.
fn make(root: &Path, below: &Path) -> io::Result<()> {
    let mode = fs::metadata(root)?.permissions().mode() & 0o7777;
    let mode = Mode::from_bits_truncate(mode);
    let steps = OFlag::O_DIRECTORY | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC;
    let mut at = open(root, steps, Mode::empty())?;
    let names: Vec<&OsStr> = below
        .components()
        .filter_map(|part| match part {
            Component::Normal(name) => Some(name),
            _ => None,
        })
        .collect();
    for (index, name) in names.iter().enumerate() {
        match openat(&at, *name, steps, Mode::empty()) {
            Ok(next) => at = next,
            Err(Errno::ENOENT) => {
                mkdirat(&at, *name, mode)?;
                at = openat(&at, *name, steps, Mode::empty())?;
            }
            // The last step may be a file.
            Err(Errno::ENOTDIR) if index + 1 == names.len() => return file(&at, name),
            Err(error) => return Err(error.into()),
        }
    }
    Ok(())
}

/// Whether a name is that of a file, and no link.
fn file(folder: &OwnedFd, name: &OsStr) -> io::Result<()> {
    let flags = OFlag::O_PATH | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC;
    let found = fs::File::from(openat(folder, name, flags, Mode::empty())?);
    if found.metadata()?.is_symlink() {
        return Err(Errno::ELOOP.into());
    }
    Ok(())
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use std::os::unix::fs::symlink;

    /// OPS-SAFE: a link in a volume doesn't lead the kubelet out of it.
    #[test]
    fn links_are_not_followed() {
        let base = std::env::temp_dir().join(format!("skylab-kubelet-part-{}", std::process::id()));
        let _ = fs::remove_dir_all(&base);
        let (volume, outside) = (base.join("volume"), base.join("outside"));
        fs::create_dir_all(&volume).unwrap();
        fs::create_dir_all(&outside).unwrap();
        symlink(&outside, volume.join("out")).unwrap();
        fs::write(volume.join("file"), "").unwrap();
        symlink("file", volume.join("link")).unwrap();
        for (below, fine) in [
            ("a/b", true),
            ("a/b", true),
            ("file", true),
            ("./a", true),
            ("out", false),
            ("out/x", false),
            ("link", false),
            ("file/x", false),
        ] {
            assert_eq!(make(&volume, Path::new(below)).is_ok(), fine, "{below}");
        }
        assert!(volume.join("a/b").is_dir());
        assert!(!outside.join("x").exists());
        assert_eq!(
            resolved(&volume, Path::new("link")).unwrap(),
            volume.canonicalize().unwrap().join("file")
        );
        assert!(resolved(&volume, Path::new("out")).is_err());
        fs::remove_dir_all(&base).unwrap();
    }
}

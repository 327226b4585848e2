//! Files that change as one: they lie in a directory of their own to which a link points, and a new
//! link takes the place of the old one.
//!
//! The layout is upstream's, so that programs which watch for it find it: `..2024_02_29_12_00_00.0123`
//! with the files, `..data` that points there, and a link `..data/name` for each of them.

use super::ownership;
use super::payload::File;
use crate::clock;
use std::collections::BTreeSet;
use std::fs::{self, Permissions};
use std::io;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Component, Path, PathBuf};
use std::time::SystemTime;

const DATA: &str = "..data";
const NEW_DATA: &str = "..data_tmp";

/// Writes files into a volume, unless they are there as they should be. Blocks.
pub(super) fn write(volume: &Path, files: &[File], group: Option<u32>) -> io::Result<()> {
    ownership::make_directory(volume, 0o755)?;
    let old = fs::read_link(volume.join(DATA)).ok();
    if let Some(old) = &old
        && same(&volume.join(old), files)?
    {
        return Ok(());
    }
    let new = volume.join(version(SystemTime::now()));
    for file in files {
        put(&new, file)?;
    }
    ownership::make_directory(&new, 0o755)?;
    if let Some(group) = group {
        ownership::give(&new, group, true).map_err(io::Error::other)?;
    }
    let name = new.file_name().unwrap_or_default();
    let _ = fs::remove_file(volume.join(NEW_DATA));
    symlink(name, volume.join(NEW_DATA))?;
    fs::rename(volume.join(NEW_DATA), volume.join(DATA))?;
    relink(volume, files)?;
    match old {
        Some(old) => fs::remove_dir_all(volume.join(old)),
        None => Ok(()),
    }
}

/// A name for a directory with files.
fn version(now: SystemTime) -> String {
    let now_in_words = clock::rfc3339(now);
    let date = now_in_words
        .trim_end_matches('Z')
        .replace(['-', 'T', ':'], "_");
    let nanos = now
        .duration_since(SystemTime::UNIX_EPOCH)
        .unwrap_or_default()
        .subsec_nanos();
    format!("..{date}.{nanos:09}")
}

/// A file's path in a volume. The API refuses others; a kubelet doesn't rely on that.
fn inside(path: &str) -> io::Result<PathBuf> {
    let path = PathBuf::from(path);
    let plain = |part| matches!(part, Component::Normal(_));
    if path.components().all(plain) && path.components().next().is_some() {
        Ok(path)
    } else {
        let why = format!("{}: no path inside a volume", path.display());
        Err(io::Error::other(why))
    }
}

fn put(root: &Path, file: &File) -> io::Result<()> {
    let path = root.join(inside(&file.path)?);
    if let Some(above) = path.parent() {
        fs::create_dir_all(above)?;
    }
    fs::write(&path, &file.data)?;
    fs::set_permissions(&path, Permissions::from_mode(file.mode))
}

/// Whether a directory holds these files and no others.
fn same(root: &Path, files: &[File]) -> io::Result<bool> {
    let mut there = BTreeSet::new();
    list(root, root, &mut there)?;
    let wanted: BTreeSet<PathBuf> = files
        .iter()
        .map(|file| inside(&file.path))
        .collect::<io::Result<_>>()?;
    if there != wanted {
        return Ok(false);
    }
    for file in files {
        if fs::read(root.join(&file.path))? != file.data {
            return Ok(false);
        }
    }
    Ok(true)
}

fn list(root: &Path, folder: &Path, found: &mut BTreeSet<PathBuf>) -> io::Result<()> {
    let entries = match fs::read_dir(folder) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        other => other?,
    };
    for entry in entries {
        let path = entry?.path();
        if path.is_dir() {
            list(root, &path, found)?;
        } else if let Ok(below) = path.strip_prefix(root) {
            found.insert(below.to_owned());
        }
    }
    Ok(())
}

/// A link for the first part of each file's path; others are taken away.
fn relink(volume: &Path, files: &[File]) -> io::Result<()> {
    let mut wanted = BTreeSet::new();
    for file in files {
        let path = inside(&file.path)?;
        if let Some(Component::Normal(first)) = path.components().next() {
            wanted.insert(first.to_owned());
        }
    }
    for entry in fs::read_dir(volume)? {
        let name = entry?.file_name();
        let ours = name.to_string_lossy().starts_with("..");
        if !ours && !wanted.contains(&name) {
            fs::remove_file(volume.join(name))?;
        }
    }
    for name in wanted {
        let link = volume.join(&name);
        if link.symlink_metadata().is_err() {
            symlink(Path::new(DATA).join(&name), link)?;
        }
    }
    Ok(())
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn file(path: &str, data: &str) -> File {
        File {
            path: path.into(),
            data: data.into(),
            mode: 0o640,
        }
    }

    struct Folder(PathBuf);

    impl Folder {
        fn new(name: &str) -> Self {
            let name = format!("skylab-kubelet-{name}-{}", std::process::id());
            let path = std::env::temp_dir().join(name);
            let _ = fs::remove_dir_all(&path);
            Self(path)
        }

        fn names(&self) -> Vec<String> {
            let entries = fs::read_dir(&self.0).unwrap();
            let mut names: Vec<String> = entries
                .map(|entry| entry.unwrap().file_name().into_string().unwrap())
                .collect();
            names.sort();
            names
        }
    }

    impl Drop for Folder {
        fn drop(&mut self) {
            let _ = fs::remove_dir_all(&self.0);
        }
    }

    /// K8S-RUN: a config map's files change as one, in upstream's layout.
    #[test]
    fn files_change_as_one() {
        let folder = Folder::new("atomic");
        write(&folder.0, &[file("a", "1"), file("d/b", "2")], None).unwrap();
        assert_eq!(fs::read_to_string(folder.0.join("d/b")).unwrap(), "2");
        let mode = fs::metadata(folder.0.join("a"))
            .unwrap()
            .permissions()
            .mode();
        assert_eq!(mode & 0o777, 0o640);
        assert_eq!(
            fs::read_link(folder.0.join("a")).unwrap(),
            Path::new("..data/a")
        );
        let before = fs::read_link(folder.0.join(DATA)).unwrap();
        write(&folder.0, &[file("a", "1"), file("d/b", "2")], None).unwrap();
        assert_eq!(
            fs::read_link(folder.0.join(DATA)).unwrap(),
            before,
            "nothing changed"
        );
        write(&folder.0, &[file("a", "3"), file("c", "4")], None).unwrap();
        assert_eq!(fs::read_to_string(folder.0.join("a")).unwrap(), "3");
        let names = folder.names();
        assert_eq!(names.len(), 4, "{names:?}");
        assert_eq!(names[1..], ["..data", "a", "c"]);
        write(&folder.0, &[], None).unwrap();
        assert_eq!(folder.names().len(), 2);
    }

    /// OPS-SAFE: no file leaves its volume.
    #[test]
    fn files_stay_inside() {
        let folder = Folder::new("inside");
        let volume = folder.0.join("volume");
        for path in ["../x", "/x", "", "a/../../x"] {
            assert!(write(&volume, &[file(path, "")], None).is_err(), "{path}");
        }
        assert_eq!(folder.names(), ["volume"]);
    }

    #[test]
    fn a_group_may_read() {
        let folder = Folder::new("group");
        fs::create_dir_all(&folder.0).unwrap();
        use std::os::unix::fs::MetadataExt;
        let own = fs::metadata(&folder.0).unwrap().gid();
        write(&folder.0, &[file("a", "1")], Some(own)).unwrap();
        let mode = fs::metadata(folder.0.join("a")).unwrap().mode();
        assert_eq!(mode & 0o777, 0o640);
        ownership::give(&folder.0, own, false).unwrap();
        let mode = fs::metadata(&folder.0).unwrap().mode();
        assert_eq!(mode & 0o7770, 0o2770);
    }
}

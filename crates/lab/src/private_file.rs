//! Files that only their user may read, written whole or not at all.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

/// A file of mode 0600 that is being written beside the place where it will be. Dropping it takes it
/// away; a crash leaves the old file.
#[derive(Debug)]
pub struct Draft {
    path: PathBuf,
    temporary: PathBuf,
    file: File,
    kept: bool,
}

impl Draft {
    /// Begins a file.
    ///
    /// # Errors
    /// What is at the path is no plain file, or what the kernel says.
    pub fn begin(path: &Path) -> io::Result<Self> {
        match fs::symlink_metadata(path) {
            // A device or a pipe would be replaced by a file, a link's target would not be.
            Ok(there) if !there.is_file() => {
                let message = format!("{} is there and no plain file", path.display());
                return Err(io::Error::new(io::ErrorKind::AlreadyExists, message));
            }
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        let mut temporary = path.as_os_str().to_owned();
        temporary.push(format!(".new-{}", std::process::id()));
        let temporary = PathBuf::from(temporary);
        // One of a process that had this number and died.
        match fs::remove_file(&temporary) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        let file = OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(&temporary)?;
        Ok(Self {
            path: path.to_owned(),
            temporary,
            file,
            kept: false,
        })
    }

    /// The file, to be written to.
    pub fn file(&mut self) -> &mut File {
        &mut self.file
    }

    /// Puts the file in its place; when this returns it survives a crash.
    ///
    /// # Errors
    /// What the kernel says.
    pub fn keep(mut self) -> io::Result<()> {
        self.file.sync_all()?;
        fs::rename(&self.temporary, &self.path)?;
        self.kept = true;
        sync_directory(&self.path)
    }
}

impl Drop for Draft {
    fn drop(&mut self) {
        if !self.kept {
            // It may be gone.
            let _ = fs::remove_file(&self.temporary);
        }
    }
}

/// Makes it survive a crash that a file has come to its place, or gone from it.
///
/// # Errors
/// What the kernel says.
pub(crate) fn sync_directory(path: &Path) -> io::Result<()> {
    let directory = match path.parent() {
        Some(parent) if parent.as_os_str().is_empty() => Path::new("."),
        Some(parent) => parent,
        None => return Err(io::ErrorKind::InvalidInput.into()),
    };
    File::open(directory)?.sync_all()
}

/// Writes a file of mode 0600 so that a crash leaves the old one or the new one, never half of it.
///
/// # Errors
/// What the kernel says.
pub(crate) fn write(path: &Path, contents: &[u8]) -> io::Result<()> {
    let mut draft = Draft::begin(path)?;
    draft.file().write_all(contents)?;
    draft.keep()
}

/// Reads a file; `None` when there is none.
///
/// # Errors
/// What the kernel says.
pub(crate) fn read(path: &Path) -> io::Result<Option<Vec<u8>>> {
    match fs::read(path) {
        Ok(contents) => Ok(Some(contents)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn a_draft_is_kept_whole_or_leaves_nothing() {
        let directory = std::env::temp_dir().join(format!("skylab-draft-{}", std::process::id()));
        fs::create_dir(&directory).unwrap();
        let path = directory.join("file");
        write(&path, b"old").unwrap();
        let mut draft = Draft::begin(&path).unwrap();
        draft.file().write_all(b"half").unwrap();
        drop(draft);
        assert_eq!(read(&path).unwrap().unwrap(), b"old");
        write(&path, b"new").unwrap();
        assert_eq!(read(&path).unwrap().unwrap(), b"new");
        assert_eq!(path.metadata().unwrap().permissions().mode() & 0o777, 0o600);
        assert!(Draft::begin(&directory).is_err());
        assert_eq!(fs::read_dir(&directory).unwrap().count(), 1);
        fs::remove_dir_all(&directory).unwrap();
    }
}

//! Files of the node.
//! <https://kubernetes.io/docs/concepts/storage/volumes/#hostpath>

use crate::place::{FileKind, NodeFiles};
use crate::pod::HostPath;
use std::path::PathBuf;

/// Checks that a path is what its volume says, or makes it so. Blocks.
pub(super) fn check(files: &dyn NodeFiles, source: &HostPath) -> Result<PathBuf, String> {
    let path = PathBuf::from(&source.path);
    let failed = |error: std::io::Error| format!("{}: {error}", source.path);
    let found = files.kind(&path).map_err(failed)?;
    let wanted = match (source.kind.as_str(), found) {
        // The runtime of a real node makes a directory where nothing is.
        ("" | "DirectoryOrCreate", None) => {
            files.make_directory(&path).map_err(failed)?;
            return Ok(path);
        }
        ("FileOrCreate", None) => {
            files.make_file(&path).map_err(failed)?;
            return Ok(path);
        }
        ("", Some(_)) => return Ok(path),
        ("Directory" | "DirectoryOrCreate", _) => FileKind::Directory,
        ("File" | "FileOrCreate", _) => FileKind::File,
        ("Socket", _) => FileKind::Socket,
        ("CharDevice", _) => FileKind::CharacterDevice,
        ("BlockDevice", _) => FileKind::BlockDevice,
        (other, _) => return Err(format!("{other} is an invalid volume type")),
    };
    if found == Some(wanted) {
        return Ok(path);
    }
    let name = match wanted {
        FileKind::Directory => "a directory",
        FileKind::File | FileKind::Other => "a file",
        FileKind::Socket => "a socket file",
        FileKind::CharacterDevice => "a character device",
        FileKind::BlockDevice => "a block device",
    };
    Err(format!(
        "hostPath type check failed: {} is not {name}",
        source.path
    ))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use std::io;
    use std::path::Path;
    use std::sync::Mutex;

    #[derive(Default)]
    struct Files(Mutex<Vec<(PathBuf, FileKind)>>);

    impl NodeFiles for Files {
        fn kind(&self, path: &Path) -> io::Result<Option<FileKind>> {
            let files = self.0.lock().unwrap();
            Ok(files
                .iter()
                .find(|(at, _)| at == path)
                .map(|(_, kind)| *kind))
        }

        fn make_directory(&self, path: &Path) -> io::Result<()> {
            self.0
                .lock()
                .unwrap()
                .push((path.into(), FileKind::Directory));
            Ok(())
        }

        fn make_file(&self, path: &Path) -> io::Result<()> {
            self.0.lock().unwrap().push((path.into(), FileKind::File));
            Ok(())
        }

        fn read(&self, _: &Path) -> io::Result<Vec<u8>> {
            Ok(Vec::new())
        }
    }

    /// K8S-RUN: the documented types of `hostPath`.
    #[test]
    fn types_are_checked() {
        let files = Files::default();
        files.make_directory(Path::new("/d")).unwrap();
        files.make_file(Path::new("/f")).unwrap();
        let check = |path: &str, kind: &str| {
            let source = HostPath {
                path: path.into(),
                kind: kind.into(),
            };
            super::check(&files, &source).map(drop)
        };
        for (path, kind) in [
            ("/d", ""),
            ("/d", "Directory"),
            ("/f", "File"),
            ("/d", "DirectoryOrCreate"),
        ] {
            assert_eq!(check(path, kind), Ok(()), "{path} {kind}");
        }
        for (path, kind, why) in [
            ("/f", "Directory", "/f is not a directory"),
            ("/d", "File", "/d is not a file"),
            ("/none", "Directory", "/none is not a directory"),
            ("/f", "Socket", "/f is not a socket file"),
            ("/f", "CharDevice", "/f is not a character device"),
        ] {
            let why = format!("hostPath type check failed: {why}");
            assert_eq!(check(path, kind), Err(why), "{path} {kind}");
        }
        check("/new", "DirectoryOrCreate").unwrap();
        assert_eq!(
            files.kind(Path::new("/new")).unwrap(),
            Some(FileKind::Directory)
        );
        check("/new-file", "FileOrCreate").unwrap();
        assert_eq!(
            files.kind(Path::new("/new-file")).unwrap(),
            Some(FileKind::File)
        );
    }
}

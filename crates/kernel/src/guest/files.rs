//! A guest's files, from the lab's side: looked up in the guest's own root, which no link leaves.

use crate::tree::{Links, make_directories, open_in};
use nix::errno::Errno;
use nix::fcntl::OFlag;
use nix::sys::stat::{FileStat, Mode, SFlag, fchmod, fstat};
use std::ffi::OsString;
use std::fs::File;
use std::io::{self, Read, Write};
use std::os::fd::{BorrowedFd, OwnedFd};
use std::path::{Path, PathBuf};

/// The files of a guest.
#[derive(Clone, Copy, Debug)]
pub struct GuestFiles<'a> {
    root: BorrowedFd<'a>,
}

/// What a path must be, or be made: the types of Kubernetes' `hostPath` volumes.
/// <https://kubernetes.io/docs/concepts/storage/volumes/#hostpath>
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PathKind {
    /// Anything; what isn't there is made a directory, as runtimes do.
    Any,
    /// A directory.
    Directory,
    /// A directory, made with mode 0755 where there is nothing.
    DirectoryOrCreate,
    /// A file.
    File,
    /// A file, made with mode 0644 where there is nothing; its directory must be there.
    FileOrCreate,
    /// A Unix socket.
    Socket,
    /// A character device.
    CharDevice,
    /// A block device.
    BlockDevice,
}

/// A path that isn't what it must be. The words are kubelet's.
#[derive(Debug, thiserror::Error)]
pub enum PathError {
    /// It is something else, or nothing.
    #[error("hostPath type check failed: {} is not a {kind}", path.display())]
    Kind {
        /// The path.
        path: PathBuf,
        /// What it should be.
        kind: &'static str,
    },
    /// The system refuses.
    #[error("{}: {source}", path.display())]
    Io {
        /// The path.
        path: PathBuf,
        /// What it said.
        source: io::Error,
    },
}

impl PathKind {
    fn mask(self) -> Option<SFlag> {
        match self {
            Self::Any => None,
            Self::Directory | Self::DirectoryOrCreate => Some(SFlag::S_IFDIR),
            Self::File | Self::FileOrCreate => Some(SFlag::S_IFREG),
            Self::Socket => Some(SFlag::S_IFSOCK),
            Self::CharDevice => Some(SFlag::S_IFCHR),
            Self::BlockDevice => Some(SFlag::S_IFBLK),
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::Any => "path",
            Self::Directory | Self::DirectoryOrCreate => "directory",
            Self::File | Self::FileOrCreate => "file",
            Self::Socket => "socket file",
            Self::CharDevice => "character device",
            Self::BlockDevice => "block device",
        }
    }
}

fn format(stat: &FileStat) -> SFlag {
    SFlag::from_bits_truncate(stat.st_mode) & SFlag::S_IFMT
}

impl<'a> GuestFiles<'a> {
    pub(super) fn new(root: BorrowedFd<'a>) -> Self {
        Self { root }
    }

    fn open(&self, path: &Path, flags: OFlag, mode: u32) -> Result<OwnedFd, Errno> {
        open_in(self.root, path, flags, mode, Links::InRoot)
    }

    /// What is in a regular file.
    ///
    /// # Errors
    /// There is none, or it can't be read.
    pub fn read(&self, path: &Path) -> io::Result<Vec<u8>> {
        // A pipe that somebody put there must not hold the caller up.
        let opened = self.open(path, OFlag::O_RDONLY | OFlag::O_NONBLOCK, 0)?;
        if format(&fstat(&opened)?) != SFlag::S_IFREG {
            return Err(io::ErrorKind::InvalidInput.into());
        }
        let mut contents = Vec::new();
        File::from(opened).read_to_end(&mut contents)?;
        Ok(contents)
    }

    /// The names in a directory, in order.
    ///
    /// # Errors
    /// There is none, or it can't be read.
    pub fn list(&self, path: &Path) -> io::Result<Vec<OsString>> {
        let opened = self.open(path, OFlag::O_RDONLY | OFlag::O_DIRECTORY, 0)?;
        let mut directory = nix::dir::Dir::from_fd(opened)?;
        let mut names = Vec::new();
        for entry in directory.iter() {
            use std::os::unix::ffi::OsStringExt;
            let name = entry?.file_name().to_bytes().to_vec();
            if name != b"." && name != b".." {
                names.push(OsString::from_vec(name));
            }
        }
        names.sort();
        Ok(names)
    }

    /// Writes a file in place of the one there may be; makes directories on the way.
    ///
    /// # Errors
    /// The guest's disk refuses.
    pub fn write(&self, path: &Path, contents: &[u8], mode: u32) -> io::Result<()> {
        if let Some(parent) = path.parent() {
            make_directories(self.root, parent)?;
        }
        let flags = OFlag::O_WRONLY | OFlag::O_CREAT | OFlag::O_TRUNC | OFlag::O_NONBLOCK;
        let opened = self.open(path, flags, mode)?;
        fchmod(&opened, Mode::from_bits_truncate(mode))?;
        File::from(opened).write_all(contents)
    }

    /// Sees to it that a path is what it must be.
    ///
    /// # Errors
    /// It is something else, or can't be made.
    pub fn ensure(&self, path: &Path, kind: PathKind) -> Result<(), PathError> {
        let failed = |errno: Errno| PathError::Io {
            path: path.to_owned(),
            source: errno.into(),
        };
        match (self.open(path, OFlag::O_PATH, 0), kind) {
            (Ok(found), kind) => {
                let format = format(&fstat(&found).map_err(failed)?);
                match kind.mask() {
                    Some(wanted) if wanted != format => Err(PathError::Kind {
                        path: path.to_owned(),
                        kind: kind.name(),
                    }),
                    _ => Ok(()),
                }
            }
            (Err(Errno::ENOENT), PathKind::Any | PathKind::DirectoryOrCreate) => {
                make_directories(self.root, path).map_err(failed)
            }
            (Err(Errno::ENOENT), PathKind::FileOrCreate) => {
                let flags = OFlag::O_WRONLY | OFlag::O_CREAT | OFlag::O_NONBLOCK;
                self.open(path, flags, 0o644).map(drop).map_err(failed)
            }
            (Err(Errno::ENOENT | Errno::ENOTDIR), _) => Err(PathError::Kind {
                path: path.to_owned(),
                kind: kind.name(),
            }),
            (Err(errno), _) => Err(failed(errno)),
        }
    }
}

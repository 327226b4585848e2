//! Owners, permissions, times and extended attributes.

use crate::tar::{Entry, Time};
use rustix::fs::{
    AtFlags, Gid, Mode, Timespec, Timestamps, Uid, XattrFlags, chmodat, chownat, fchmod, fchown,
    fsetxattr, futimens, utimensat,
};
use rustix::io::Errno;
use std::ffi::{OsStr, OsString};
use std::fs::Metadata;
use std::os::fd::BorrowedFd;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;

/// How a file is to look.
#[derive(Clone, Debug)]
pub(crate) struct Attributes {
    mode: u32,
    owner: Option<(u32, u32)>,
    modified: Option<Time>,
    xattrs: Vec<(OsString, Vec<u8>)>,
}

impl Default for Attributes {
    /// A directory that nobody says anything of.
    fn default() -> Self {
        Self {
            mode: 0o755,
            owner: None,
            modified: None,
            xattrs: Vec::new(),
        }
    }
}

impl From<&Entry> for Attributes {
    fn from(entry: &Entry) -> Self {
        let xattrs = entry.xattrs.iter().filter(|(name, _)| is_kept(name));
        Self {
            mode: entry.mode,
            owner: Some((entry.uid, entry.gid)),
            modified: Some(entry.modified),
            xattrs: xattrs
                .map(|(name, value)| (OsStr::from_bytes(name).to_owned(), value.clone()))
                .collect(),
        }
    }
}

/// An image has no say in what overlayfs does.
fn is_kept(name: &[u8]) -> bool {
    !name.contains(&0)
        && !name.starts_with(b"user.overlay.")
        && !name.starts_with(b"trusted.overlay.")
}

impl Attributes {
    /// Those of another file.
    pub(crate) fn of(metadata: &Metadata) -> Self {
        Self {
            mode: metadata.mode() & 0o7777,
            owner: Some((metadata.uid(), metadata.gid())),
            modified: Some(Time {
                seconds: metadata.mtime(),
                nanoseconds: metadata.mtime_nsec() as u32,
            }),
            xattrs: Vec::new(),
        }
    }

    /// Gives them to an open file or directory.
    pub(crate) fn apply(&self, file: BorrowedFd<'_>) -> rustix::io::Result<()> {
        if let Some((uid, gid)) = self.ids() {
            tolerate(fchown(file, Some(uid), Some(gid)))?;
        }
        // After the owner, whose change drops capabilities and set-id bits.
        for (name, value) in &self.xattrs {
            match fsetxattr(file, name, value, XattrFlags::empty()) {
                // Not every name may be set by everybody, nor is every one known to the file system.
                Ok(()) | Err(Errno::PERM | Errno::ACCESS | Errno::OPNOTSUPP | Errno::INVAL) => {}
                Err(error) => return Err(error),
            }
        }
        fchmod(file, Mode::from_raw_mode(self.mode))?;
        match self.times() {
            Some(times) => futimens(file, &times),
            None => Ok(()),
        }
    }

    /// Gives them to something that can't be opened: a link, a fifo, a device. It was made just now, so
    /// only a link is one.
    pub(crate) fn apply_at(
        &self,
        directory: BorrowedFd<'_>,
        name: &OsStr,
        is_link: bool,
    ) -> rustix::io::Result<()> {
        let itself = AtFlags::SYMLINK_NOFOLLOW;
        if let Some((uid, gid)) = self.ids() {
            tolerate(chownat(directory, name, Some(uid), Some(gid), itself))?;
        }
        if !is_link {
            chmodat(
                directory,
                name,
                Mode::from_raw_mode(self.mode),
                AtFlags::empty(),
            )?;
        }
        match self.times() {
            Some(times) => utimensat(directory, name, &times, itself),
            None => Ok(()),
        }
    }

    fn ids(&self) -> Option<(Uid, Gid)> {
        // The largest number means nobody.
        let (uid, gid) = self.owner.filter(|(uid, gid)| *uid != !0 && *gid != !0)?;
        Some((Uid::from_raw(uid), Gid::from_raw(gid)))
    }

    fn times(&self) -> Option<Timestamps> {
        self.modified.map(|time| {
            let time = Timespec {
                tv_sec: time.seconds,
                tv_nsec: time.nanoseconds.into(),
            };
            Timestamps {
                last_access: time,
                last_modification: time,
            }
        })
    }
}

/// An owner that this user namespace doesn't have, or that an ordinary user can't give to a file, stays
/// the unpacking user.
fn tolerate(changed: rustix::io::Result<()>) -> rustix::io::Result<()> {
    match changed {
        Err(Errno::PERM | Errno::INVAL) => Ok(()),
        other => other,
    }
}

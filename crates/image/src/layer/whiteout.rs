//! What hides names in the layers below.

use crate::layer::place::Place;
use crate::layer::{LayerError, Stack};
use rustix::fs::{
    FileType, Mode, OFlags, XattrFlags, fsetxattr, lgetxattr, makedev, mknodat, openat,
};
use rustix::io::Errno;
use std::collections::BTreeSet;
use std::fs::Metadata;
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::{Path, PathBuf};

const OPAQUE: &str = "user.overlay.opaque";
const WHITEOUT: &str = "user.overlay.whiteout";

/// What a name in an archive means.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Marker<'a> {
    /// It is no marker.
    None,
    /// The directory it is in hides what is below.
    Opaque,
    /// A name that is hidden.
    Hides(&'a [u8]),
    /// Bookkeeping of AUFS.
    Ignored,
}

pub(crate) fn marker(name: &[u8]) -> Result<Marker<'_>, LayerError> {
    let Some(hidden) = name.strip_prefix(b".wh.") else {
        return Ok(Marker::None);
    };
    match hidden {
        b".wh..opq" => Ok(Marker::Opaque),
        _ if hidden.starts_with(b".wh.") => Ok(Marker::Ignored),
        b"" | b"." | b".." => {
            let name = String::from_utf8_lossy(name);
            Err(LayerError::archive(format!(
                "invalid whiteout name: {name}"
            )))
        }
        _ => Ok(Marker::Hides(hidden)),
    }
}

/// Whether a file hides its name.
pub(crate) fn is_whiteout(path: &Path, metadata: &Metadata) -> bool {
    (metadata.file_type().is_char_device() && metadata.rdev() == 0)
        || (metadata.is_file() && metadata.len() == 0 && attribute(path, WHITEOUT).is_some())
}

/// Whether a directory hides what is below.
pub(crate) fn is_opaque(path: &Path) -> bool {
    attribute(path, OPAQUE) == Some(b'y')
}

/// The first byte of an attribute.
fn attribute(path: &Path, name: &str) -> Option<u8> {
    let mut value = [0; 16];
    match lgetxattr(path, name, &mut value[..]) {
        Ok(length) => Some(if length > 0 { value[0] } else { 0 }),
        Err(_) => None,
    }
}

/// The markers of a layer, by the paths they are about. What they mean depends on all of the layer: the
/// names of a layer's own are never hidden, wherever in the archive they come.
#[derive(Debug, Default)]
pub(crate) struct Markers {
    pub(crate) opaque: BTreeSet<PathBuf>,
    pub(crate) hidden: BTreeSet<PathBuf>,
}

impl Markers {
    /// Makes what they mean.
    pub(crate) fn apply(mut self, place: &Place<'_>) -> Result<(), LayerError> {
        for path in &self.hidden {
            // Removed and made again as a directory: nothing of the old one is left.
            if place.is_directory(path)? {
                self.opaque.insert(path.clone());
            }
        }
        let mut whiteouts = Vec::new();
        for path in &self.opaque {
            // Overlayfs has to see no mark that changes nothing: in a directory that isn't merged it
            // would list whiteouts.
            let merges = place
                .below()
                .find(path)
                .is_some_and(|(_, found)| found.is_dir());
            if merges && !self.is_cut_off(path) && place.is_directory(path)? {
                hide_all(place, path, &mut whiteouts)?;
            }
        }
        for path in &self.hidden {
            if !self.is_cut_off(path) {
                whiteouts.push(path.clone());
            }
        }
        for path in whiteouts {
            // A file may have come where the directory was.
            let directory = path.parent().unwrap_or(Path::new(""));
            if place.below().find(&path).is_some()
                && place.is_directory(directory)?
                && !place.exists(&path)?
            {
                hide(place, &path)?;
            }
        }
        Ok(())
    }

    /// Whether a directory above it is opaque.
    fn is_cut_off(&self, path: &Path) -> bool {
        path.ancestors()
            .skip(1)
            .any(|above| self.opaque.contains(above))
    }
}

/// Hides all that is below in a directory, by one mark if that can be, or name by name.
fn hide_all(
    place: &Place<'_>,
    path: &Path,
    whiteouts: &mut Vec<PathBuf>,
) -> Result<(), LayerError> {
    if path != Path::new("") {
        let directory = place.open_directory(path)?;
        match fsetxattr(&directory, OPAQUE, b"y", XattrFlags::empty()) {
            Ok(()) => return Ok(()),
            Err(Errno::OPNOTSUPP | Errno::PERM | Errno::ACCESS) => {}
            Err(error) => return Err(LayerError::at(path)(error)),
        }
    }
    hide_each(place, place.below(), path, whiteouts)
}

fn hide_each(
    place: &Place<'_>,
    below: Stack<'_>,
    path: &Path,
    whiteouts: &mut Vec<PathBuf>,
) -> Result<(), LayerError> {
    for name in below.names(path).map_err(LayerError::at(path))? {
        let path = path.join(name);
        if !place.exists(&path)? {
            whiteouts.push(path);
        } else if place.is_directory(&path)?
            && below.find(&path).is_some_and(|(_, found)| found.is_dir())
        {
            hide_all(place, &path, whiteouts)?;
        }
    }
    Ok(())
}

fn hide(place: &Place<'_>, path: &Path) -> Result<(), LayerError> {
    let (Some(directory), Some(name)) = (path.parent(), path.file_name()) else {
        return Ok(());
    };
    let name = Path::new(name);
    let parent = place.open_directory(directory)?;
    let device = mknodat(
        &parent,
        name,
        FileType::CharacterDevice,
        Mode::empty(),
        makedev(0, 0),
    );
    match device {
        Ok(()) => Ok(()),
        Err(Errno::PERM | Errno::ACCESS) => {
            hide_by_attribute(parent.as_fd(), name).map_err(LayerError::at(path))
        }
        Err(error) => Err(LayerError::at(path)(error)),
    }
}

/// A whiteout where devices can't be made. The directory says that it has some, so that overlayfs looks
/// for the attribute.
pub(super) fn hide_by_attribute(parent: BorrowedFd<'_>, name: &Path) -> rustix::io::Result<()> {
    let flags = OFlags::CREATE | OFlags::EXCL | OFlags::WRONLY | OFlags::CLOEXEC | OFlags::NOFOLLOW;
    let file = openat(parent, name, flags, Mode::from_raw_mode(0o600))?;
    fsetxattr(&file, WHITEOUT, b"y", XattrFlags::empty())?;
    fsetxattr(parent, OPAQUE, b"x", XattrFlags::empty())
}

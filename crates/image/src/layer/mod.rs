//! Layers unpacked into directories that overlayfs takes as `lowerdir`s, on mounts with `userxattr`.
//! <https://github.com/opencontainers/image-spec/blob/main/layer.md>
//! <https://docs.kernel.org/filesystems/overlayfs.html>
//!
//! * `.wh.x` becomes a whiteout: the character device 0:0, which anybody may make since Linux 5.8; where
//!   that is refused, a file with `user.overlay.whiteout`, which Linux 6.7 and newer understand.
//! * `.wh..wh..opq` becomes `user.overlay.opaque`; where a file system has no such attributes, and for a
//!   layer's root, of which overlayfs doesn't read it, a whiteout for each name below.
//! * A directory that a layer uses and doesn't mention looks as it does below, so a layer is unpacked for
//!   one place in one stack of layers.
//! * Owners are kept where the user namespace has them and are the unpacking user's otherwise. Devices
//!   are made where that is allowed.
//!
//! Nothing that an archive says leads out of the layer's directory: paths are walked from it by
//! descriptors, one name at a time, and a link on the way counts from the layer's root.

mod attributes;
mod place;
mod stack;
#[cfg(test)]
mod tests;
mod unpack;
mod whiteout;

pub(crate) use stack::Stack;
pub(crate) use unpack::unpack;

use std::io;
use std::path::Path;

/// Why a layer can't be unpacked.
#[derive(Debug, thiserror::Error)]
pub(crate) enum LayerError {
    /// The archive is broken, or says something impossible.
    #[error("{0}")]
    Archive(String),
    /// The disk refuses.
    #[error("{path}: {source}")]
    Disk { path: String, source: io::Error },
}

impl LayerError {
    fn archive(error: impl std::fmt::Display) -> Self {
        Self::Archive(format!("archive/tar: {error}"))
    }

    /// Says which path a system call was about.
    fn at<E: Into<io::Error>>(path: &Path) -> impl FnOnce(E) -> Self {
        let path = path.display().to_string();
        move |error| Self::Disk {
            path,
            source: error.into(),
        }
    }
}

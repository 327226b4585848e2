//! What goes wrong in a store.

use crate::document::Descriptor;
use crate::layer::LayerError;
use cri::ImageError;
use std::io;
use std::path::{Path, PathBuf};

/// Why the store can't do something.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// A file or directory holds no images.
    #[error("{path}: {why}")]
    NotImages {
        /// The file or directory.
        path: PathBuf,
        /// What it lacks.
        why: String,
    },
    /// An image can't be called by anything.
    #[error("{path}: the image has no name there ({found}): say which it is to have")]
    Unnamed {
        /// The file or directory.
        path: PathBuf,
        /// What there is in place of one.
        found: String,
    },
    /// Content is not what it is called, or makes no sense.
    #[error("{0}")]
    Corrupt(String),
    /// Content isn't there.
    #[error("content {0} is not there")]
    Missing(String),
    /// The disk refuses.
    #[error("{what}: {source}")]
    Disk {
        /// What was tried.
        what: String,
        /// What the system said.
        source: io::Error,
    },
}

impl StoreError {
    pub(crate) fn disk(path: &Path) -> impl FnOnce(io::Error) -> Self {
        let what = path.display().to_string();
        move |source| Self::Disk { what, source }
    }

    pub(crate) fn missing(descriptor: &Descriptor) -> Self {
        Self::Missing(descriptor.digest.to_string())
    }

    /// The same for whoever wanted an image.
    pub(crate) fn about(self, reference: &str) -> ImageError {
        let reference = reference.to_owned();
        match self {
            Self::Disk { .. } => ImageError::Disk(reference, self.to_string()),
            _ => ImageError::Corrupt(reference, self.to_string()),
        }
    }

    /// A layer that can't be unpacked, in containerd's words.
    pub(crate) fn layer(diff_id: &impl std::fmt::Display, error: LayerError) -> Self {
        let what = format!("failed to extract layer {diff_id}");
        match error {
            LayerError::Archive(why) => Self::Corrupt(format!("{what}: {why}")),
            LayerError::Disk { path, source } => Self::Disk {
                what: format!("{what}: {path}"),
                source,
            },
        }
    }
}

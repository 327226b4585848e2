//! What containers are made of: files and how their image wants them run.

use cri::{Image, ImageId};
use std::any::Any;
use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;

/// The built-in image's name. Any tag of it is this machine's files, copied on write.
pub const HOST_IMAGE: &str = "skylab.local/host";
/// Its id, the same everywhere: the digest of its name.
pub const HOST_IMAGE_ID: &str =
    "sha256:6af36fe2d0dcb7235753984e9b71cc02cb13d534e7c9e5e967d2666d1216e6fc";

/// Knows the images that containers run. Calls block.
pub trait RootSource: Send + Sync {
    /// What a container of this image is made of, by a name, digest or id that [`cri::Images`] gave;
    /// `None` if it isn't on the node.
    ///
    /// # Errors
    /// It is there and can't be used.
    fn root(&self, reference: &str) -> Result<Option<ImageRoot>, String>;
}

/// An image, ready to run.
#[derive(Clone)]
pub struct ImageRoot {
    /// Its id, `sha256:…`.
    pub id: String,
    /// Its files.
    pub files: ImageFiles,
    /// How it wants to be run.
    pub config: ImageConfig,
    /// Whatever keeps the files there; held as long as the container exists.
    pub hold: Option<Arc<dyn Any + Send + Sync>>,
}

impl fmt::Debug for ImageRoot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ImageRoot")
            .field("id", &self.id)
            .field("files", &self.files)
            .field("config", &self.config)
            .finish_non_exhaustive()
    }
}

/// An image's files.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ImageFiles {
    /// This machine's, with `skylab` among its programs.
    Machine,
    /// Unpacked layers, the top one first, for overlayfs with `userxattr`.
    Layers(Vec<PathBuf>),
}

/// How an image wants to be run.
/// <https://github.com/opencontainers/image-spec/blob/main/config.md>
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ImageConfig {
    /// The program, and its first arguments.
    pub entrypoint: Vec<String>,
    /// More arguments, or the program where there is no entry point.
    pub command: Vec<String>,
    /// The environment.
    pub environment: Vec<(String, String)>,
    /// Where it starts; empty for `/`.
    pub working_dir: String,
    /// As whom: `user`, `uid`, `user:group`, `uid:gid`; empty for root.
    pub user: String,
    /// The signal that asks it to end, `SIGQUIT` or `3`; empty for `SIGTERM`.
    pub stop_signal: String,
}

/// The built-in image, as a node lists it.
pub fn host_image() -> Image {
    Image {
        id: ImageId(HOST_IMAGE_ID.to_owned()),
        tags: vec![format!("{HOST_IMAGE}:latest")],
        digests: Vec::new(),
        size: 0,
        uid: None,
        user: None,
    }
}

/// Whether a reference means the built-in image: its name with any tag or digest, or its id.
pub fn is_host_image(reference: &str) -> bool {
    let rest = reference.strip_prefix(HOST_IMAGE);
    reference == HOST_IMAGE_ID
        || rest.is_some_and(|rest| rest.is_empty() || rest.starts_with([':', '@']))
}

/// The built-in image, ready to run: no program of its own, this environment.
pub(crate) fn host_root(environment: &[(String, String)]) -> ImageRoot {
    ImageRoot {
        id: HOST_IMAGE_ID.to_owned(),
        files: ImageFiles::Machine,
        config: ImageConfig {
            environment: environment.to_vec(),
            ..ImageConfig::default()
        },
        hold: None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use sha2::{Digest, Sha256};

    #[test]
    fn the_built_in_image_has_any_tag() {
        for reference in [
            "skylab.local/host",
            "skylab.local/host:latest",
            "skylab.local/host:1.0",
            HOST_IMAGE_ID,
        ] {
            assert!(is_host_image(reference), "{reference}");
        }
        assert!(!is_host_image("skylab.local/hostile"));
        assert!(!is_host_image("docker.io/skylab.local/host"));
    }

    #[test]
    fn its_id_is_the_digest_of_its_name() {
        let digest = Sha256::digest(HOST_IMAGE);
        let text: String = digest.iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(HOST_IMAGE_ID, format!("sha256:{text}"));
    }
}

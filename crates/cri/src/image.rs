//! Images.

use std::fmt;

/// An image's id: `sha256:` and the digest of its configuration.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ImageId(pub String);

impl fmt::Display for ImageId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// An image on the node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Image {
    /// Its id.
    pub id: ImageId,
    /// Names with tags, `docker.io/library/nginx:1.27`.
    pub tags: Vec<String>,
    /// Names with digests, `docker.io/library/nginx@sha256:…`.
    pub digests: Vec<String>,
    /// Bytes that it takes.
    pub size: u64,
    /// The user that its configuration names, if it is a number.
    pub uid: Option<u32>,
    /// The user that its configuration names, if it is a name.
    pub user: Option<String>,
}

/// Who pulls.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Credentials {
    /// The user.
    pub username: String,
    /// Their password.
    pub password: String,
}

/// Why an image can't be had. The words are those that `kubectl describe pod` shows.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ImageError {
    /// The name is no reference.
    #[error("couldn't parse image name {0:?}: invalid reference format")]
    InvalidName(String),
    /// The registry has none.
    #[error(
        "failed to pull and unpack image {0:?}: failed to resolve reference {0:?}: {0}: not found"
    )]
    NotFound(String),
    /// The registry wants somebody else.
    #[error(
        "failed to pull and unpack image {0:?}: failed to resolve reference {0:?}: pull access denied, repository does not exist or may require authorization: {1}"
    )]
    Denied(String, /** What the registry said. */ String),
    /// The registry can't be reached, or answered nonsense.
    #[error("failed to pull and unpack image {0:?}: failed to resolve reference {0:?}: {1}")]
    Unavailable(String, /** What failed. */ String),
    /// What came is not what was promised.
    #[error("failed to pull and unpack image {0:?}: {1}")]
    Corrupt(String, /** What is wrong. */ String),
    /// The node's disk.
    #[error("failed to pull and unpack image {0:?}: {1}")]
    Disk(String, /** What the system said. */ String),
}

/// A node's images. Calls block.
pub trait Images: Send + Sync {
    /// Gets an image that isn't there, or whose tag may have moved.
    ///
    /// # Errors
    /// As [`ImageError`] says.
    fn pull(&self, reference: &str, credentials: &[Credentials]) -> Result<Image, ImageError>;

    /// An image that is there, by name, digest or id.
    fn find(&self, reference: &str) -> Option<Image>;

    /// What is there.
    fn list(&self) -> Vec<Image>;

    /// Removes an image; none of its name is fine too.
    ///
    /// # Errors
    /// The disk refuses.
    fn remove(&self, reference: &str) -> Result<(), ImageError>;
}

//! The host ports of a node's containers, kept in files: one for each attachment, named after the
//! container and its link, with what it has mapped to where.

use nix::fcntl::{Flock, FlockArg};
use serde::{Deserialize, Serialize};
use std::fs::{self, File, OpenOptions};
use std::io;
use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};

/// What the files' names end with.
const END: &str = ".json";

/// A host port as a runtime asks for it.
/// <https://github.com/containernetworking/cni/blob/main/CONVENTIONS.md#well-known-capabilities>
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Mapping {
    /// The node's port.
    pub(crate) host_port: u16,
    /// The container's.
    pub(crate) container_port: u16,
    /// `tcp`, `udp` or `sctp`.
    pub(crate) protocol: String,
    /// The node's address; empty or unspecified for all.
    #[serde(default, rename = "hostIP")]
    pub(crate) host_ip: String,
}

/// What an attachment has mapped.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Attachment {
    /// The network's name.
    pub(crate) network: String,
    /// The container.
    pub(crate) container: String,
    /// Its link.
    pub(crate) link: String,
    /// The container's address.
    pub(crate) address: Ipv4Addr,
    /// Its ports.
    pub(crate) mappings: Vec<Mapping>,
}

/// A node's attachments. The store is locked as long as this is held.
#[derive(Debug)]
pub(crate) struct Mappings {
    folder: PathBuf,
    _lock: Flock<File>,
}

/// A file that can't be used.
#[derive(Debug, thiserror::Error)]
#[error("{path}: {source}")]
pub(crate) struct MappingsError {
    path: PathBuf,
    source: io::Error,
}

fn at(path: &Path) -> impl Fn(io::Error) -> MappingsError + '_ {
    move |source| MappingsError {
        path: path.to_owned(),
        source,
    }
}

impl Mappings {
    /// Opens the store in a folder, and waits for whoever has it.
    ///
    /// # Errors
    /// The folder can't be used.
    pub(crate) fn open(folder: &Path) -> Result<Self, MappingsError> {
        fs::create_dir_all(folder).map_err(at(folder))?;
        let path = folder.join("lock");
        let mut options = OpenOptions::new();
        let file = options.create(true).truncate(false).write(true).open(&path);
        let lock = Flock::lock(file.map_err(at(&path))?, FlockArg::LockExclusive)
            .map_err(|(_, errno)| at(&path)(errno.into()))?;
        Ok(Self {
            folder: folder.to_owned(),
            _lock: lock,
        })
    }

    /// All attachments.
    ///
    /// # Errors
    /// A file can't be read.
    pub(crate) fn all(&self) -> Result<Vec<Attachment>, MappingsError> {
        let mut all = Vec::new();
        for entry in fs::read_dir(&self.folder).map_err(at(&self.folder))? {
            let path = entry.map_err(at(&self.folder))?.path();
            let named = path.file_name().and_then(|name| name.to_str());
            if named.is_some_and(|name| name.ends_with(END)) {
                let text = fs::read(&path).map_err(at(&path))?;
                // Whoever wrote it died: the attachment was never made.
                all.extend(serde_json::from_slice::<Attachment>(&text));
            }
        }
        all.sort_by(|a, b| (&a.container, &a.link).cmp(&(&b.container, &b.link)));
        Ok(all)
    }

    /// Keeps an attachment, in the place of what it had.
    ///
    /// # Errors
    /// The file can't be written.
    pub(crate) fn put(&self, attachment: &Attachment) -> Result<(), MappingsError> {
        let path = self.path(&attachment.container, &attachment.link);
        let text = serde_json::to_vec(attachment).map_err(|error| at(&path)(error.into()))?;
        fs::write(&path, text).map_err(at(&path))
    }

    /// Forgets an attachment; nothing to forget is fine.
    ///
    /// # Errors
    /// The file can't be removed.
    pub(crate) fn remove(&self, container: &str, link: &str) -> Result<(), MappingsError> {
        let path = self.path(container, link);
        match fs::remove_file(&path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(at(&path)(error)),
            _ => Ok(()),
        }
    }

    fn path(&self, container: &str, link: &str) -> PathBuf {
        self.folder.join(format!("{container}-{link}{END}"))
    }
}

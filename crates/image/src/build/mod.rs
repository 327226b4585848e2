//! Images made of files, without a container engine. The same files give the same bytes: names are
//! sorted, times are zero, and everything belongs to root unless it is said otherwise.

mod tree;
mod write;

use crate::config::ImageConfig;
use crate::document::Platform;
use crate::tar::{Entry, Kind, Time};
use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};

/// Makes an image.
#[derive(Clone, Debug)]
pub struct ImageBuilder {
    /// How it is to be run.
    pub config: ImageConfig,
    /// For what machines it is.
    pub platform: Platform,
    layers: Vec<Layer>,
}

/// Members by their paths.
type Layer = BTreeMap<Vec<u8>, Member>;

#[derive(Clone, Debug)]
struct Member {
    entry: Entry,
    content: Content,
}

#[derive(Clone, Debug)]
enum Content {
    Bytes(Vec<u8>),
    /// A file of the machine's, which may have other names in the tree: its device and number.
    File {
        path: PathBuf,
        inode: Option<(u64, u64)>,
    },
}

impl Default for ImageBuilder {
    fn default() -> Self {
        Self::new()
    }
}

impl ImageBuilder {
    /// An image without files, for this machine.
    pub fn new() -> Self {
        Self {
            config: ImageConfig::default(),
            platform: Platform::here(),
            layers: vec![Layer::new()],
        }
    }

    /// What is added from now on lies in a new layer, on top of the others.
    pub fn layer(&mut self) -> &mut Self {
        self.layers.push(Layer::new());
        self
    }

    /// Adds a file.
    pub fn file(&mut self, path: &str, mode: u32, bytes: impl Into<Vec<u8>>) -> &mut Self {
        let bytes = bytes.into();
        let mut entry = entry(path.as_bytes(), Kind::File, mode);
        entry.size = bytes.len() as u64;
        self.add(entry, Content::Bytes(bytes));
        self
    }

    /// Adds a directory.
    pub fn directory(&mut self, path: &str, mode: u32) -> &mut Self {
        let entry = entry(path.as_bytes(), Kind::Directory, mode);
        self.add(entry, Content::Bytes(Vec::new()));
        self
    }

    /// Adds a symbolic link.
    pub fn symlink(&mut self, path: &str, target: &str) -> &mut Self {
        let kind = Kind::Symlink(target.as_bytes().to_vec());
        self.add(
            entry(path.as_bytes(), kind, 0o777),
            Content::Bytes(Vec::new()),
        );
        self
    }

    /// Removes what a layer below has at a path.
    pub fn remove(&mut self, path: &str) -> &mut Self {
        let (directory, name) = path.rsplit_once('/').unwrap_or(("", path));
        self.file(&format!("{directory}/.wh.{name}"), 0, "")
    }

    /// Hides all that the layers below have in a directory.
    pub fn empty(&mut self, directory: &str) -> &mut Self {
        self.file(&format!("{directory}/.wh..wh..opq"), 0, "")
    }

    /// Adds a directory of the machine's with all that is in it, or a file.
    ///
    /// # Errors
    /// Something can't be read, or is no file, directory, link or fifo.
    pub fn tree(&mut self, from: &Path, to: &str) -> io::Result<&mut Self> {
        tree::add(self, from, to.as_bytes())?;
        Ok(self)
    }

    /// Gives something that was added to a user and group.
    ///
    /// # Errors
    /// It wasn't added to this layer.
    pub fn owner(&mut self, path: &str, uid: u32, gid: u32) -> io::Result<&mut Self> {
        let name = plain(path.as_bytes());
        let members = self.layers.last_mut();
        let member = members
            .and_then(|members| members.get_mut(&name))
            .ok_or_else(|| {
                io::Error::new(io::ErrorKind::NotFound, format!("{path} is not there"))
            })?;
        (member.entry.uid, member.entry.gid) = (uid, gid);
        Ok(self)
    }

    fn add(&mut self, mut entry: Entry, content: Content) {
        entry.path = plain(&entry.path);
        // The root is what a layer lies in.
        if entry.path.is_empty() {
            return;
        }
        if let Some(members) = self.layers.last_mut() {
            members.insert(entry.path.clone(), Member { entry, content });
        }
    }
}

fn entry(path: &[u8], kind: Kind, mode: u32) -> Entry {
    Entry {
        path: path.to_vec(),
        kind,
        mode,
        uid: 0,
        gid: 0,
        size: 0,
        modified: Time::default(),
        xattrs: Vec::new(),
    }
}

/// A path from the root, without what means nothing in it.
fn plain(path: &[u8]) -> Vec<u8> {
    let parts = path.split(|byte| *byte == b'/');
    let parts = parts.filter(|part| !matches!(*part, b"" | b"."));
    parts.collect::<Vec<_>>().join(&b'/')
}

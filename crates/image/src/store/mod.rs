//! A directory with images.
//!
//! ```text
//! oci-layout, index.json   what users imported; the whole is an OCI image layout
//! nodes/<node>             what a node pulled
//! blobs/<algorithm>/       content by its digest
//! layers/<chain id>/       unpacked layers, each one once
//! tmp/                     what is being made
//! ```
//!
//! A store belongs to whoever mounts its layers: they are unpacked with the owners that the user namespace
//! of the unpacking process has. Several processes may use one store. What isn't whole has no name; what no name leads to is swept
//! away, unless somebody uses it. After a power failure unpacked layers may lack what the kernel hadn't
//! written, as containerd's may.

mod blobs;
mod content;
mod error;
mod layers;
mod lock;
mod names;
#[cfg(test)]
mod tests;
mod view;

pub(crate) use blobs::fresh;
pub use blobs::{Blobs, Incoming};
pub(crate) use content::{Content, Part};
pub use error::StoreError;
pub(crate) use names::{Holder, Name};

use crate::config::ImageConfig;
use crate::digest::Digest;
use crate::document::Descriptor;
use crate::layer::Stack;
use crate::user::{Identity, UserError, identity};
use cri::Image;
use layers::{Layers, Lease, discard};
use lock::locked;
use names::Names;
use std::collections::{BTreeSet, HashMap};
use std::fs::{self, DirBuilder};
use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

/// A directory with images.
#[derive(Debug)]
pub struct ImageStore {
    root: PathBuf,
    blobs: Blobs,
    layers: Layers,
    names: Names,
    /// What targets lead to. It never changes, since digests don't.
    known: Mutex<HashMap<Digest, Arc<Content>>>,
    /// Whether a sweep was put off.
    unswept: AtomicBool,
}

/// An image ready to be run.
#[derive(Clone, Debug)]
pub struct Unpacked {
    /// Directories for overlayfs, the top one first, on a mount with `userxattr`.
    pub layers: Vec<PathBuf>,
    /// How to run it.
    pub config: ImageConfig,
    #[allow(dead_code, reason = "it keeps the layers there")]
    leases: Vec<Lease>,
}

impl Unpacked {
    /// Whom `user` stands for in this image: a name or number, and a group's after a colon.
    ///
    /// # Errors
    /// The image knows no such user or group, or the disk refuses.
    pub fn identity(&self, user: &str) -> Result<Identity, UserError> {
        identity(Stack(&self.layers), user)
    }
}

impl ImageStore {
    /// Opens a store, making it if it isn't there.
    ///
    /// # Errors
    /// The directory can't be written.
    pub fn open(root: impl Into<PathBuf>) -> io::Result<Self> {
        let root = root.into();
        let temporary = root.join("tmp");
        // Images may be private.
        DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(&root)?;
        fs::create_dir_all(&temporary)?;
        let store = Self {
            blobs: Blobs::open_at(root.join("blobs"), temporary.clone())?,
            layers: Layers::open_at(root.join("layers"), temporary)?,
            names: Names::open_at(&root)?,
            known: Mutex::default(),
            unswept: AtomicBool::new(false),
            root,
        };
        store.tidy();
        Ok(store)
    }

    /// Its content.
    pub fn blobs(&self) -> &Blobs {
        &self.blobs
    }

    pub(crate) fn temporary(&self) -> PathBuf {
        self.root.join("tmp")
    }

    /// What a holder has.
    pub(crate) fn names_of(&self, holder: &Holder) -> Result<Vec<Name>, StoreError> {
        self.names.of(holder)
    }

    /// Does something that adds content: until it ends nothing is swept away.
    pub(crate) fn adding<T, E: From<StoreError>>(
        &self,
        what: impl FnOnce() -> Result<T, E>,
    ) -> Result<T, E> {
        let result = {
            let lock = self.lock();
            let _held = lock::shared(&lock).map_err(StoreError::disk(&lock))?;
            what()
        };
        if self.unswept.load(Ordering::Relaxed) {
            self.tidy();
        }
        result
    }

    fn lock(&self) -> PathBuf {
        self.root.join("lock")
    }

    /// Makes an image's content, which is all there, usable: unpacks it and gives it names.
    pub(crate) fn add(
        &self,
        holder: &Holder,
        content: &Content,
        names: Vec<Name>,
    ) -> Result<(), StoreError> {
        self.layers.unpacked(&self.blobs, content)?;
        self.names.change(holder, |all| {
            for name in names {
                all.retain(|other| other.reference != name.reference);
                all.push(name);
            }
        })
    }

    pub(crate) fn content(&self, target: &Descriptor) -> Result<Arc<Content>, StoreError> {
        if let Some(content) = locked(&self.known).get(&target.digest) {
            return Ok(content.clone());
        }
        let content = Arc::new(Content::of(&self.blobs, target)?);
        locked(&self.known).insert(target.digest.clone(), content.clone());
        Ok(content)
    }

    pub(crate) fn images_of(&self, holders: &[Holder]) -> Vec<Image> {
        view::images(self, holders)
    }

    pub(crate) fn image_of(&self, holders: &[Holder], reference: &str) -> Option<Image> {
        view::find(self, holders, reference).map(|found| found.image)
    }

    /// The images that users imported.
    pub fn list(&self) -> Vec<Image> {
        self.images_of(&[Holder::Everybody])
    }

    /// An image that a user imported, by name, digest or id.
    pub fn find(&self, reference: &str) -> Option<Image> {
        self.image_of(&[Holder::Everybody], reference)
    }

    /// An image that a user imported, ready to be run.
    ///
    /// # Errors
    /// Its content is damaged, or the disk refuses.
    pub fn unpacked(&self, reference: &str) -> Result<Option<Unpacked>, StoreError> {
        self.unpacked_of(&[Holder::Everybody], reference)
    }

    pub(crate) fn unpacked_of(
        &self,
        holders: &[Holder],
        reference: &str,
    ) -> Result<Option<Unpacked>, StoreError> {
        self.adding(|| {
            let Some(found) = view::find(self, holders, reference) else {
                return Ok(None);
            };
            let layers = self.layers.unpacked(&self.blobs, &found.content)?;
            Ok(Some(Unpacked {
                layers,
                leases: self.layers.lease(&found.content)?,
                config: found.content.config.config.clone().into(),
            }))
        })
    }

    /// Forgets an image that a user imported, under all its names. What nobody else has goes away.
    ///
    /// # Errors
    /// The disk refuses.
    pub fn remove(&self, reference: &str) -> Result<(), StoreError> {
        self.remove_of(&Holder::Everybody, reference)
    }

    pub(crate) fn remove_of(&self, holder: &Holder, reference: &str) -> Result<(), StoreError> {
        let Some(found) = view::find(self, std::slice::from_ref(holder), reference) else {
            return Ok(());
        };
        let id = &found.content.id;
        self.names.change(holder, |names| {
            names.retain(|name| {
                self.content(&name.target)
                    .is_ok_and(|other| other.id != *id)
            });
        })?;
        self.sweep()
    }

    /// The nodes that have images of their own, those that are gone among them.
    ///
    /// # Errors
    /// The disk refuses.
    pub fn nodes(&self) -> Result<Vec<String>, StoreError> {
        self.names.nodes()
    }

    /// Forgets all that a node has, as when the node is gone.
    ///
    /// # Errors
    /// The disk refuses.
    pub fn forget_node(&self, node: &str) -> Result<(), StoreError> {
        self.names.forget(node)?;
        self.sweep()
    }

    /// Sweeps, where nobody asked for it.
    fn tidy(&self) {
        if let Err(error) = self.sweep() {
            tracing::warn!(%error, "the image store can't be swept");
        }
    }

    /// Removes what no name leads to. While content is being added that is put off until later.
    fn sweep(&self) -> Result<(), StoreError> {
        let lock = self.lock();
        let Some(_alone) = lock::alone_now(&lock).map_err(StoreError::disk(&lock))? else {
            self.unswept.store(true, Ordering::Relaxed);
            return Ok(());
        };
        self.unswept.store(false, Ordering::Relaxed);
        let (mut blobs, mut layers) = (BTreeSet::new(), BTreeSet::new());
        for name in self.names.all()? {
            blobs.insert(name.target.digest.clone());
            // What is damaged is pulled again, or imported.
            if let Ok(content) = self.content(&name.target) {
                blobs.extend(content.blobs.iter().map(|blob| blob.digest.clone()));
                layers.extend(content.layers.iter().map(|layer| layer.chain_id.clone()));
            }
        }
        locked(&self.known).retain(|target, _| blobs.contains(target));
        let swept = self
            .blobs
            .retain(&blobs)
            .and_then(|()| self.layers.retain(&layers))
            .and_then(|()| empty(&self.temporary()));
        swept.map_err(StoreError::disk(&self.root))
    }
}

/// Removes what is in a directory.
fn empty(directory: &Path) -> io::Result<()> {
    for entry in fs::read_dir(directory)? {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            discard(&entry.path())?;
        } else {
            fs::remove_file(entry.path())?;
        }
    }
    Ok(())
}

//! The images of one node.

use crate::digest::Digest;
use crate::reference::{Reference, Version};
use crate::registry::{Dial, Refusal, Registries, Repository};
use crate::store::{Content, Holder, ImageStore, Name, StoreError, Unpacked};
use cri::{Credentials, Image, ImageError, Images};
use std::collections::BTreeSet;
use std::fmt;
use std::sync::Arc;

/// The images of one node: those that users imported, which every node has, and those that it pulled.
///
/// A node has what it pulled, whatever other nodes pulled. Content is in the store once: what another
/// node brought there isn't downloaded again, but the node asks for it, so a pull fails where its
/// downloads would.
pub struct NodeImages {
    store: Arc<ImageStore>,
    node: String,
    dial: Arc<dyn Dial>,
    registries: Registries,
}

impl fmt::Debug for NodeImages {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("NodeImages")
            .field("node", &self.node)
            .finish_non_exhaustive()
    }
}

impl NodeImages {
    /// The images of a node, whose name no other node of the store has. Connections to registries are
    /// made by `dial`.
    pub fn new(
        store: Arc<ImageStore>,
        node: &str,
        dial: Arc<dyn Dial>,
        registries: Registries,
    ) -> Self {
        Self {
            store,
            node: node.to_owned(),
            dial,
            registries,
        }
    }

    /// An image that is there, ready to be run.
    ///
    /// # Errors
    /// Its content is damaged, or the disk refuses.
    pub fn unpacked(&self, reference: &str) -> Result<Option<Unpacked>, StoreError> {
        self.store.unpacked_of(&self.holders(), reference)
    }

    /// What users imported comes first.
    fn holders(&self) -> [Holder; 2] {
        [Holder::Everybody, self.holder()]
    }

    fn holder(&self) -> Holder {
        Holder::Node(self.node.clone())
    }

    /// As [`Images::pull`]; `progress` hears of the bytes of every piece that comes.
    ///
    /// # Errors
    /// As [`ImageError`] says.
    pub fn pull_with(
        &self,
        name: &str,
        credentials: &[Credentials],
        progress: &dyn Fn(u64),
    ) -> Result<Image, ImageError> {
        let reference = Reference::parse(name)?;
        if let Some(image) = self.store.find(&reference.to_string()) {
            return Ok(image);
        }
        let mut askers: Vec<_> = credentials.iter().map(Some).collect();
        if askers.is_empty() {
            askers.push(None);
        }
        let mut last = Err(Refusal::NotFound);
        for asker in askers {
            last = self
                .store
                .adding(|| self.download(&reference, asker, progress));
            if last.is_ok() {
                break;
            }
        }
        last.map_err(|failure| failure.about(&reference))?;
        let image = self.find(&reference.to_string());
        image.ok_or_else(|| ImageError::NotFound(reference.to_string()))
    }

    /// Gets all of an image, then unpacks it, then gives it its names.
    fn download(
        &self,
        reference: &Reference,
        asker: Option<&Credentials>,
        progress: &dyn Fn(u64),
    ) -> Result<(), Refusal> {
        let dial = self.dial.clone();
        let mut repository = Repository::new(dial, &self.registries, reference, asker)?;
        let target = repository.resolve(reference.version())?;
        let mine = self.contents()?;
        let blobs = self.store.blobs();
        let content = Content::gather(blobs, &target, |what, part| {
            if mine.contains(&what.digest) && blobs.has(&what.digest) {
                return Ok(());
            }
            let obtained = blobs.obtain(what, |incoming| {
                repository.fetch(what, part, incoming, progress)
            })?;
            if !obtained {
                repository.touch(what, part)?;
            }
            Ok::<_, Refusal>(())
        })?;
        // As containerd has it: an image whose tag moves on keeps its digest's name.
        let digest = reference.with_digest(target.digest.clone());
        let mut names = vec![digest];
        if let Version::Tag(_) = reference.version() {
            names.push(reference.clone());
        }
        let names = names.into_iter().map(|reference| Name {
            reference,
            target: target.clone(),
        });
        self.store.add(&self.holder(), &content, names.collect())?;
        Ok(())
    }

    /// The content that this node has already.
    fn contents(&self) -> Result<BTreeSet<Digest>, StoreError> {
        let mut all = BTreeSet::new();
        for name in self.store.names_of(&self.holder())? {
            if let Ok(content) = self.store.content(&name.target) {
                all.extend(content.blobs.iter().map(|blob| blob.digest.clone()));
            }
        }
        Ok(all)
    }
}

impl Images for NodeImages {
    fn pull(&self, reference: &str, credentials: &[Credentials]) -> Result<Image, ImageError> {
        self.pull_with(reference, credentials, &|_| {})
    }

    fn find(&self, reference: &str) -> Option<Image> {
        self.store.image_of(&self.holders(), reference)
    }

    fn list(&self) -> Vec<Image> {
        self.store.images_of(&self.holders())
    }

    /// What a user imported stays: it is every node's.
    fn remove(&self, reference: &str) -> Result<(), ImageError> {
        let removed = self.store.remove_of(&self.holder(), reference);
        removed.map_err(|error| ImageError::Disk(reference.to_owned(), error.to_string()))
    }
}

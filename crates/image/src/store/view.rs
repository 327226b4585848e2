//! Names and content as the kubelet sees them.

use crate::digest::Digest;
use crate::document::Execution;
use crate::reference::{Reference, Version};
use crate::store::ImageStore;
use crate::store::content::Content;
use crate::store::names::{Holder, Name};
use cri::Image;
use std::sync::Arc;

/// An image that was looked for.
pub(crate) struct Found {
    pub(crate) image: Image,
    pub(crate) content: Arc<Content>,
}

/// The images of some holders, each one once.
pub(crate) fn images(store: &ImageStore, holders: &[Holder]) -> Vec<Image> {
    all(store, holders)
        .into_iter()
        .map(|found| found.image)
        .collect()
}

/// An image of some holders, by name, digest, id, or the beginning of an id that no other image has. The
/// first holder's meaning of a name counts.
pub(crate) fn find(store: &ImageStore, holders: &[Holder], wanted: &str) -> Option<Found> {
    let names = names(store, holders);
    let id = match Digest::parse(wanted) {
        Ok(_) => Some(wanted.to_owned()),
        Err(_) => Reference::parse(wanted).ok().and_then(|reference| {
            let name = names.iter().find(|name| stands_for(name, &reference))?;
            store
                .content(&name.target)
                .ok()
                .map(|content| content.id.0.clone())
        }),
    };
    let mut images = all(store, holders).into_iter();
    match id {
        Some(id) => images.find(|found| found.content.id.0 == id),
        None => {
            let begins = |found: &Found| {
                let id = &found.content.id.0;
                !wanted.is_empty() && id.strip_prefix("sha256:").unwrap_or(id).starts_with(wanted)
            };
            let mut matching = images.filter(begins);
            let first = matching.next();
            first.filter(|_| matching.next().is_none())
        }
    }
}

/// A digest names an image too that is known by a tag.
fn stands_for(name: &Name, reference: &Reference) -> bool {
    name.reference == *reference
        || (reference.digest() == Some(&name.target.digest)
            && name.reference.repository() == reference.repository())
}

fn names(store: &ImageStore, holders: &[Holder]) -> Vec<Name> {
    let mut all: Vec<Name> = Vec::new();
    for holder in holders {
        let names = store.names.of(holder).unwrap_or_else(|error| {
            tracing::warn!(%error, "images can't be listed");
            Vec::new()
        });
        for name in names {
            if all.iter().all(|other| other.reference != name.reference) {
                all.push(name);
            }
        }
    }
    all
}

fn all(store: &ImageStore, holders: &[Holder]) -> Vec<Found> {
    let mut all: Vec<Found> = Vec::new();
    for name in names(store, holders) {
        // What is damaged isn't there: it is pulled again.
        let Ok(content) = store.content(&name.target) else {
            continue;
        };
        let at = match all.iter().position(|found| found.content.id == content.id) {
            Some(at) => at,
            None => {
                all.push(Found {
                    image: without_names(&content),
                    content,
                });
                all.len() - 1
            }
        };
        add(&mut all[at].image, &name);
    }
    all
}

fn without_names(content: &Content) -> Image {
    let (uid, user) = user(&content.config.config);
    Image {
        id: content.id.clone(),
        tags: Vec::new(),
        digests: Vec::new(),
        size: content.size,
        uid,
        user,
    }
}

fn add(image: &mut Image, name: &Name) {
    if let Version::Tag(_) = name.reference.version() {
        image.tags.push(name.reference.to_string());
    }
    let digest = name
        .reference
        .with_digest(name.target.digest.clone())
        .to_string();
    if !image.digests.contains(&digest) {
        image.digests.push(digest);
    }
}

/// The user without the group, which the kubelet doesn't ask for.
fn user(config: &Execution) -> (Option<u32>, Option<String>) {
    match config.user.split(':').next().unwrap_or_default() {
        "" => (None, None),
        user => match user.parse() {
            Ok(uid) => (Some(uid), None),
            Err(_) => (None, Some(user.to_owned())),
        },
    }
}

//! OCI image layouts.

use crate::digest::Digest;
use crate::document::{CONTAINERD_NAME, Descriptor, Index, REF_NAME};
use crate::import::{Candidate, Source};
use crate::reference::Reference;
use crate::store::StoreError;

/// Where a layout has content.
pub(super) fn blob(digest: &Digest) -> String {
    format!("blobs/{}/{}", digest.algorithm(), digest.hex())
}

pub(super) fn candidates(source: &mut Source) -> Result<Vec<Candidate>, StoreError> {
    let text = source.document("index.json")?;
    let index: Index = serde_json::from_slice(&text)
        .map_err(|error| StoreError::Corrupt(format!("index.json: {error}")))?;
    let images = index.manifests.into_iter().map(|mut target| {
        let (names, unusable) = names(&target);
        // Names stay with those who give them.
        target.annotations.clear();
        Candidate {
            target,
            names,
            unusable,
        }
    });
    Ok(images.collect())
}

/// An image's name. A name without a registry, repository or tag is no name but a tag by the
/// specification, and could belong to anything.
fn names(target: &Descriptor) -> (Vec<Reference>, Option<String>) {
    let annotation = |name: &str| target.annotations.get(name).cloned();
    let name = annotation(CONTAINERD_NAME)
        .or_else(|| annotation(REF_NAME).filter(|name| name.contains(['/', ':'])));
    match name.as_deref().map(Reference::parse) {
        Some(Ok(name)) => (vec![name], None),
        _ => (Vec::new(), name.or_else(|| annotation(REF_NAME))),
    }
}

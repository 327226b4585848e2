//! From a name's target to all that makes up the image.

use crate::digest::Digest;
use crate::document::{Config, Descriptor, Document, Index};
use crate::store::blobs::Blobs;
use crate::store::error::StoreError;
use cri::ImageId;

/// What a descriptor stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Part {
    /// An index or a manifest.
    Document,
    Config,
    Layer,
}

/// All that makes up an image, for this machine.
#[derive(Clone, Debug)]
pub(crate) struct Content {
    /// Every blob: documents, configuration, layers.
    pub(crate) blobs: Vec<Descriptor>,
    pub(crate) id: ImageId,
    pub(crate) config: Config,
    /// The bottom one first.
    pub(crate) layers: Vec<Layer>,
    /// Bytes of manifest, configuration and layers, as they are stored.
    pub(crate) size: u64,
}

/// A layer in its place.
#[derive(Clone, Debug)]
pub(crate) struct Layer {
    pub(crate) blob: Descriptor,
    /// The digest of what is in it.
    pub(crate) diff_id: Digest,
    /// The digest of it and all below.
    /// <https://github.com/opencontainers/image-spec/blob/main/config.md#layer-chainid>
    pub(crate) chain_id: Digest,
}

/// An index leads to a manifest within so many steps.
const DEEPEST: usize = 4;

impl Content {
    /// Follows a target. `get` is called for each part before it is read, and sees to it that it is
    /// there.
    pub(crate) fn gather<E: From<StoreError>>(
        blobs: &Blobs,
        target: &Descriptor,
        mut get: impl FnMut(&Descriptor, Part) -> Result<(), E>,
    ) -> Result<Self, E> {
        let mut parts = Vec::new();
        let mut next = target.clone();
        let manifest = loop {
            get(&next, Part::Document)?;
            parts.push(next.clone());
            let text = blobs.read(&next.digest)?;
            match Document::read(&text).map_err(StoreError::Corrupt)? {
                Document::Manifest(manifest) => break manifest,
                Document::Index(index) if parts.len() < DEEPEST => {
                    next = choose(index).ok_or_else(|| no_match(target))?;
                }
                Document::Index(_) => return Err(no_match(target).into()),
            }
        };
        get(&manifest.config, Part::Config)?;
        let text = blobs.read(&manifest.config.digest)?;
        let config: Config = serde_json::from_slice(&text)
            .map_err(|error| StoreError::Corrupt(format!("invalid image config: {error}")))?;
        if config.rootfs.diff_ids.len() != manifest.layers.len() {
            let why = "mismatched image rootfs and manifest layers".to_owned();
            return Err(StoreError::Corrupt(why).into());
        }
        for layer in &manifest.layers {
            get(layer, Part::Layer)?;
        }
        let stored = manifest.layers.iter().chain([&next, &manifest.config]);
        let size = stored.map(|part| part.size).sum();
        let id = ImageId(manifest.config.digest.to_string());
        parts.push(manifest.config);
        parts.extend(manifest.layers.iter().cloned());
        Ok(Self {
            blobs: parts,
            id,
            layers: chained(manifest.layers, &config.rootfs.diff_ids),
            config,
            size,
        })
    }

    /// Follows a target whose parts are there.
    pub(crate) fn of(blobs: &Blobs, target: &Descriptor) -> Result<Self, StoreError> {
        Self::gather(blobs, target, |part, _| {
            if blobs.has(&part.digest) {
                Ok(())
            } else {
                Err(StoreError::missing(part))
            }
        })
    }
}

fn chained(blobs: Vec<Descriptor>, diff_ids: &[Digest]) -> Vec<Layer> {
    let mut below: Option<Digest> = None;
    let layers = blobs.into_iter().zip(diff_ids).map(|(blob, diff_id)| {
        let chain_id = match &below {
            Some(below) => Digest::of(format!("{below} {diff_id}").as_bytes()),
            None => diff_id.clone(),
        };
        below = Some(chain_id.clone());
        Layer {
            blob,
            diff_id: diff_id.clone(),
            chain_id,
        }
    });
    layers.collect()
}

/// What an index has for this machine: what says so, or else what doesn't say.
fn choose(index: Index) -> Option<Descriptor> {
    let mut manifests = index.manifests;
    let fits = |manifest: &Descriptor| manifest.platform.as_ref().is_some_and(|p| p.is_here());
    let chosen = manifests
        .iter()
        .position(fits)
        .or_else(|| manifests.iter().position(|m| m.platform.is_none()))?;
    Some(manifests.swap_remove(chosen))
}

fn no_match(target: &Descriptor) -> StoreError {
    let digest = &target.digest;
    StoreError::Corrupt(format!(
        "no match for platform in manifest {digest}: not found"
    ))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    /// The specification's rule on numbers that were computed by hand.
    #[test]
    fn a_layers_place_counts() {
        let blob = Descriptor::of("", b"");
        let (a, b) = (Digest::of(b"a"), Digest::of(b"b"));
        let layers = chained(vec![blob.clone(), blob], &[a.clone(), b]);
        assert_eq!(layers[0].chain_id, a);
        // printf 'sha256:%s sha256:%s' "$(printf a | sha256sum)" … | sha256sum
        assert_eq!(
            layers[1].chain_id.as_str(),
            "sha256:51c0c8ace48498d6f5fee6b0592cc06f2da0f3cbe09c5a34a97dce85c3889676"
        );
    }
}

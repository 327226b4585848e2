//! What `docker save` writes, and other programs as `docker-archive`: a list in `manifest.json` of
//! configurations and layers by file names.

use crate::compression::is_compressed;
use crate::document::{CONFIG, Descriptor, LAYER, LAYER_GZIP, MANIFEST, Manifest};
use crate::import::{Candidate, Source};
use crate::reference::Reference;
use crate::store::{Blobs, StoreError};
use serde::Deserialize;
use std::io::Read;

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Saved {
    config: String,
    #[serde(default)]
    repo_tags: Option<Vec<String>>,
    #[serde(default)]
    layers: Option<Vec<String>>,
}

/// The archive has no manifest in OCI's sense, so each image gets one here; its parts are kept at once.
pub(super) fn candidates(source: &mut Source, blobs: &Blobs) -> Result<Vec<Candidate>, StoreError> {
    let text = source.document("manifest.json")?;
    let saved: Vec<Saved> = serde_json::from_slice(&text)
        .map_err(|error| StoreError::Corrupt(format!("manifest.json: {error}")))?;
    saved
        .into_iter()
        .map(|image| candidate(source, blobs, image))
        .collect()
}

fn candidate(source: &mut Source, blobs: &Blobs, image: Saved) -> Result<Candidate, StoreError> {
    let config = source.document(&image.config)?;
    blobs.put(&config)?;
    let mut layers = Vec::new();
    for name in image.layers.unwrap_or_default() {
        layers.push(layer(source, blobs, &name)?);
    }
    let manifest = Manifest {
        schema_version: 2,
        media_type: Some(MANIFEST.to_owned()),
        config: Descriptor::of(CONFIG, &config),
        layers,
    };
    let text =
        serde_json::to_vec(&manifest).map_err(|error| StoreError::Corrupt(error.to_string()))?;
    blobs.put(&text)?;
    let tags = image.repo_tags.unwrap_or_default();
    let names: Vec<_> = tags.iter().flat_map(|tag| Reference::parse(tag)).collect();
    Ok(Candidate {
        target: Descriptor::of(MANIFEST, &text),
        unusable: tags.into_iter().next().filter(|_| names.is_empty()),
        names,
    })
}

fn layer(source: &mut Source, blobs: &Blobs, name: &str) -> Result<Descriptor, StoreError> {
    let mut file = source.file(name)?;
    let mut head = Vec::new();
    let read = file.by_ref().take(4).read_to_end(&mut head);
    read.map_err(|error| StoreError::Corrupt(format!("{name}: {error}")))?;
    let media_type = if is_compressed(&head) {
        LAYER_GZIP
    } else {
        LAYER
    };
    let (digest, size) = blobs.take_in((&head[..]).chain(file))?;
    Ok(Descriptor {
        digest,
        size,
        ..Descriptor::of(media_type, b"")
    })
}

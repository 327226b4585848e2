//! Writing what was built.

use crate::build::{Content, ImageBuilder, Layer};
use crate::digest::{Digest, Hasher};
use crate::document::{
    CONFIG, Config, Descriptor, Index, LAYER_GZIP, MANIFEST, Manifest, REF_NAME, RootFs,
};
use crate::reference::Reference;
use crate::store::fresh;
use crate::tar::{Entry, Kind, Writer};
use flate2::{Compression, write::GzEncoder};
use std::collections::HashMap;
use std::fs::{self, File};
use std::io::{self, BufWriter, Write};
use std::path::Path;

impl ImageBuilder {
    /// Writes an OCI image layout into a directory, made if it isn't there. Gives the image's digest.
    ///
    /// # Errors
    /// A file can't be read or written.
    pub fn write_layout(&self, directory: &Path, name: &Reference) -> io::Result<Digest> {
        let blobs = directory.join("blobs/sha256");
        fs::create_dir_all(&blobs)?;
        let (mut layers, mut diff_ids) = (Vec::new(), Vec::new());
        for layer in &self.layers {
            let (descriptor, diff_id) = write_layer(&blobs, layer)?;
            layers.push(descriptor);
            diff_ids.push(diff_id);
        }
        let config = Config {
            architecture: self.platform.architecture.clone(),
            os: self.platform.os.clone(),
            config: self.config.clone().into(),
            rootfs: RootFs {
                kind: "layers".to_owned(),
                diff_ids,
            },
        };
        let manifest = Manifest {
            schema_version: 2,
            media_type: Some(MANIFEST.to_owned()),
            config: write_document(&blobs, CONFIG, &config)?,
            layers,
        };
        let mut target = write_document(&blobs, MANIFEST, &manifest)?;
        let digest = target.digest.clone();
        target.platform = Some(self.platform.clone());
        target
            .annotations
            .insert(REF_NAME.to_owned(), name.to_string());
        let index = serde_json::to_vec(&Index::new(vec![target]))?;
        fs::write(directory.join("index.json"), index)?;
        let version = "{\"imageLayoutVersion\":\"1.0.0\"}";
        fs::write(directory.join("oci-layout"), version)?;
        Ok(digest)
    }

    /// Writes an archive of an OCI image layout. Gives the image's digest.
    ///
    /// # Errors
    /// A file can't be read or written.
    pub fn write_archive(&self, file: &Path, name: &Reference) -> io::Result<Digest> {
        let beside = file.parent().unwrap_or(Path::new("")).join(".");
        let layout = fresh(&beside).with_extension("oci");
        let written = self.write_layout(&layout, name).and_then(|digest| {
            let mut builder = Self::new();
            builder.tree(&layout, "")?;
            let archive = BufWriter::new(File::create(file)?);
            archived(archive, &builder.layers[0], |entry| {
                entry.mode = if entry.kind == Kind::Directory {
                    0o755
                } else {
                    0o644
                };
            })?
            .flush()?;
            Ok(digest)
        });
        // It may not have come to be.
        let _ = fs::remove_dir_all(&layout);
        written
    }
}

fn write_document(
    blobs: &Path,
    media_type: &str,
    document: &impl serde::Serialize,
) -> io::Result<Descriptor> {
    let text = serde_json::to_vec(document)?;
    let descriptor = Descriptor::of(media_type, &text);
    fs::write(blobs.join(descriptor.digest.hex()), text)?;
    Ok(descriptor)
}

/// Gives the layer as it is stored, and the digest of what is in it.
fn write_layer(blobs: &Path, layer: &Layer) -> io::Result<(Descriptor, Digest)> {
    let new = blobs.join("new");
    let outer = Hashing::new(BufWriter::new(File::create(&new)?));
    let inner = Hashing::new(GzEncoder::new(outer, Compression::default()));
    let written = archived(inner, layer, |_| {})?;
    let diff_id = written.hasher.finish();
    let mut stored = written.to.finish()?;
    stored.flush()?;
    let size = stored.size;
    let digest = stored.hasher.finish();
    fs::rename(new, blobs.join(digest.hex()))?;
    let descriptor = Descriptor {
        digest,
        size,
        ..Descriptor::of(LAYER_GZIP, b"")
    };
    Ok((descriptor, diff_id))
}

/// Writes members in the order of their paths. Of several names of one file the first gets the data.
fn archived<W: Write>(to: W, layer: &Layer, change: impl Fn(&mut Entry)) -> io::Result<W> {
    let mut writer = Writer::new(to);
    let mut seen: HashMap<(u64, u64), &Vec<u8>> = HashMap::new();
    for (path, member) in layer {
        let mut entry = member.entry.clone();
        change(&mut entry);
        match &member.content {
            Content::Bytes(bytes) => writer.append(&entry, &mut &bytes[..])?,
            Content::File { path: file, inode } => {
                let first = inode.map_or(path, |inode| *seen.entry(inode).or_insert(path));
                if first == path {
                    writer.append(&entry, &mut File::open(file)?)?;
                } else {
                    entry.kind = Kind::HardLink(first.clone());
                    entry.size = 0;
                    writer.append(&entry, &mut io::empty())?;
                }
            }
        }
    }
    writer.finish()
}

/// Writes through a hasher.
struct Hashing<W> {
    to: W,
    hasher: Hasher,
    size: u64,
}

impl<W: Write> Hashing<W> {
    fn new(to: W) -> Self {
        Self {
            to,
            hasher: Hasher::sha256(),
            size: 0,
        }
    }
}

impl<W: Write> Write for Hashing<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let count = self.to.write(bytes)?;
        self.hasher.update(&bytes[..count]);
        self.size += count as u64;
        Ok(count)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.to.flush()
    }
}

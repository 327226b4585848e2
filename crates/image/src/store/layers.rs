//! Unpacked layers, each in a directory called by its place in a stack of layers.

use crate::compression::decompressed;
use crate::digest::{Digest, Hashed, Hasher};
use crate::layer::{LayerError, Stack, unpack};
use crate::store::blobs::{Blobs, fresh};
use crate::store::content::{Content, Layer};
use crate::store::error::StoreError;
use crate::store::lock::{self, Held, Turns, locked};
use std::collections::{BTreeSet, HashMap};
use std::fs::{self, Permissions};
use std::io::{self, BufReader};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, Weak};

/// Keeps a layer from being removed, in other processes too, for as long as it is there.
pub(crate) type Lease = Arc<Held>;

#[derive(Debug)]
pub(crate) struct Layers {
    root: PathBuf,
    temporary: PathBuf,
    turns: Turns,
    leases: Mutex<HashMap<Digest, Weak<Held>>>,
}

impl Layers {
    pub(crate) fn open_at(root: PathBuf, temporary: PathBuf) -> io::Result<Self> {
        fs::create_dir_all(&root)?;
        // Set-uid programs of strangers are in there.
        fs::set_permissions(&root, Permissions::from_mode(0o700))?;
        Ok(Self {
            root,
            temporary,
            turns: Turns::default(),
            leases: Mutex::default(),
        })
    }

    fn path(&self, chain_id: &Digest) -> PathBuf {
        self.root.join(chain_id.hex())
    }

    /// Unpacks what isn't yet. Gives the directories, the top one first.
    pub(crate) fn unpacked(
        &self,
        blobs: &Blobs,
        content: &Content,
    ) -> Result<Vec<PathBuf>, StoreError> {
        let mut below = Vec::new();
        for layer in &content.layers {
            let path = self.path(&layer.chain_id);
            if !path.is_dir() {
                let _turn = self.turns.take(&layer.chain_id, None);
                if !path.is_dir() {
                    self.unpack(blobs, layer, &below, &path)?;
                }
            }
            below.insert(0, path);
        }
        Ok(below)
    }

    /// A layer has its name when it is whole.
    fn unpack(
        &self,
        blobs: &Blobs,
        layer: &Layer,
        below: &[PathBuf],
        to: &Path,
    ) -> Result<(), StoreError> {
        let new = fresh(&self.temporary);
        fs::create_dir(&new).map_err(StoreError::disk(&new))?;
        let done = self.fill(blobs, layer, below, &new).and_then(|()| {
            match fs::rename(&new, to) {
                // Another process was faster.
                Err(_) if to.is_dir() => discard(&new),
                renamed => renamed,
            }
            .map_err(StoreError::disk(to))
        });
        if done.is_err() {
            // A sweep removes what can't be removed now.
            let _ = discard(&new);
        }
        done
    }

    fn fill(
        &self,
        blobs: &Blobs,
        layer: &Layer,
        below: &[PathBuf],
        new: &Path,
    ) -> Result<(), StoreError> {
        // Whatever the umask is.
        fs::set_permissions(new, Permissions::from_mode(0o755)).map_err(StoreError::disk(new))?;
        let blob = blobs.open(&layer.blob.digest)?;
        let wrong = |error| StoreError::layer(&layer.diff_id, error);
        let broken = |error: io::Error| wrong(LayerError::Archive(error.to_string()));
        let stream = decompressed(blob).map_err(broken)?;
        let hashed = Hashed::new(stream, Hasher::like(&layer.diff_id));
        let mut archive = BufReader::with_capacity(1 << 16, hashed);
        unpack(&mut archive, new, Stack(below)).map_err(wrong)?;
        let found = archive.into_inner().finish().map_err(broken)?;
        if found == layer.diff_id {
            Ok(())
        } else {
            let found = found.as_str();
            let why = format!("wrong diff id calculated on extraction {found:?}");
            Err(wrong(LayerError::Archive(why)))
        }
    }

    /// Keeps layers that are there from being removed.
    pub(crate) fn lease(&self, content: &Content) -> Result<Vec<Lease>, StoreError> {
        let mut leases = locked(&self.leases);
        leases.retain(|_, lease| lease.strong_count() > 0);
        let layers = content.layers.iter().map(|layer| {
            if let Some(lease) = leases.get(&layer.chain_id).and_then(Weak::upgrade) {
                return Ok(lease);
            }
            let path = self.path(&layer.chain_id);
            let lease = Arc::new(lock::shared(&path).map_err(StoreError::disk(&path))?);
            leases.insert(layer.chain_id.clone(), Arc::downgrade(&lease));
            Ok(lease)
        });
        layers.collect()
    }

    /// Removes all layers but some, and those that are in use.
    pub(crate) fn retain(&self, live: &BTreeSet<Digest>) -> io::Result<()> {
        let live: BTreeSet<&str> = live.iter().map(Digest::hex).collect();
        for entry in fs::read_dir(&self.root)? {
            let path = entry?.path();
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            if live.contains(&*name) {
                continue;
            }
            if let Some(_alone) = lock::alone_now(&path)? {
                // Half of it is never under its name.
                let gone = fresh(&self.temporary);
                fs::rename(&path, &gone)?;
                discard(&gone)?;
            }
        }
        Ok(())
    }
}

/// Removes a directory with all that is in it. An ordinary user has to open closed directories first.
pub(crate) fn discard(path: &Path) -> io::Result<()> {
    match fs::remove_dir_all(path) {
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {
            open_up(path)?;
            fs::remove_dir_all(path)
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        other => other,
    }
}

fn open_up(path: &Path) -> io::Result<()> {
    fs::set_permissions(path, Permissions::from_mode(0o700))?;
    for entry in fs::read_dir(path)? {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            open_up(&entry.path())?;
        }
    }
    Ok(())
}

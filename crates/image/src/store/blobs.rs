//! Content by its digest, in the directory that an OCI image layout has for it. What is here was
//! checked when it came.

use crate::digest::{Digest, Hasher};
use crate::document::{Descriptor, LARGEST};
use crate::store::error::StoreError;
use crate::store::lock::Turns;
use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// Content by its digest.
#[derive(Debug)]
pub struct Blobs {
    root: PathBuf,
    temporary: PathBuf,
    turns: Turns,
}

/// So long somebody else may take to get what is wanted here too.
const PATIENCE: Duration = Duration::from_secs(15);

static COUNT: AtomicU64 = AtomicU64::new(0);

/// A name that nothing else uses. What is left under it is removed by a sweep.
pub(crate) fn fresh(directory: &Path) -> PathBuf {
    let count = COUNT.fetch_add(1, Ordering::Relaxed);
    directory.join(format!("{}-{count}", std::process::id()))
}

impl Blobs {
    pub(crate) fn open_at(root: PathBuf, temporary: PathBuf) -> io::Result<Self> {
        for algorithm in ["sha256", "sha512"] {
            fs::create_dir_all(root.join(algorithm))?;
        }
        Ok(Self {
            root,
            temporary,
            turns: Turns::default(),
        })
    }

    /// Where content with this digest is, if it is there.
    pub fn path(&self, digest: &Digest) -> PathBuf {
        self.root.join(digest.algorithm()).join(digest.hex())
    }

    /// Whether content is there.
    pub fn has(&self, digest: &Digest) -> bool {
        self.path(digest).is_file()
    }

    /// Opens content.
    ///
    /// # Errors
    /// It isn't there, or the disk refuses.
    pub fn open(&self, digest: &Digest) -> Result<File, StoreError> {
        let path = self.path(digest);
        match File::open(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                Err(StoreError::Missing(digest.to_string()))
            }
            opened => opened.map_err(StoreError::disk(&path)),
        }
    }

    /// The text of a document.
    ///
    /// # Errors
    /// It isn't there, is too large for a document, or the disk refuses.
    pub fn read(&self, digest: &Digest) -> Result<Vec<u8>, StoreError> {
        let file = self.open(digest)?;
        let mut text = Vec::new();
        let read = file.take(LARGEST + 1).read_to_end(&mut text);
        read.map_err(StoreError::disk(&self.path(digest)))?;
        if text.len() as u64 > LARGEST {
            return Err(StoreError::Corrupt(format!("{digest} is too large")));
        }
        Ok(text)
    }

    /// Keeps a document.
    ///
    /// # Errors
    /// The disk refuses.
    pub fn put(&self, text: &[u8]) -> Result<Digest, StoreError> {
        let mut incoming = self.incoming(Hasher::sha256())?;
        incoming.write(text)?;
        incoming.keep(&self.root).map(|(digest, _)| digest)
    }

    /// Keeps content of unknown digest.
    pub(crate) fn take_in(&self, mut content: impl Read) -> Result<(Digest, u64), StoreError> {
        let mut incoming = self.incoming(Hasher::sha256())?;
        incoming.copy(&mut content)?;
        incoming.keep(&self.root)
    }

    /// Gets content that isn't there, `by` writing it. Whoever wants the same waits meanwhile, though not
    /// for long: the other's network may be worse. Gives whether it was got now. Content that isn't what
    /// the descriptor says is thrown away.
    ///
    /// # Errors
    /// `by` fails, the content is something else, or the disk refuses.
    pub fn obtain<E: From<StoreError>>(
        &self,
        what: &Descriptor,
        by: impl FnOnce(&mut Incoming) -> Result<(), E>,
    ) -> Result<bool, E> {
        let _turn = self.turns.take(&what.digest, Some(PATIENCE));
        if self.has(&what.digest) {
            return Ok(false);
        }
        let mut incoming = self.incoming(Hasher::like(&what.digest))?;
        by(&mut incoming)?;
        incoming.check(what)?;
        incoming.keep(&self.root)?;
        Ok(true)
    }

    fn incoming(&self, hasher: Hasher) -> Result<Incoming, StoreError> {
        let path = fresh(&self.temporary);
        let file = File::create_new(&path).map_err(StoreError::disk(&path))?;
        Ok(Incoming {
            path,
            file,
            hasher,
            size: 0,
        })
    }

    /// Removes all content but some.
    pub(crate) fn retain(&self, live: &BTreeSet<Digest>) -> io::Result<()> {
        for algorithm in ["sha256", "sha512"] {
            for entry in fs::read_dir(self.root.join(algorithm))? {
                let entry = entry?;
                let name = entry.file_name();
                let digest = Digest::parse(&format!("{algorithm}:{}", name.to_string_lossy()));
                if digest.is_ok_and(|digest| live.contains(&digest)) {
                    continue;
                }
                fs::remove_file(entry.path())?;
            }
        }
        Ok(())
    }
}

/// Content that is coming in.
#[derive(Debug)]
pub struct Incoming {
    path: PathBuf,
    file: File,
    hasher: Hasher,
    size: u64,
}

impl Incoming {
    /// Adds a piece.
    ///
    /// # Errors
    /// The disk refuses.
    pub fn write(&mut self, piece: &[u8]) -> Result<(), StoreError> {
        let written = self.file.write_all(piece);
        written.map_err(StoreError::disk(&self.path))?;
        self.hasher.update(piece);
        self.size += piece.len() as u64;
        Ok(())
    }

    /// Adds all of a stream.
    pub(crate) fn copy(&mut self, content: &mut dyn Read) -> Result<(), StoreError> {
        let mut buffer = vec![0; 1 << 16];
        loop {
            match content.read(&mut buffer) {
                Ok(0) => return Ok(()),
                Ok(count) => self.write(&buffer[..count])?,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(StoreError::Corrupt(error.to_string())),
            }
        }
    }

    /// Bytes so far.
    pub fn size(&self) -> u64 {
        self.size
    }

    /// Whether it is what was promised; containerd's words if not.
    fn check(&self, what: &Descriptor) -> Result<(), StoreError> {
        let (size, digest) = (self.size, self.hasher.clone().finish());
        if size != what.size {
            let expected = what.size;
            return Err(StoreError::Corrupt(format!(
                "unexpected commit size {size}, expected {expected}: failed precondition"
            )));
        }
        if digest != what.digest {
            let expected = &what.digest;
            return Err(StoreError::Corrupt(format!(
                "unexpected commit digest {digest}, expected {expected}: failed precondition"
            )));
        }
        Ok(())
    }

    fn keep(self, root: &Path) -> Result<(Digest, u64), StoreError> {
        let digest = self.hasher.clone().finish();
        let to = root.join(digest.algorithm()).join(digest.hex());
        // On the disk before it has its name: a name with less behind it would be believed.
        let kept = self.file.sync_data();
        kept.and_then(|()| fs::rename(&self.path, &to))
            .map_err(StoreError::disk(&to))?;
        Ok((digest, self.size))
    }
}

impl Drop for Incoming {
    fn drop(&mut self) {
        // Gone already if it was kept.
        let _ = fs::remove_file(&self.path);
    }
}

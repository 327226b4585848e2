//! Snapshots: a lab's state as one file.
//!
//! The file is text: a line that says what it is, a line a key file, a line a record of the store,
//! and a last line with the count and the hash of all before it, so that half a file is known for
//! one. It holds the lab's private keys. Guests' disks are not in it: a lab that comes back starts
//! its instances from fresh ones anyway.

use crate::cloud::{self, RestoreError};
use crate::lock::{LockError, StateLock};
use crate::paths::{PathsError, StateDir};
use crate::private_file::{self, sync_directory};
use crate::store::{Record, Store, StoreError};
use aws::model::RecordChange;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::fs;
use std::io::{self, BufRead, BufWriter, Write};
use std::path::{Path, PathBuf};

/// The version of the file's form.
const VERSION: u32 = 1;
/// No line of a snapshot is longer.
const LONGEST: u64 = 64 << 20;

/// One line.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Line {
    /// The first.
    Snapshot {
        version: u32,
        /// Which Skylab wrote it.
        skylab: String,
        /// The form of the store's records.
        store: String,
        /// When, in seconds since 1970.
        saved: i64,
    },
    /// A file of the state directory.
    File { name: String, data: String },
    /// A record of the store.
    Record {
        table: String,
        key: String,
        data: String,
    },
    /// The last.
    End { records: usize, sha256: String },
}

/// What a snapshot holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Saved {
    /// Records of the store.
    pub records: usize,
}

/// Why a snapshot can't be saved or loaded.
#[derive(Debug, thiserror::Error)]
#[allow(missing_docs)] // each is what its message says
pub enum SnapshotError {
    #[error("there is nothing to save in {}; start a lab there with: skylab up", .0.display())]
    Empty(PathBuf),
    #[error("it can't be written: {0}")]
    Write(#[source] io::Error),
    #[error("it can't be read: {0}")]
    Read(#[source] io::Error),
    #[error("it is no snapshot of a lab")]
    Foreign,
    #[error("it is damaged: {0}")]
    Damaged(&'static str),
    #[error(
        "it is of another version (snapshot {version}, store {store:?}); use Skylab {skylab}, which wrote it"
    )]
    Version {
        version: u32,
        store: String,
        skylab: String,
    },
    #[error("{} holds a lab already; --force replaces it", .0.display())]
    Occupied(PathBuf),
    #[error("a lab runs on this state; end it first with: skylab down")]
    Running,
    #[error(transparent)]
    Lock(LockError),
    #[error(transparent)]
    Paths(#[from] PathsError),
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error("it can't be restored: {0}")]
    Restore(#[from] RestoreError),
    #[error("the state {} can't be changed: {source}", path.display())]
    State { path: PathBuf, source: io::Error },
}

impl From<LockError> for SnapshotError {
    fn from(error: LockError) -> Self {
        match error {
            LockError::Held => Self::Running,
            other @ LockError::File(_) => Self::Lock(other),
        }
    }
}

/// Saves the state that a store holds: all that was acknowledged when this began, with the keys
/// beside it. The store may be in use.
///
/// # Errors
/// The state can't be read or the snapshot not be written.
pub fn save(state: &StateDir, store: &Store, out: impl Write) -> Result<Saved, SnapshotError> {
    let records = store.load()?;
    let mut out = Hashing::new(BufWriter::new(out));
    out.line(&Line::Snapshot {
        version: VERSION,
        skylab: env!("CARGO_PKG_VERSION").to_owned(),
        store: crate::store::FORMAT.to_owned(),
        saved: cloud::unix_time(),
    })?;
    for path in state.keys() {
        if let Some(contents) = private_file::read(&path).map_err(SnapshotError::Read)? {
            out.line(&Line::File {
                name: name(&path).to_owned(),
                data: STANDARD.encode(contents),
            })?;
        }
    }
    let saved = Saved {
        records: records.len(),
    };
    for record in records {
        out.line(&Line::Record {
            table: record.table,
            key: record.key,
            data: STANDARD.encode(record.value),
        })?;
    }
    let sha256 = out.digest();
    out.line(&Line::End {
        records: saved.records,
        sha256,
    })?;
    out.out.flush().map_err(SnapshotError::Write)?;
    Ok(saved)
}

/// Saves the state of a lab that doesn't run.
///
/// # Errors
/// One runs, there is no state, or the snapshot can't be written.
pub fn save_stopped(state: &StateDir, out: impl Write) -> Result<Saved, SnapshotError> {
    if !state.store().exists() {
        return Err(SnapshotError::Empty(state.path().to_owned()));
    }
    let _lock = StateLock::take(state)?;
    let store = Store::open(&state.store())?;
    save(state, &store, out)
}

/// A snapshot, read and found whole.
pub struct Snapshot {
    files: Vec<(String, Vec<u8>)>,
    records: Vec<Record>,
}

impl Snapshot {
    /// Reads a snapshot.
    ///
    /// # Errors
    /// It is none, is damaged, or is of another version.
    pub fn read(mut from: impl BufRead) -> Result<Self, SnapshotError> {
        let mut digest = Sha256::new();
        let mut snapshot = Self {
            files: Vec::new(),
            records: Vec::new(),
        };
        head(
            &next(&mut from)?.ok_or(SnapshotError::Foreign)?,
            &mut digest,
        )?;
        loop {
            let text = next(&mut from)?.ok_or(SnapshotError::Damaged("its end is missing"))?;
            let line = serde_json::from_slice(&text);
            match line.map_err(|_| SnapshotError::Damaged("a line can't be read"))? {
                Line::Snapshot { .. } => return Err(SnapshotError::Damaged("it begins twice")),
                Line::File { name, data } => snapshot.files.push((name, decoded(&data)?)),
                Line::Record { table, key, data } => snapshot.records.push(Record {
                    table,
                    key,
                    value: decoded(&data)?,
                }),
                Line::End { records, sha256 } => {
                    if records != snapshot.records.len() || sha256 != hex(digest) {
                        return Err(SnapshotError::Damaged("its contents don't match its hash"));
                    }
                    return match next(&mut from)? {
                        None => Ok(snapshot),
                        Some(_) => Err(SnapshotError::Damaged("it goes on after its end")),
                    };
                }
            }
            digest.update(&text);
        }
    }

    /// Makes a state directory hold what the snapshot holds. With `force` what is there goes. Until
    /// the new state is complete on the disk and known to be readable nothing of the old is touched.
    ///
    /// # Errors
    /// A lab runs there or, without `force`, has its state there; the snapshot can't be restored by
    /// this version; the directory can't be written.
    pub fn load(self, state: &StateDir, force: bool) -> Result<Saved, SnapshotError> {
        state.create()?;
        let _lock = StateLock::take(state)?;
        if state.store().exists() && !force {
            return Err(SnapshotError::Occupied(state.path().to_owned()));
        }
        let loading = StateDir::choose(Some(&state.path().join("loading")))?;
        let failed = |source| SnapshotError::State {
            path: state.path().to_owned(),
            source,
        };
        remove_all(loading.path()).map_err(failed)?;
        loading.create()?;
        let saved = self.write(&loading).inspect_err(|_| {
            // What went wrong is more than what is left of it.
            let _ = remove_all(loading.path());
        })?;
        take_over(state, &loading).map_err(failed)?;
        Ok(saved)
    }

    fn write(self, state: &StateDir) -> Result<Saved, SnapshotError> {
        let failed = |source| SnapshotError::State {
            path: state.path().to_owned(),
            source,
        };
        let known: Vec<PathBuf> = state.keys().into();
        for (of, contents) in &self.files {
            let path = known.iter().find(|path| name(path) == of);
            let path = path.ok_or(SnapshotError::Damaged("it has a file that no lab has"))?;
            private_file::write(path, contents).map_err(failed)?;
        }
        let saved = Saved {
            records: self.records.len(),
        };
        let changes: Vec<RecordChange> = self
            .records
            .into_iter()
            .map(|record| RecordChange {
                table: record.table.into(),
                key: record.key,
                value: Some(record.value),
            })
            .collect();
        let store = Store::open(&state.store())?;
        store.commit(&changes)?;
        let none = || Err(io::Error::other("it has no account"));
        cloud::restore(&store, none)?;
        Ok(saved)
    }
}

/// Puts a complete state in the place of another. The store goes first and comes last: a crash in
/// between leaves a directory without a lab, never one with another lab's keys.
fn take_over(state: &StateDir, loading: &StateDir) -> io::Result<()> {
    let gone = [state.store(), state.log(), state.socket()];
    for path in gone.into_iter().chain(state.keys()) {
        match fs::remove_file(&path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
    }
    sync_directory(&state.store())?;
    for (new, place) in loading.keys().into_iter().zip(state.keys()) {
        match fs::rename(&new, &place) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
    }
    sync_directory(&state.store())?;
    fs::rename(loading.store(), state.store())?;
    sync_directory(&state.store())?;
    remove_all(loading.path())
}

fn remove_all(path: &Path) -> io::Result<()> {
    match fs::remove_dir_all(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

/// A file's name in its directory; those of a state are plain ASCII.
fn name(path: &Path) -> &str {
    path.file_name()
        .and_then(|name| name.to_str())
        .unwrap_or_default()
}

/// The first line says what it is.
fn head(text: &[u8], digest: &mut Sha256) -> Result<(), SnapshotError> {
    match serde_json::from_slice(text) {
        Ok(Line::Snapshot {
            version,
            store,
            skylab,
            ..
        }) if version != VERSION || store != crate::store::FORMAT => Err(SnapshotError::Version {
            version,
            store,
            skylab,
        }),
        Ok(Line::Snapshot { .. }) => {
            digest.update(text);
            Ok(())
        }
        _ => Err(SnapshotError::Foreign),
    }
}

/// The next line with its end, if there is one.
fn next(from: &mut impl BufRead) -> Result<Option<Vec<u8>>, SnapshotError> {
    let mut line = Vec::new();
    io::Read::take(from.by_ref(), LONGEST)
        .read_until(b'\n', &mut line)
        .map_err(SnapshotError::Read)?;
    Ok((!line.is_empty()).then_some(line))
}

fn decoded(text: &str) -> Result<Vec<u8>, SnapshotError> {
    STANDARD
        .decode(text)
        .map_err(|_| SnapshotError::Damaged("a line can't be read"))
}

fn hex(digest: Sha256) -> String {
    format!("{:x}", digest.finalize())
}

/// Writes lines and hashes what it writes.
struct Hashing<W> {
    out: W,
    digest: Sha256,
}

impl<W: Write> Hashing<W> {
    fn new(out: W) -> Self {
        Self {
            out,
            digest: Sha256::new(),
        }
    }

    fn line(&mut self, line: &Line) -> Result<(), SnapshotError> {
        let mut text =
            serde_json::to_vec(line).map_err(|error| SnapshotError::Write(error.into()))?;
        text.push(b'\n');
        self.digest.update(&text);
        self.out.write_all(&text).map_err(SnapshotError::Write)
    }

    /// The hash of what was written so far.
    fn digest(&self) -> String {
        hex(self.digest.clone())
    }
}

#[cfg(test)]
mod tests;

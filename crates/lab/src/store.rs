//! The store: what was acknowledged, and survives.
//!
//! One file, crash-safe (redb). It knows tables and keys, not what they mean, so that another
//! engine could stand behind the same four functions.

use aws::model::RecordChange;
use redb::backends::FileBackend;
use redb::{Database, ReadableDatabase, ReadableTable, TableDefinition};
use std::fs::OpenOptions;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

/// Records by table and key.
const RECORDS: TableDefinition<'_, (&str, &str), &[u8]> = TableDefinition::new("records");
/// What the file is.
const ABOUT: TableDefinition<'_, &str, &str> = TableDefinition::new("about");
/// The version of the records' form. A later version migrates from this one or refuses it.
pub(crate) const FORMAT: &str = "1";

/// A store, open.
pub struct Store {
    database: Database,
    path: PathBuf,
}

/// One record, as it was committed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// Its table.
    pub table: String,
    /// Its key.
    pub key: String,
    /// Its value.
    pub value: Vec<u8>,
}

/// Why the store can't be used.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// It can't be opened: no rights, no space, damaged.
    #[error("the store {} can't be opened: {source}; `skylab reset` begins a new one", path.display())]
    Open {
        /// The file.
        path: PathBuf,
        /// What redb says.
        source: redb::Error,
    },
    /// Another version of Skylab wrote it.
    #[error("the store {} has format {found:?} and this Skylab reads format {FORMAT:?}; use the Skylab that wrote it, or `skylab reset`", path.display())]
    Format {
        /// The file.
        path: PathBuf,
        /// The format it has.
        found: String,
    },
    /// Reading or writing failed.
    #[error("the store {} failed: {source}", path.display())]
    Access {
        /// The file.
        path: PathBuf,
        /// What redb says.
        source: redb::Error,
    },
}

impl Store {
    /// Opens a store, or begins one.
    ///
    /// # Errors
    /// It is damaged, of another version, or can't be opened.
    pub fn open(path: &Path) -> Result<Self, StoreError> {
        let open = || -> Result<Database, redb::Error> {
            let file = OpenOptions::new()
                .read(true)
                .write(true)
                .create(true)
                .truncate(false)
                .mode(0o600)
                .open(path)?;
            Ok(redb::Builder::new()
                .set_cache_size(8 << 20)
                .create_with_backend(FileBackend::new(file)?)?)
        };
        let database = open().map_err(|source| StoreError::Open {
            path: path.to_owned(),
            source,
        })?;
        let store = Self {
            database,
            path: path.to_owned(),
        };
        match store.format().map_err(|source| store.failed(source))? {
            found if found == FORMAT => Ok(store),
            found => Err(StoreError::Format {
                path: path.to_owned(),
                found,
            }),
        }
    }

    /// The file's format; a file without one is new and gets this version's.
    fn format(&self) -> Result<String, redb::Error> {
        let transaction = self.database.begin_write()?;
        let found = {
            let mut about = transaction.open_table(ABOUT)?;
            let found = about.get("format")?.map(|found| found.value().to_owned());
            match found {
                Some(found) => found,
                None => {
                    about.insert("format", FORMAT)?;
                    transaction.open_table(RECORDS)?;
                    FORMAT.to_owned()
                }
            }
        };
        transaction.commit()?;
        Ok(found)
    }

    /// All records.
    ///
    /// # Errors
    /// The file can't be read.
    pub fn load(&self) -> Result<Vec<Record>, StoreError> {
        let load = || -> Result<Vec<Record>, redb::Error> {
            let transaction = self.database.begin_read()?;
            let records = transaction.open_table(RECORDS)?;
            let mut all = Vec::new();
            for entry in records.iter()? {
                let (key, value) = entry?;
                let (table, key) = key.value();
                all.push(Record {
                    table: table.to_owned(),
                    key: key.to_owned(),
                    value: value.value().to_owned(),
                });
            }
            Ok(all)
        };
        load().map_err(|source| self.failed(source))
    }

    /// Writes changes, all or none. When this returns they survive a crash and a power cut.
    ///
    /// # Errors
    /// The file can't be written; nothing was.
    pub fn commit(&self, changes: &[RecordChange]) -> Result<(), StoreError> {
        let commit = || -> Result<(), redb::Error> {
            let transaction = self.database.begin_write()?;
            {
                let mut records = transaction.open_table(RECORDS)?;
                for change in changes {
                    let key = (change.table.as_ref(), change.key.as_str());
                    match &change.value {
                        Some(value) => records.insert(key, value.as_slice())?,
                        None => records.remove(key)?,
                    };
                }
            }
            transaction.commit()?;
            Ok(())
        };
        commit().map_err(|source| self.failed(source))
    }

    fn failed(&self, source: redb::Error) -> StoreError {
        StoreError::Access {
            path: self.path.clone(),
            source,
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn change(key: &str, value: Option<&[u8]>) -> RecordChange {
        RecordChange {
            table: "vpcs".into(),
            key: key.to_owned(),
            value: value.map(<[u8]>::to_vec),
        }
    }

    fn scratch(name: &str) -> PathBuf {
        std::env::temp_dir().join(format!("skylab-store-{name}-{}", std::process::id()))
    }

    /// OPS-STATE: what was committed is there after the file is opened again.
    #[test]
    fn committed_records_come_back() {
        let path = scratch("back");
        let store = Store::open(&path).unwrap();
        store
            .commit(&[change("a", Some(b"1")), change("b", Some(b"2"))])
            .unwrap();
        store
            .commit(&[change("a", None), change("b", Some(b"3"))])
            .unwrap();
        drop(store);
        let records = Store::open(&path).unwrap().load().unwrap();
        assert_eq!(
            records,
            [Record {
                table: "vpcs".into(),
                key: "b".into(),
                value: b"3".to_vec()
            }]
        );
        std::fs::remove_file(&path).unwrap();
    }

    #[test]
    fn a_file_that_is_no_store_is_refused_in_words() {
        let path = scratch("damaged");
        std::fs::write(&path, vec![7; 8192]).unwrap();
        let message = Store::open(&path).err().unwrap().to_string();
        assert!(message.contains("skylab reset"), "{message}");
        std::fs::remove_file(&path).unwrap();
    }

    #[test]
    fn another_format_is_refused_in_words() {
        let path = scratch("format");
        let store = Store::open(&path).unwrap();
        let transaction = store.database.begin_write().unwrap();
        transaction
            .open_table(ABOUT)
            .unwrap()
            .insert("format", "99")
            .unwrap();
        transaction.commit().unwrap();
        drop(store);
        assert!(
            matches!(Store::open(&path), Err(StoreError::Format { found, .. }) if found == "99")
        );
        std::fs::remove_file(&path).unwrap();
    }
}

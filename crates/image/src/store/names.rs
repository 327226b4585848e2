//! What images are called, and by whom: `index.json` for everybody, a file in `nodes/` for each node.
//! Both are OCI indexes, so that other programs can read the store as an image layout.

use crate::document::{Descriptor, Index, REF_NAME};
use crate::reference::Reference;
use crate::store::error::StoreError;
use crate::store::lock;
use std::fmt::Write as _;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

/// Who has images.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Holder {
    /// Everybody: images that a user imported.
    Everybody,
    /// One node, which pulled them.
    Node(String),
}

/// A name, and what it stands for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Name {
    pub(crate) reference: Reference,
    pub(crate) target: Descriptor,
}

#[derive(Debug)]
pub(crate) struct Names {
    root: PathBuf,
}

impl Names {
    pub(crate) fn open_at(root: &Path) -> io::Result<Self> {
        fs::create_dir_all(root.join("nodes"))?;
        fs::write(
            root.join("oci-layout"),
            "{\"imageLayoutVersion\":\"1.0.0\"}",
        )?;
        let names = Self {
            root: root.to_owned(),
        };
        if !names.path(&Holder::Everybody).exists() {
            let changed = names.change(&Holder::Everybody, |_| {});
            changed.map_err(io::Error::other)?;
        }
        Ok(names)
    }

    fn path(&self, holder: &Holder) -> PathBuf {
        match holder {
            Holder::Everybody => self.root.join("index.json"),
            Holder::Node(node) => self.root.join("nodes").join(file_of(node)),
        }
    }

    /// The nodes that have something.
    pub(crate) fn nodes(&self) -> Result<Vec<String>, StoreError> {
        let directory = self.root.join("nodes");
        let entries = fs::read_dir(&directory).map_err(StoreError::disk(&directory))?;
        let names = entries.map(|entry| {
            let entry = entry.map_err(StoreError::disk(&directory))?;
            Ok(node_of(&entry.file_name().to_string_lossy()))
        });
        names.collect()
    }

    /// What a holder has.
    pub(crate) fn of(&self, holder: &Holder) -> Result<Vec<Name>, StoreError> {
        read(&self.path(holder))
    }

    /// What anybody has.
    pub(crate) fn all(&self) -> Result<Vec<Name>, StoreError> {
        let mut all = self.of(&Holder::Everybody)?;
        for node in self.nodes()? {
            all.extend(self.of(&Holder::Node(node))?);
        }
        Ok(all)
    }

    /// Changes what a holder has.
    pub(crate) fn change<T>(
        &self,
        holder: &Holder,
        how: impl FnOnce(&mut Vec<Name>) -> T,
    ) -> Result<T, StoreError> {
        let lock = self.root.join("names.lock");
        let _alone = lock::alone(&lock).map_err(StoreError::disk(&lock))?;
        let path = self.path(holder);
        let mut names = read(&path)?;
        let result = how(&mut names);
        names.sort_by(|a, b| a.reference.cmp(&b.reference));
        // Not where a sweep removes what is being made: only who has the lock writes this.
        let new = self.root.join("names.new");
        write(&new, &path, names).map_err(StoreError::disk(&path))?;
        Ok(result)
    }

    /// Forgets a node.
    pub(crate) fn forget(&self, node: &str) -> Result<(), StoreError> {
        let path = self.path(&Holder::Node(node.to_owned()));
        match fs::remove_file(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            removed => removed.map_err(StoreError::disk(&path)),
        }
    }
}

/// A name may hold anything, and a file's name may not.
fn file_of(node: &str) -> String {
    let mut file = String::new();
    for byte in node.bytes() {
        // Writing to a string can't fail.
        let _ = match byte {
            b'a'..=b'z' | b'0'..=b'9' | b'-' => write!(file, "{}", char::from(byte)),
            b'.' if !file.is_empty() => write!(file, "."),
            _ => write!(file, "%{byte:02X}"),
        };
    }
    file
}

fn node_of(file: &str) -> String {
    let mut parts = file.split('%');
    let mut node = parts.next().unwrap_or_default().as_bytes().to_vec();
    for part in parts {
        let (digits, rest) = part.split_at_checked(2).unwrap_or((part, ""));
        node.extend(u8::from_str_radix(digits, 16));
        node.extend_from_slice(rest.as_bytes());
    }
    String::from_utf8_lossy(&node).into_owned()
}

fn read(path: &Path) -> Result<Vec<Name>, StoreError> {
    let text = match fs::read(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        text => text.map_err(StoreError::disk(path))?,
    };
    let index: Index = serde_json::from_slice(&text).map_err(|error| {
        let path = path.display();
        StoreError::Corrupt(format!("{path}: {error}"))
    })?;
    let named = index.manifests.into_iter().filter_map(|mut target| {
        let name = target.annotations.remove(REF_NAME)?;
        let reference = Reference::parse(&name).ok()?;
        Some(Name { reference, target })
    });
    Ok(named.collect())
}

fn write(new: &Path, path: &Path, names: Vec<Name>) -> io::Result<()> {
    let manifests = names.into_iter().map(|name| {
        let mut target = name.target;
        let annotation = (REF_NAME.to_owned(), name.reference.to_string());
        target.annotations.extend([annotation]);
        target
    });
    let text = serde_json::to_vec(&Index::new(manifests.collect()))?;
    fs::write(new, text)?;
    fs::rename(new, path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_name_becomes_a_file() {
        for node in [
            "ip-10-0-0-1.ec2.internal",
            "lab/cluster/Node_1",
            "..",
            ".a",
            "%2e",
            "é",
        ] {
            let file = file_of(node);
            assert!(!file.contains('/') && !file.starts_with('.'), "{file}");
            assert_eq!(node_of(&file), node);
        }
    }
}

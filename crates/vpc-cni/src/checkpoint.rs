//! The file that keeps assignments over the agent's end, in upstream's form.
//!
//! ```json
//! {"version": "vpc-cni-ipam/1", "allocations": [{"networkName": "aws-cni", "containerID": "c1",
//!   "ifName": "eth0", "ipv4": "10.0.0.5", "allocationTimestamp": 1700000000000000000,
//!   "metadata": {"k8sPodNamespace": "default", "k8sPodName": "web"}}]}
//! ```

use crate::datastore::{Allocation, Owner};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, Write};
use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};

const VERSION: &str = "vpc-cni-ipam/1";
/// The file's times are in nanoseconds.
const NANOSECONDS: u64 = 1_000_000;

/// Who has what.
pub type Allocations = BTreeMap<Owner, Allocation>;

/// Why the file can't be used.
#[derive(Debug, thiserror::Error)]
pub enum CheckpointError {
    /// It can't be read or written.
    #[error("{path}: {source}")]
    File {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// It holds something else.
    #[error("{path}: {why}")]
    Format {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        why: String,
    },
}

#[derive(Serialize, Deserialize)]
struct Document {
    version: String,
    allocations: Vec<Entry>,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Entry {
    network_name: String,
    #[serde(rename = "containerID")]
    container_id: String,
    if_name: String,
    ipv4: Ipv4Addr,
    allocation_timestamp: u64,
    #[serde(default)]
    metadata: Metadata,
}

#[derive(Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Metadata {
    k8s_pod_namespace: String,
    k8s_pod_name: String,
}

fn file(path: &Path) -> impl FnOnce(io::Error) -> CheckpointError + '_ {
    move |source| CheckpointError::File {
        path: path.to_owned(),
        source,
    }
}

fn format(path: &Path, why: impl ToString) -> CheckpointError {
    CheckpointError::Format {
        path: path.to_owned(),
        why: why.to_string(),
    }
}

/// What a file holds; nothing where there is none.
///
/// # Errors
/// It can't be read, or has another form.
pub fn read(path: &Path) -> Result<Allocations, CheckpointError> {
    let text = match fs::read(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Allocations::new()),
        read => read.map_err(file(path))?,
    };
    let document: Document = serde_json::from_slice(&text).map_err(|error| format(path, error))?;
    if document.version != VERSION {
        return Err(format(
            path,
            format_args!(
                "unknown backing store format version {:?}",
                document.version
            ),
        ));
    }
    let entries = document.allocations.into_iter();
    Ok(entries.map(Entry::into_allocation).collect())
}

/// Puts assignments in the place of all that a file held: it holds either those or what it held, whenever
/// the program or the machine ends.
///
/// # Errors
/// It can't be written.
pub fn write(path: &Path, allocations: &Allocations) -> Result<(), CheckpointError> {
    let document = Document {
        version: VERSION.to_owned(),
        allocations: allocations.iter().map(Entry::of).collect(),
    };
    let text = serde_json::to_vec(&document).map_err(|error| format(path, error))?;
    let beside = path.with_extension("json.new");
    let mut fresh = File::create(&beside).map_err(file(&beside))?;
    fresh.write_all(&text).map_err(file(&beside))?;
    fresh.sync_data().map_err(file(&beside))?;
    fs::rename(&beside, path).map_err(file(path))
}

impl Entry {
    fn of((owner, allocation): (&Owner, &Allocation)) -> Self {
        Self {
            network_name: owner.network.clone(),
            container_id: owner.container.clone(),
            if_name: owner.link.clone(),
            ipv4: allocation.address,
            allocation_timestamp: allocation.made * NANOSECONDS,
            metadata: Metadata {
                k8s_pod_namespace: allocation.namespace.clone(),
                k8s_pod_name: allocation.pod.clone(),
            },
        }
    }

    fn into_allocation(self) -> (Owner, Allocation) {
        let owner = Owner {
            network: self.network_name,
            container: self.container_id,
            link: self.if_name,
        };
        let allocation = Allocation {
            address: self.ipv4,
            namespace: self.metadata.k8s_pod_namespace,
            pod: self.metadata.k8s_pod_name,
            made: self.allocation_timestamp / NANOSECONDS,
        };
        (owner, allocation)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    /// AWS-CNI: the file has upstream's form, and comes back as it was; a half-written one beside it, as a
    /// crash leaves it, changes nothing.
    #[test]
    fn the_file_survives_a_crash() {
        let folder = std::env::temp_dir().join(format!("vpc-cni-{}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        let path = folder.join("ipam.json");
        assert!(read(&path).unwrap().is_empty());
        let upstream = r#"{"version":"vpc-cni-ipam/1","allocations":[{"networkName":"aws-cni",
            "containerID":"c1","ifName":"eth0","ipv4":"10.0.0.5","allocationTimestamp":1700000000000000000,
            "metadata":{"k8sPodNamespace":"default","k8sPodName":"web","interfacesCount":1}}]}"#;
        fs::write(&path, upstream).unwrap();
        let all = read(&path).unwrap();
        let (owner, allocation) = all.first_key_value().unwrap();
        assert_eq!(owner.container, "c1");
        assert_eq!(allocation.pod, "web");
        assert_eq!(allocation.made, 1_700_000_000_000);
        write(&path, &all).unwrap();
        fs::write(path.with_extension("json.new"), "{\"version\": \"vpc-").unwrap();
        assert_eq!(read(&path).unwrap(), all);
        fs::write(&path, r#"{"version":"vpc-cni-ipam/9","allocations":[]}"#).unwrap();
        assert!(read(&path).unwrap_err().to_string().contains("version"));
        fs::remove_dir_all(&folder).unwrap();
    }
}

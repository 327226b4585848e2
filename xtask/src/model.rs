//! AWS's service model, as botocore carries it.

use serde::Deserialize;
use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;

/// A service's model.
#[derive(Debug, Deserialize)]
pub(crate) struct Model {
    pub(crate) metadata: Metadata,
    pub(crate) operations: BTreeMap<String, Operation>,
    pub(crate) shapes: BTreeMap<String, Shape>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Metadata {
    pub(crate) protocol: String,
    /// Of the protocols that answer with XML.
    #[serde(default)]
    pub(crate) xml_namespace: String,
    /// What stands before the operation in a JSON service's `X-Amz-Target`.
    pub(crate) target_prefix: Option<String>,
    pub(crate) service_full_name: String,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Operation {
    pub(crate) http: Option<Http>,
    pub(crate) input: Option<Reference>,
    pub(crate) output: Option<Reference>,
}

/// Where a REST service's operation is.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Http {
    pub(crate) method: String,
    pub(crate) request_uri: String,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Reference {
    pub(crate) shape: String,
    /// Where a member stands if not in the body (`uri`, `querystring`).
    pub(crate) location: Option<String>,
    pub(crate) location_name: Option<String>,
    pub(crate) query_name: Option<String>,
    pub(crate) result_wrapper: Option<String>,
}

/// A shape of any kind; what a kind lacks is empty.
#[derive(Debug, Deserialize)]
pub(crate) struct Shape {
    #[serde(rename = "type")]
    pub(crate) kind: String,
    #[serde(default)]
    pub(crate) required: Vec<String>,
    #[serde(default)]
    pub(crate) members: serde_json::Map<String, serde_json::Value>,
    pub(crate) member: Option<Reference>,
    pub(crate) key: Option<Reference>,
    pub(crate) value: Option<Reference>,
    #[serde(default, rename = "enum")]
    pub(crate) values: Vec<String>,
}

impl Model {
    pub(crate) fn read(path: &Path) -> crate::Outcome<Self> {
        let output = Command::new("gzip").arg("-dc").arg(path).output()?;
        if !output.status.success() {
            return Err(format!(
                "{}: {}",
                path.display(),
                String::from_utf8_lossy(&output.stderr)
            )
            .into());
        }
        Ok(serde_json::from_slice(&output.stdout)?)
    }

    pub(crate) fn shape(&self, name: &str) -> crate::Outcome<&Shape> {
        self.shapes
            .get(name)
            .ok_or_else(|| format!("the model has no shape {name}").into())
    }
}

impl Shape {
    /// A structure's members in the model's order.
    pub(crate) fn members(&self) -> crate::Outcome<Vec<(&str, Reference)>> {
        let read = |(name, value)| Ok((name, Reference::deserialize(value)?));
        self.members
            .iter()
            .map(|(name, value)| read((name.as_str(), value)))
            .collect()
    }
}

//! The add-ons that EKS has here, their versions, and what can be configured of each.
//!
//! <https://docs.aws.amazon.com/eks/latest/userguide/workloads-add-ons-available-eks.html>

use super::*;
use serde_json::{Value, json};

/// An add-on of EKS's own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Offer {
    /// Its name.
    pub name: &'static str,
    /// AWS's word for what it is for.
    pub kind: &'static str,
    /// Whether it takes permissions of IAM.
    pub needs_permissions: bool,
    /// What runs it.
    pub compute: &'static [&'static str],
}

/// The add-ons.
pub const OFFERS: [Offer; 3] = [
    Offer {
        name: "vpc-cni",
        kind: "networking",
        needs_permissions: true,
        compute: &["ec2", "hybrid"],
    },
    Offer {
        name: "coredns",
        kind: "networking",
        needs_permissions: false,
        compute: &["ec2", "fargate", "hybrid"],
    },
    Offer {
        name: "kube-proxy",
        kind: "networking",
        needs_permissions: false,
        compute: &["ec2", "hybrid"],
    },
];

/// The add-on with a name.
pub fn find(name: &str) -> Option<&'static Offer> {
    OFFERS.iter().find(|offer| offer.name == name)
}

impl Offer {
    /// Its versions for a version of Kubernetes, the newest first; the first is the default.
    pub fn versions(&self, kubernetes: Version) -> Vec<String> {
        let fixed = |versions: &[&str]| versions.iter().map(|of| (*of).to_owned()).collect();
        match self.name {
            "vpc-cni" => fixed(&["v1.20.4-eksbuild.1", "v1.19.6-eksbuild.7"]),
            "coredns" => fixed(&["v1.12.4-eksbuild.1", "v1.11.4-eksbuild.24"]),
            // The service proxy is of Kubernetes' own version.
            _ => [2, 1]
                .map(|build| format!("v{}-eksbuild.{build}", kubernetes.patched()))
                .to_vec(),
        }
    }

    /// What its configuration may be, as a JSON schema.
    pub fn schema(&self) -> Value {
        let mut schema = json!({
            "$schema": "http://json-schema.org/draft-07/schema#",
            "type": "object",
            "additionalProperties": false,
            "properties": {},
        });
        let properties = match self.name {
            "vpc-cni" => json!({
                "env": {
                    "type": "object",
                    "description": "Environment variables of aws-node",
                    "additionalProperties": { "type": "string" },
                },
            }),
            "coredns" => json!({
                "replicaCount": { "type": "integer", "minimum": 1 },
                "corefile": { "type": "string" },
            }),
            _ => json!({}),
        };
        schema["properties"] = properties;
        schema
    }

    /// Reads configuration values, a JSON object by the schema.
    ///
    /// # Errors
    /// `InvalidParameterException`.
    pub fn read(&self, values: &str) -> Result<Value, Refusal> {
        if values.trim().is_empty() {
            return Ok(json!({}));
        }
        let refuse = |why: String| {
            invalid(format!(
                "ConfigurationValue provided in request is not supported: Json schema validation failed with error: [{why}]"
            ))
        };
        let read: Value =
            serde_json::from_str(values).map_err(|error| refuse(error.to_string()))?;
        let object = read
            .as_object()
            .ok_or_else(|| refuse("$: must be an object".to_owned()))?;
        for (key, value) in object {
            let good = match (self.name, key.as_str()) {
                ("vpc-cni", "env") => value
                    .as_object()
                    .is_some_and(|env| env.values().all(Value::is_string)),
                ("coredns", "replicaCount") => value.as_u64().is_some_and(|count| count > 0),
                ("coredns", "corefile") => value.is_string(),
                _ => {
                    return Err(refuse(format!(
                        "$.{key}: is not defined in the schema and the schema does not allow additional properties"
                    )));
                }
            };
            if !good {
                return Err(refuse(format!("$.{key}: has a wrong type")));
            }
        }
        Ok(read)
    }
}

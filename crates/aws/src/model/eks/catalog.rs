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
/// The load balancer controller, which EKS' own catalog doesn't have, is here so that it comes as the others do.
pub const OFFERS: [Offer; 4] = [
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
    Offer {
        name: "aws-load-balancer-controller",
        kind: "networking",
        needs_permissions: true,
        compute: &["ec2", "fargate"],
    },
];

/// What a value of a configuration is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Property {
    /// Any text.
    Text,
    /// `"true"` or `"false"`.
    Switch,
    /// True or false.
    Flag,
    /// A number from 1 on.
    Count,
    /// Texts by name.
    Texts,
    /// Anything by name, as Kubernetes has it.
    Object,
    /// A list, as Kubernetes has it.
    List,
}

impl Property {
    fn schema(self) -> Value {
        match self {
            Self::Text => json!({ "type": "string" }),
            Self::Switch => json!({ "type": "string", "enum": ["true", "false"] }),
            Self::Flag => json!({ "type": "boolean" }),
            Self::Count => json!({ "type": "integer", "minimum": 1 }),
            Self::Texts => {
                json!({ "type": "object", "additionalProperties": { "type": "string" } })
            }
            Self::Object => json!({ "type": "object" }),
            Self::List => json!({ "type": "array" }),
        }
    }

    fn takes(self, value: &Value) -> bool {
        match self {
            Self::Text => value.is_string(),
            Self::Switch => value == "true" || value == "false",
            Self::Flag => value.is_boolean(),
            Self::Count => value.as_u64().is_some_and(|count| count > 0),
            Self::Texts => value
                .as_object()
                .is_some_and(|of| of.values().all(Value::is_string)),
            Self::Object => value.is_object(),
            Self::List => value.is_array(),
        }
    }
}

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
            "aws-load-balancer-controller" => {
                fixed(&["v2.11.0", "v2.10.1", "v2.8.3", "v2.4.7", "v2.2.0"])
            }
            // The service proxy is of Kubernetes' own version.
            _ => [2, 1]
                .map(|build| format!("v{}-eksbuild.{build}", kubernetes.patched()))
                .to_vec(),
        }
    }

    /// What may be configured of it, and what each is.
    fn properties(&self) -> Vec<(&'static str, Property)> {
        let of_pods = [
            ("podAnnotations", Property::Texts),
            ("podLabels", Property::Texts),
            ("resources", Property::Object),
        ];
        let own: &[(&'static str, Property)] = match self.name {
            "vpc-cni" => &[
                ("env", Property::Texts),
                ("enableNetworkPolicy", Property::Switch),
                ("tolerations", Property::List),
            ],
            "coredns" => &[
                ("replicaCount", Property::Count),
                ("corefile", Property::Text),
                ("computeType", Property::Text),
                ("nodeSelector", Property::Texts),
                ("tolerations", Property::List),
                ("affinity", Property::Object),
            ],
            "aws-load-balancer-controller" => &[
                ("replicaCount", Property::Count),
                ("enableServiceMutatorWebhook", Property::Flag),
                ("defaultTargetType", Property::Text),
                ("defaultTags", Property::Texts),
                ("ingressClass", Property::Text),
                ("nodeSelector", Property::Texts),
                ("tolerations", Property::List),
                ("affinity", Property::Object),
            ],
            _ => &[],
        };
        own.iter().copied().chain(of_pods).collect()
    }

    /// What its configuration may be, as a JSON schema.
    pub fn schema(&self) -> Value {
        let properties = self.properties().into_iter();
        let properties: serde_json::Map<String, Value> = properties
            .map(|(name, of)| (name.to_owned(), of.schema()))
            .collect();
        json!({
            "$schema": "http://json-schema.org/draft-07/schema#",
            "type": "object",
            "additionalProperties": false,
            "properties": properties,
        })
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
        let properties = self.properties();
        for (key, value) in object {
            let known = properties.iter().find(|(name, _)| name == key);
            let (_, property) = known.ok_or_else(|| {
                refuse(format!(
                    "$.{key}: is not defined in the schema and the schema does not allow additional properties"
                ))
            })?;
            if !property.takes(value) {
                return Err(refuse(format!("$.{key}: has a wrong type")));
            }
        }
        Ok(read)
    }
}

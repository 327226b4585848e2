//! What a template declares.
//!
//! <https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/template-anatomy.html>

use crate::parameter::Declaration;
use crate::{TemplateError, document, graph, kind};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use std::collections::{BTreeMap, BTreeSet};

/// What becomes of a resource that its stack doesn't want any more.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Policy {
    /// It is deleted.
    #[default]
    Delete,
    /// It stays.
    Retain,
    /// It stays, unless it was made by the operation that is rolled back.
    RetainExceptOnCreate,
}

/// A declared resource.
#[derive(Clone, Debug, PartialEq)]
pub struct Declared {
    /// The type, as AWS writes it.
    pub kind: String,
    /// Properties, functions and all.
    pub properties: Map<String, Value>,
    /// The condition under which it is made.
    pub condition: Option<String>,
    /// What its author wants made before.
    pub depends_on: Vec<String>,
    /// What becomes of it when it is removed or its stack is deleted.
    pub deletion: Policy,
    /// What becomes of it when it is replaced.
    pub replacement: Policy,
}

/// A declared output.
#[derive(Clone, Debug, PartialEq)]
pub struct Output {
    /// The value, functions and all.
    pub value: Value,
    /// What the author says of it.
    pub description: Option<String>,
    /// The name under which other stacks import it.
    pub export: Option<Value>,
    /// The condition under which there is such an output.
    pub condition: Option<String>,
}

/// A template, checked as far as that is possible without its parameters' values.
#[derive(Clone, Debug, PartialEq)]
pub struct Template {
    /// What its author says of it.
    pub description: Option<String>,
    /// Its metadata as JSON.
    pub metadata: Option<Value>,
    /// The format's version, if it is named.
    pub version: Option<String>,
    /// Parameters by name.
    pub parameters: BTreeMap<String, Declaration>,
    /// Mappings: two levels of keys.
    pub mappings: Map<String, Value>,
    /// Conditions by name.
    pub conditions: Map<String, Value>,
    /// Resources by their logical ids.
    pub resources: BTreeMap<String, Declared>,
    /// Outputs by name.
    pub outputs: BTreeMap<String, Output>,
}

/// The sections that there are.
const SECTIONS: [&str; 10] = [
    "AWSTemplateFormatVersion",
    "Description",
    "Metadata",
    "Parameters",
    "Rules",
    "Mappings",
    "Conditions",
    "Transform",
    "Resources",
    "Outputs",
];

impl Template {
    /// Reads and checks a template.
    ///
    /// # Errors
    /// What AWS refuses in one, and transforms and rules, which Skylab doesn't have.
    pub fn read(text: &str) -> Result<Self, TemplateError> {
        let document = document::read(text)?;
        let template = Self::of(&document)?;
        template.check()?;
        Ok(template)
    }

    fn of(document: &Value) -> Result<Self, TemplateError> {
        let names = document.as_object().into_iter().flat_map(Map::keys);
        let odd: Vec<&str> = names
            .map(String::as_str)
            .filter(|name| !SECTIONS.contains(name))
            .collect();
        if !odd.is_empty() {
            let message = format!(
                "Invalid template property or properties [{}]",
                odd.join(", ")
            );
            return Err(TemplateError::Parameter(message));
        }
        for section in ["Transform", "Rules"] {
            if document.get(section).is_some() {
                return Err(TemplateError::Unsupported(format!("The section {section}")));
            }
        }
        let text = |name: &str| {
            document
                .get(name)
                .and_then(Value::as_str)
                .map(str::to_owned)
        };
        let each = |name: &str| section(document, name);
        let parameters = each("Parameters")?
            .iter()
            .map(|(name, value)| Ok((name.clone(), Declaration::read(name, value)?)));
        let resources = each("Resources")?
            .iter()
            .map(|(name, value)| Ok((name.clone(), Declared::read(name, value)?)));
        let outputs = each("Outputs")?
            .iter()
            .map(|(name, value)| Ok((name.clone(), Output::read(name, value)?)));
        Ok(Self {
            description: text("Description"),
            metadata: document.get("Metadata").cloned(),
            version: text("AWSTemplateFormatVersion"),
            parameters: parameters.collect::<Result<_, TemplateError>>()?,
            mappings: each("Mappings")?.clone(),
            conditions: each("Conditions")?.clone(),
            resources: resources.collect::<Result<_, TemplateError>>()?,
            outputs: outputs.collect::<Result<_, TemplateError>>()?,
        })
    }

    fn check(&self) -> Result<(), TemplateError> {
        if self.resources.is_empty() {
            let message = "At least one Resources member must be defined.";
            return Err(TemplateError::format(message));
        }
        let unknown: BTreeSet<&str> = self
            .resources
            .values()
            .map(|resource| resource.kind.as_str())
            .filter(|name| kind::find(name).is_none())
            .collect();
        if !unknown.is_empty() {
            let unknown: Vec<&str> = unknown.into_iter().collect();
            let message = format!("Unrecognized resource types: [{}]", unknown.join(", "));
            return Err(TemplateError::format(message));
        }
        for (name, condition) in self.named_conditions() {
            if !self.conditions.contains_key(condition) {
                return Err(TemplateError::format(format!(
                    "Unresolved condition dependency {condition} in the {name} block of the template"
                )));
            }
        }
        graph::check(self)
    }

    fn named_conditions(&self) -> impl Iterator<Item = (&'static str, &String)> {
        let resources = self
            .resources
            .values()
            .filter_map(|of| of.condition.as_ref());
        let outputs = self.outputs.values().filter_map(|of| of.condition.as_ref());
        let resources = resources.map(|name| ("Resources", name));
        resources.chain(outputs.map(|name| ("Outputs", name)))
    }

    /// The capabilities that a caller must acknowledge: IAM resources, and those with names of their own.
    /// <https://docs.aws.amazon.com/AWSCloudFormation/latest/APIReference/API_CreateStack.html>
    pub fn capabilities(&self) -> Option<(&'static str, Vec<String>)> {
        let ours = |of: &&Declared| of.kind.starts_with("AWS::IAM::");
        let resources: Vec<&Declared> = self.resources.values().filter(ours).collect();
        let named = resources.iter().any(|of| {
            [
                "RoleName",
                "ManagedPolicyName",
                "InstanceProfileName",
                "UserName",
                "GroupName",
            ]
            .iter()
            .any(|name| of.properties.contains_key(*name))
        });
        let kinds: BTreeSet<String> = resources.iter().map(|of| of.kind.clone()).collect();
        let capability = if named {
            "CAPABILITY_NAMED_IAM"
        } else {
            "CAPABILITY_IAM"
        };
        (!kinds.is_empty()).then(|| (capability, kinds.into_iter().collect()))
    }
}

fn section<'a>(document: &'a Value, name: &str) -> Result<&'a Map<String, Value>, TemplateError> {
    static NOTHING: std::sync::LazyLock<Map<String, Value>> = std::sync::LazyLock::new(Map::new);
    match document.get(name) {
        None | Some(Value::Null) => Ok(&NOTHING),
        Some(Value::Object(members)) => Ok(members),
        Some(_) => Err(TemplateError::format(format!(
            "[/{name}] must be an object."
        ))),
    }
}

fn object<'a>(value: &'a Value, path: &str) -> Result<&'a Map<String, Value>, TemplateError> {
    let wrong = || TemplateError::format(format!("[{path}] must be an object."));
    value.as_object().ok_or_else(wrong)
}

fn word(of: &Map<String, Value>, name: &str) -> Option<String> {
    of.get(name).and_then(Value::as_str).map(str::to_owned)
}

impl Declared {
    fn read(name: &str, value: &Value) -> Result<Self, TemplateError> {
        if name.is_empty() || !name.bytes().all(|byte| byte.is_ascii_alphanumeric()) {
            return Err(TemplateError::format(format!(
                "Resource name {name} is non alphanumeric."
            )));
        }
        let path = format!("/Resources/{name}");
        let of = object(value, &path)?;
        for attribute in of.keys() {
            Self::check_attribute(name, attribute)?;
        }
        let kind = word(of, "Type").ok_or_else(|| {
            TemplateError::format(format!(
                "[{path}] Every Resources object must contain a Type member."
            ))
        })?;
        let depends_on = match of.get("DependsOn") {
            None => Vec::new(),
            Some(Value::String(one)) => vec![one.clone()],
            Some(Value::Array(several)) => several
                .iter()
                .filter_map(Value::as_str)
                .map(str::to_owned)
                .collect(),
            Some(_) => {
                let message = format!("[{path}/DependsOn] must be a string or a list of strings.");
                return Err(TemplateError::format(message));
            }
        };
        let properties = match of.get("Properties") {
            None | Some(Value::Null) => Map::new(),
            Some(properties) => object(properties, &format!("{path}/Properties"))?.clone(),
        };
        Ok(Self {
            properties,
            condition: word(of, "Condition"),
            depends_on,
            deletion: policy(of, "DeletionPolicy", &kind)?,
            replacement: policy(of, "UpdateReplacePolicy", &kind)?,
            kind,
        })
    }

    fn check_attribute(name: &str, attribute: &str) -> Result<(), TemplateError> {
        match attribute {
            "Type"
            | "Properties"
            | "Condition"
            | "DependsOn"
            | "DeletionPolicy"
            | "Metadata"
            | "UpdateReplacePolicy"
            | "UpdatePolicy" => Ok(()),
            "CreationPolicy" => Err(TemplateError::Unsupported(format!(
                "The attribute CreationPolicy of resource {name}"
            ))),
            other => Err(TemplateError::Parameter(format!(
                "Invalid template resource property '{other}'"
            ))),
        }
    }
}

fn policy(of: &Map<String, Value>, name: &str, kind: &str) -> Result<Policy, TemplateError> {
    match of.get(name).map(|value| value.as_str().unwrap_or_default()) {
        None | Some("Delete") => Ok(Policy::Delete),
        Some("Retain") => Ok(Policy::Retain),
        Some("RetainExceptOnCreate") if name == "DeletionPolicy" => {
            Ok(Policy::RetainExceptOnCreate)
        }
        Some("Snapshot") => Err(TemplateError::function(format!(
            "resource type {kind} does not support deletion policy Snapshot"
        ))),
        Some(other) => Err(TemplateError::format(format!(
            "Unrecognized {name} {other} for resource"
        ))),
    }
}

impl Output {
    fn read(name: &str, value: &Value) -> Result<Self, TemplateError> {
        let of = object(value, &format!("/Outputs/{name}"))?;
        let value = of.get("Value").ok_or_else(|| {
            TemplateError::format("Every Outputs member must contain a Value object")
        })?;
        let export = of.get("Export").map(|export| {
            let message = "Output export must contain a Name object";
            let named = export.get("Name").cloned();
            named.ok_or_else(|| TemplateError::format(message))
        });
        Ok(Self {
            value: value.clone(),
            description: word(of, "Description"),
            export: export.transpose()?,
            condition: word(of, "Condition"),
        })
    }
}

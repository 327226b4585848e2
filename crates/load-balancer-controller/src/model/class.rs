//! Which ingresses are this controller's, by their classes, and which share a load balancer.
//! <https://kubernetes-sigs.github.io/aws-load-balancer-controller/v2.11/guide/ingress/ingress_class/>

use super::annotation::{Annotations, INGRESS};
use super::error::BuildError;
use super::object::{Ingress, IngressClass};
use serde::Deserialize;
use serde_json::Value;
use std::collections::BTreeMap;
use std::fmt;

/// What classes name as their controller.
pub const CONTROLLER: &str = "ingress.k8s.aws/alb";
/// The older way to name a class.
const ANNOTATION: &str = "kubernetes.io/ingress.class";
/// The finalizer of ingresses that share their load balancer with nobody.
const FINALIZER: &str = "ingress.k8s.aws/resources";
/// What the finalizers of the others begin with.
const GROUP_FINALIZER: &str = "group.ingress.k8s.aws/";

/// Ingresses that share a load balancer.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum GroupId {
    /// One ingress alone.
    Implicit {
        /// Its namespace.
        namespace: String,
        /// Its name.
        name: String,
    },
    /// Those that name the group.
    Explicit(String),
}

impl fmt::Display for GroupId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Implicit { namespace, name } => write!(f, "{namespace}/{name}"),
            Self::Explicit(name) => f.write_str(name),
        }
    }
}

impl GroupId {
    /// What keeps its ingresses until their load balancer is seen to.
    pub fn finalizer(&self) -> String {
        match self {
            Self::Implicit { .. } => FINALIZER.to_owned(),
            Self::Explicit(name) => format!("{GROUP_FINALIZER}{name}"),
        }
    }

    /// The groups that an ingress was in, by its finalizers.
    pub fn held(ingress: &Ingress) -> Vec<Self> {
        let of = |finalizer: &String| {
            if finalizer == FINALIZER {
                return Some(Self::Implicit {
                    namespace: ingress.metadata.namespace.clone(),
                    name: ingress.metadata.name.clone(),
                });
            }
            let name = finalizer.strip_prefix(GROUP_FINALIZER)?;
            Some(Self::Explicit(name.to_owned()))
        };
        ingress.metadata.finalizers.iter().filter_map(of).collect()
    }
}

/// An object of the kind `IngressClassParams`.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default)]
pub struct ParamsObject {
    /// What is wanted.
    pub spec: Params,
}

/// What a class' parameters say; it goes before annotations.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct Params {
    /// The namespaces whose ingresses may have the class.
    pub namespace_selector: Option<Value>,
    /// The group of all ingresses of the class.
    pub group: Option<ParamsGroup>,
    /// The scheme.
    pub scheme: Option<String>,
    /// The type of addresses.
    pub ip_address_type: Option<String>,
    /// The subnets.
    pub subnets: Option<ParamsSubnets>,
    /// Certificates.
    pub certificate_arn: Vec<String>,
    /// Who may call.
    #[serde(rename = "inboundCIDRs")]
    pub inbound_cidrs: Vec<String>,
    /// The security policy.
    pub ssl_policy: Option<String>,
    /// The port that plain requests are sent to.
    pub ssl_redirect_port: Option<String>,
    /// Tags.
    pub tags: Vec<ParamsPair>,
    /// The load balancer's name.
    pub load_balancer_name: Option<String>,
    /// The load balancer's attributes.
    pub load_balancer_attributes: Vec<ParamsPair>,
    /// Attributes of listeners.
    pub listeners: Vec<ParamsListener>,
    /// `instance` or `ip`.
    pub target_type: Option<String>,
    /// Prefix lists of who may call.
    #[serde(rename = "prefixListsIDs")]
    pub prefix_lists_ids: Vec<String>,
    /// What there is not.
    pub ipam_configuration: Option<Value>,
    /// What there is not.
    pub minimum_load_balancer_capacity: Option<Value>,
}

/// A group's name.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default)]
pub struct ParamsGroup {
    /// The name.
    pub name: String,
}

/// Subnets by their ids or tags.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default)]
pub struct ParamsSubnets {
    /// Ids.
    pub ids: Vec<String>,
    /// Values by key.
    pub tags: BTreeMap<String, Vec<String>>,
}

/// A key and a value.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default)]
pub struct ParamsPair {
    /// The key.
    pub key: String,
    /// The value.
    pub value: String,
}

/// A listener's attributes.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct ParamsListener {
    /// Its protocol.
    pub protocol: String,
    /// Its port.
    pub port: u16,
    /// Its attributes.
    pub listener_attributes: Vec<ParamsPair>,
}

/// Pairs as a map.
pub(super) fn pairs(of: &[ParamsPair]) -> BTreeMap<String, String> {
    of.iter()
        .map(|pair| (pair.key.clone(), pair.value.clone()))
        .collect()
}

/// What classes there are.
#[derive(Clone, Copy, Debug)]
pub struct Classes<'a> {
    /// The class that ingresses name by the older annotation.
    pub name: &'a str,
    /// The classes by name.
    pub classes: &'a BTreeMap<String, IngressClass>,
    /// Their parameters by name.
    pub params: &'a BTreeMap<String, Params>,
    /// The labels of namespaces.
    pub namespaces: &'a BTreeMap<String, BTreeMap<String, String>>,
}

impl<'a> Classes<'a> {
    /// The parameters of an ingress of this controller's; `None` for an ingress of another's.
    ///
    /// # Errors
    /// The class' parameters are missing, or don't let the ingress' namespace in.
    pub fn of(&self, ingress: &Ingress) -> Result<Option<Option<&'a Params>>, BuildError> {
        if let Some(named) = ingress.metadata.annotations.get(ANNOTATION) {
            return Ok((named == self.name).then_some(None));
        }
        let class = ingress.spec.ingress_class_name.as_ref();
        let Some(class) = class.and_then(|name| self.classes.get(name)) else {
            return Ok(None);
        };
        if class.spec.controller != CONTROLLER {
            return Ok(None);
        }
        let Some(parameters) = &class.spec.parameters else {
            return Ok(Some(None));
        };
        if parameters.api_group != "elbv2.k8s.aws" || parameters.kind != "IngressClassParams" {
            return Ok(Some(None));
        }
        let invalid = |why: String| BuildError::new(format!("invalid ingress class: {why}"));
        let params = self.params.get(&parameters.name).ok_or_else(|| {
            let name = &parameters.name;
            invalid(format!(
                "IngressClassParams.elbv2.k8s.aws {name:?} not found"
            ))
        })?;
        if let Some(selector) = &params.namespace_selector {
            let labels = self.namespaces.get(&ingress.metadata.namespace);
            if !labels.is_some_and(|labels| selects(selector, labels)) {
                return Err(invalid(
                    "namespaceSelector of IngressClassParams doesn't match".to_owned(),
                ));
            }
        }
        Ok(Some(Some(params)))
    }
}

/// Whether a label selector takes labels.
/// <https://kubernetes.io/docs/concepts/overview/working-with-objects/labels/#label-selectors>
pub fn selects(selector: &Value, labels: &BTreeMap<String, String>) -> bool {
    let equal = selector["matchLabels"].as_object().into_iter().flatten();
    let mut equal = equal.map(|(key, value)| labels.get(key).map(String::as_str) == value.as_str());
    let asked = selector["matchExpressions"]
        .as_array()
        .into_iter()
        .flatten();
    let mut asked = asked.map(|of| {
        let has = labels.get(of["key"].as_str().unwrap_or_default());
        let values = of["values"].as_array().into_iter().flatten();
        let mut values = values.filter_map(Value::as_str);
        match of["operator"].as_str().unwrap_or_default() {
            "In" => has.is_some_and(|has| values.any(|value| value == has)),
            "NotIn" => has.is_none_or(|has| !values.any(|value| value == has)),
            "Exists" => has.is_some(),
            "DoesNotExist" => has.is_none(),
            _ => false,
        }
    });
    equal.all(|holds| holds) && asked.all(|holds| holds)
}

/// The group of an ingress of this controller's.
///
/// # Errors
/// The group's name can't be one.
pub fn group_of(ingress: &Ingress, params: Option<&Params>) -> Result<GroupId, BuildError> {
    let annotations = Annotations::new(INGRESS, vec![&ingress.metadata.annotations]);
    let by_class = params.and_then(|params| params.group.as_ref());
    let named = by_class.map(|group| group.name.as_str());
    let named = named.filter(|name| !name.is_empty());
    let Some(name) = named.or_else(|| annotations.text("group.name")) else {
        return Ok(GroupId::Implicit {
            namespace: ingress.metadata.namespace.clone(),
            name: ingress.metadata.name.clone(),
        });
    };
    if name.len() > 63 || !is_group_name(name) {
        return Err(BuildError::new(
            "invalid ingress group: groupName must consist of lower case alphanumeric characters, '-' or '.', and must start and end with an alphanumeric character",
        ));
    }
    Ok(GroupId::Explicit(name.to_owned()))
}

fn is_group_name(name: &str) -> bool {
    let alphanumeric = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
    let ends = name.starts_with(alphanumeric) && name.ends_with(alphanumeric);
    ends && name.chars().all(|c| alphanumeric(c) || "-.".contains(c))
}

/// Where an ingress stands in its group.
///
/// # Errors
/// The order is no number between -1000 and 1000.
pub fn order_of(ingress: &Ingress) -> Result<i64, BuildError> {
    let annotations = Annotations::new(INGRESS, vec![&ingress.metadata.annotations]);
    let order = annotations.number("group.order")?.unwrap_or(0);
    if !(-1000..=1000).contains(&order) {
        return Err(BuildError::new(format!(
            "explicit ingress group order must be within [-1000:1000], Ingress: {}, order: {order}",
            ingress.metadata.key()
        )));
    }
    Ok(order)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use serde_json::json;

    fn ingress(value: &Value) -> Ingress {
        super::super::object::read(value).unwrap()
    }

    /// AWS-LBC: the annotation goes before the class; a class' parameters go before annotations.
    #[test]
    fn classes_choose_their_controller() {
        let class = |controller: &str| IngressClass {
            spec: super::super::object::IngressClassSpec {
                controller: controller.to_owned(),
                parameters: None,
            },
            ..IngressClass::default()
        };
        let classes = BTreeMap::from([
            ("alb".to_owned(), class(CONTROLLER)),
            ("other".to_owned(), class("nginx")),
        ]);
        let all = Classes {
            name: "alb",
            classes: &classes,
            params: &BTreeMap::new(),
            namespaces: &BTreeMap::new(),
        };
        let ours = |value: Value| all.of(&ingress(&value)).unwrap().is_some();
        assert!(ours(json!({"spec": {"ingressClassName": "alb"}})));
        assert!(!ours(json!({"spec": {"ingressClassName": "other"}})));
        assert!(!ours(json!({"spec": {"ingressClassName": "none"}})));
        assert!(!ours(json!({"spec": {}})));
        let named = |name: &str| json!({"metadata": {"annotations": {ANNOTATION: name}}, "spec": {"ingressClassName": "other"}});
        assert!(ours(named("alb")));
        assert!(!ours(named("nginx")));
    }

    /// AWS-LBC: groups have names; an ingress without one stands alone.
    #[test]
    fn groups_are_named() {
        let named = |name: &str| {
            let annotations = json!({"alb.ingress.kubernetes.io/group.name": name});
            let metadata = json!({"name": "i", "namespace": "n", "annotations": annotations});
            group_of(&ingress(&json!({"metadata": metadata})), None)
        };
        assert_eq!(
            named("web.a-1").unwrap().finalizer(),
            "group.ingress.k8s.aws/web.a-1"
        );
        assert!(named("Web").is_err());
        assert!(named("-web").is_err());
        let alone = ingress(&json!({"metadata": {"name": "i", "namespace": "n"}}));
        assert_eq!(group_of(&alone, None).unwrap().to_string(), "n/i");
    }
}

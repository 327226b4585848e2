//! A node's configuration, from its instance's user data.
//!
//! Amazon Linux 2023 images take a `NodeConfig`, alone or as parts of a MIME archive; several are merged.
//! <https://awslabs.github.io/amazon-eks-ami/nodeadm/doc/api/>. Amazon Linux 2 images run `/etc/eks/bootstrap.sh`
//! from a script. <https://github.com/awslabs/amazon-eks-ami/blob/main/templates/al2/runtime/bootstrap.sh>

use crate::guests::archive;
use kubelet::Taint;
use serde::Deserialize;
use serde_json::Value;
use std::collections::BTreeMap;
use std::net::Ipv4Addr;

/// The type of a part that is a `NodeConfig`.
const NODE_CONFIG: &str = "application/node.eks.aws";
/// The API that `NodeConfig` belongs to.
const API: &str = "node.eks.aws/";

/// What a node is told.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct NodeConfig {
    /// The cluster's name.
    pub(super) cluster: String,
    /// The API's URL, if it is told.
    pub(super) endpoint: Option<String>,
    /// The certificate of the cluster's authority, in base64, if it is told.
    pub(super) authority: Option<String>,
    /// The range of services, if it is told.
    pub(super) services: Option<String>,
    /// The most pods, if that isn't computed from the instance's type.
    pub(super) max_pods: Option<u64>,
    /// The cluster's name servers, if they are told.
    pub(super) dns: Vec<Ipv4Addr>,
    /// The node's labels.
    pub(super) labels: BTreeMap<String, String>,
    /// What it is registered with.
    pub(super) taints: Vec<Taint>,
}

/// What user data is to a node's image.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum UserData {
    /// It configures the node.
    Config(Box<NodeConfig>),
    /// A script, which may.
    Script,
}

/// User data that configures no node.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(in crate::clusters::eks) enum ConfigError {
    /// There is nothing to read.
    #[error("could not find NodeConfig within UserData")]
    Missing,
    /// It can't be read.
    #[error("NodeConfig can't be read: {0}")]
    Malformed(String),
    /// What is needed is missing.
    #[error("{0} is missing in cluster configuration")]
    Incomplete(&'static str),
}

/// Reads an instance's user data.
///
/// # Errors
/// It configures no node.
pub(super) fn read(data: &str) -> Result<UserData, ConfigError> {
    if data.starts_with("#!") {
        return Ok(UserData::Script);
    }
    let documents = match archive::parts(data) {
        Some(parts) => {
            let is = |kind: &str| parts.iter().any(|part| part.kind == kind);
            if is(archive::SCRIPT) && !is(NODE_CONFIG) {
                return Ok(UserData::Script);
            }
            let configs = parts.into_iter().filter(|part| part.kind == NODE_CONFIG);
            configs.map(|part| part.body).collect()
        }
        None => vec![data.to_owned()],
    };
    let mut merged = Value::Null;
    for document in &documents {
        for object in objects(document)? {
            merge(&mut merged, object);
        }
    }
    if merged.is_null() {
        return Err(ConfigError::Missing);
    }
    of_object(&merged).map(|config| UserData::Config(Box::new(config)))
}

/// The `NodeConfig` objects of a YAML text.
fn objects(text: &str) -> Result<Vec<Value>, ConfigError> {
    let mut found = Vec::new();
    for document in serde_norway::Deserializer::from_str(text) {
        let object = Value::deserialize(document);
        let object = object.map_err(|error| ConfigError::Malformed(error.to_string()))?;
        let version = object["apiVersion"].as_str().unwrap_or_default();
        if version.starts_with(API) && object["kind"] == "NodeConfig" {
            found.push(object);
        }
    }
    Ok(found)
}

/// Puts a later configuration over an earlier one; lists of flags add up.
fn merge(into: &mut Value, from: Value) {
    match (into, from) {
        (Value::Object(into), Value::Object(from)) => {
            for (key, value) in from {
                merge(into.entry(key).or_insert(Value::Null), value);
            }
        }
        (Value::Array(into), Value::Array(from)) => into.extend(from),
        (into, from) => *into = from,
    }
}

fn of_object(object: &Value) -> Result<NodeConfig, ConfigError> {
    let cluster = &object["spec"]["cluster"];
    let text = |name: &str| cluster[name].as_str().map(str::to_owned);
    let kubelet = &object["spec"]["kubelet"];
    let settings = &kubelet["config"];
    let mut config = NodeConfig {
        cluster: text("name").ok_or(ConfigError::Incomplete("Name"))?,
        endpoint: Some(
            text("apiServerEndpoint").ok_or(ConfigError::Incomplete("Apiserver endpoint"))?,
        ),
        authority: Some(
            text("certificateAuthority").ok_or(ConfigError::Incomplete("Certificate authority"))?,
        ),
        services: Some(text("cidr").ok_or(ConfigError::Incomplete("CIDR"))?),
        max_pods: settings["maxPods"].as_u64(),
        ..NodeConfig::default()
    };
    let listed = |value: &Value| value.as_array().cloned().unwrap_or_default();
    config.dns = listed(&settings["clusterDNS"])
        .iter()
        .filter_map(|address| address.as_str()?.parse().ok())
        .collect();
    for taint in listed(&settings["registerWithTaints"]) {
        let text = |name: &str| taint[name].as_str().unwrap_or_default().to_owned();
        config.taints.push(Taint {
            key: text("key"),
            value: text("value"),
            effect: text("effect"),
        });
    }
    for flag in listed(&kubelet["flags"]).iter().filter_map(Value::as_str) {
        apply_flag(&mut config, flag);
    }
    Ok(config)
}

/// What a flag of the kubelet's says of a node.
fn apply_flag(config: &mut NodeConfig, flag: &str) {
    let Some((name, value)) = flag.trim().split_once('=') else {
        return;
    };
    match name {
        "--node-labels" => config.labels.extend(value.split(',').filter_map(|label| {
            let (key, value) = label.split_once('=')?;
            Some((key.to_owned(), value.to_owned()))
        })),
        "--register-with-taints" => config.taints.extend(value.split(',').filter_map(taint)),
        "--max-pods" => config.max_pods = value.parse().ok().or(config.max_pods),
        "--cluster-dns" => config.dns = value.split(',').filter_map(|at| at.parse().ok()).collect(),
        _ => {}
    }
}

/// `key=value:NoSchedule`.
fn taint(text: &str) -> Option<Taint> {
    let (mark, effect) = text.rsplit_once(':')?;
    let (key, value) = mark.split_once('=').unwrap_or((mark, ""));
    Some(Taint {
        key: key.to_owned(),
        value: value.to_owned(),
        effect: effect.to_owned(),
    })
}

/// What the arguments of `bootstrap.sh` say, as a `NodeConfig` that may lack what the cluster's description has.
///
/// # Errors
/// They name no cluster.
pub(super) fn of_arguments(arguments: &[String]) -> Result<NodeConfig, ConfigError> {
    let mut config = NodeConfig::default();
    let mut arguments = arguments.iter();
    let mut own_most = true;
    while let Some(argument) = arguments.next() {
        let mut next = || arguments.next().cloned();
        match argument.as_str() {
            "--b64-cluster-ca" => config.authority = next(),
            "--apiserver-endpoint" => config.endpoint = next(),
            "--service-ipv4-cidr" => config.services = next(),
            "--dns-cluster-ip" => {
                config.dns = next().iter().filter_map(|at| at.parse().ok()).collect();
            }
            "--use-max-pods" => own_most = next().as_deref() != Some("false"),
            "--kubelet-extra-args" => {
                let flags = next().unwrap_or_default();
                flags
                    .split_whitespace()
                    .for_each(|flag| apply_flag(&mut config, flag));
            }
            flag if flag.starts_with("--") => {
                next();
            }
            name => name.clone_into(&mut config.cluster),
        }
    }
    if config.cluster.is_empty() {
        return Err(ConfigError::Incomplete("Name"));
    }
    // Without the type's own limit the kubelet's default holds.
    if !own_most && config.max_pods.is_none() {
        config.max_pods = Some(110);
    }
    Ok(config)
}

impl NodeConfig {
    /// Takes from a cluster's description (`eks:DescribeCluster`) what the node wasn't told.
    pub(super) fn complete(&mut self, cluster: &Value) {
        let text = |path: &str| {
            cluster
                .pointer(path)
                .and_then(Value::as_str)
                .map(str::to_owned)
        };
        let fill = |into: &mut Option<String>, path: &str| {
            if into.is_none() {
                *into = text(path);
            }
        };
        fill(&mut self.endpoint, "/cluster/endpoint");
        fill(&mut self.authority, "/cluster/certificateAuthority/data");
        fill(
            &mut self.services,
            "/cluster/kubernetesNetworkConfig/serviceIpv4Cidr",
        );
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use serde_json::json;

    const PART: &str = "---\napiVersion: node.eks.aws/v1alpha1\nkind: NodeConfig\nspec:\n  cluster:\n    \
        name: demo\n    apiServerEndpoint: https://x\n    certificateAuthority: QQ==\n    cidr: 10.100.0.0/16\n  \
        kubelet:\n    config:\n      maxPods: 29\n      clusterDNS: [10.100.0.10]\n    flags:\n    - \
        \"--node-labels=eks.amazonaws.com/nodegroup=ng,a=b\"\n";

    fn archive(kind: &str, body: &str) -> String {
        format!(
            "MIME-Version: 1.0\nContent-Type: multipart/mixed; boundary=\"//\"\n\n--//\n\
             Content-Type: {kind}\n\n{body}\n--//--\n"
        )
    }

    /// AWS-EKS: managed groups' user data is a MIME archive with a `NodeConfig`; it works alone too.
    #[test]
    fn user_data_configures_a_node() {
        for data in [archive(NODE_CONFIG, PART), PART.to_owned()] {
            let UserData::Config(config) = read(&data).unwrap() else {
                panic!("no configuration");
            };
            assert_eq!(config.cluster, "demo");
            assert_eq!(config.endpoint.as_deref(), Some("https://x"));
            assert_eq!(config.max_pods, Some(29));
            assert_eq!(config.dns, [Ipv4Addr::new(10, 100, 0, 10)]);
            assert_eq!(config.labels["eks.amazonaws.com/nodegroup"], "ng");
            assert_eq!(config.labels["a"], "b");
        }
    }

    /// AWS-EKS: what lacks something says what.
    #[test]
    fn what_is_missing_is_named() {
        assert_eq!(read("hello: world"), Err(ConfigError::Missing));
        assert_eq!(
            read(&archive("text/cloud-config", "x: y")),
            Err(ConfigError::Missing)
        );
        assert_eq!(
            read(&PART.replace("    cidr: 10.100.0.0/16\n", "")),
            Err(ConfigError::Incomplete("CIDR"))
        );
        assert_eq!(
            read(&archive("text/x-shellscript", "#!/bin/sh\n")),
            Ok(UserData::Script)
        );
    }

    /// AWS-EKS: self-managed nodes of Amazon Linux 2 join by `bootstrap.sh` and the cluster's description.
    #[test]
    fn bootstrap_arguments_configure_a_node() {
        let arguments = [
            "demo",
            "--kubelet-extra-args",
            "--node-labels=x=y --register-with-taints=k=v:NoSchedule",
            "--use-max-pods",
            "false",
        ];
        let mut config = of_arguments(&arguments.map(str::to_owned)).unwrap();
        assert_eq!(config.max_pods, Some(110));
        assert_eq!(config.labels["x"], "y");
        assert_eq!(config.taints[0].effect, "NoSchedule");
        config.complete(&json!({"cluster": {"endpoint": "https://e",
            "certificateAuthority": {"data": "QQ=="},
            "kubernetesNetworkConfig": {"serviceIpv4Cidr": "10.100.0.0/16"}}}));
        assert_eq!(config.endpoint.as_deref(), Some("https://e"));
        assert!(of_arguments(&[]).is_err());
    }
}

//! The agent's settings: environment variables, with upstream's names and defaults.
//! <https://github.com/aws/amazon-vpc-cni-k8s#cni-configuration-variables>
//!
//! A number or a switch that can't be read counts as not given, with a complaint; a few that would break the
//! node's network end the program. What Skylab hasn't built yet and a value asks for is refused where pods
//! would be without their network, and complained of otherwise ([`Settings::read`]).

use crate::pool::Targets;
use ipnet::Ipv4Net;
use kernel::node::Ports;
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

/// The least and the most that an interface's packets may have, in bytes.
const LEAST_MTU: u16 = 576;
const MOST_MTU: u16 = 9001;

/// What asks for something that isn't built, and changes nothing where it has this value.
const NOT_BUILT: [(&str, &[&str], &str); 8] = [
    ("ENABLE_V6_EGRESS", &["false"], "pods have no IPv6"),
    (
        "POD_SECURITY_GROUP_ENFORCING_MODE",
        &["strict"],
        "there are no security groups for pods",
    ),
    (
        "NETWORK_POLICY_ENFORCING_MODE",
        &["none", "standard"],
        "pods start before their policies are known",
    ),
    ("ENABLE_MULTI_NIC", &["false"], "pods have one interface"),
    ("ANNOTATE_POD_IP", &["false"], "pods are not annotated"),
    ("ENABLE_IMDS_ONLY_MODE", &["false"], "EC2 is asked"),
    (
        "AWS_VPC_K8S_CNI_LOG_FILE",
        &["stdout", "stderr"],
        "the log goes to standard error",
    ),
    (
        "AWS_VPC_K8S_PLUGIN_LOG_FILE",
        &["stderr"],
        "the plugin keeps no log",
    ),
];

/// What would leave pods without their network if it were not done.
const REFUSED: [&str; 2] = ["ENABLE_IPv6", "ENABLE_POD_ENI"];

/// What ends the program.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SettingsError {
    /// A variable has a value that it may not have.
    #[error("{name}: {why}")]
    Invalid {
        /// The variable.
        name: &'static str,
        /// What is wrong.
        why: String,
    },
    /// It asks for something that isn't built.
    #[error("{0}=true is not implemented")]
    NotImplemented(&'static str),
    /// Delegated prefixes without any target would never be asked for.
    #[error(
        "Setting WARM_PREFIX_TARGET = 0 is not supported while WARM_IP_TARGET/MINIMUM_IP_TARGET is not set. Please configure either one of the WARM_{{PREFIX/IP}}_TARGET or MINIMUM_IP_TARGET env variables"
    )]
    NoTarget,
}

/// The settings.
#[derive(Clone, Debug, PartialEq)]
pub struct Settings {
    /// How many addresses to keep.
    pub targets: Targets,
    /// The most interfaces, below the type's own limit.
    pub max_eni: Option<usize>,
    /// The largest packet of interfaces and of pods' links, in bytes.
    pub mtu: u16,
    /// The same of pods.
    pub pod_mtu: u16,
    /// Whether somebody else translates what leaves the VPC.
    pub external_snat: bool,
    /// How the translation chooses ports.
    pub ports: Ports,
    /// Destinations outside the VPC that see pods' addresses.
    pub exclude_snat: Vec<Ipv4Net>,
    /// Destinations that are reached by the primary interface.
    pub external_services: Vec<Ipv4Net>,
    /// What the names of pods' links begin with.
    pub veth_prefix: String,
    /// Whether pods' interfaces are made as an ENIConfig says.
    pub custom_networking: bool,
    /// The annotation and the label of the node that name its ENIConfig.
    pub eni_config: [String; 2],
    /// Whether answers to what came for a node port leave as they came.
    pub node_port_support: bool,
    /// The bit of marks that says: by the primary interface.
    pub connmark: u32,
    /// How long an address rests.
    pub cooldown: Duration,
    /// Whether EC2 is never asked for more.
    pub provision: bool,
    /// Whether interfaces that were left behind are removed.
    pub clean_leaked: bool,
    /// Whether interfaces that the agent didn't make are used too.
    pub manage_untagged: bool,
    /// Whether subnets with the tag `kubernetes.io/role/cni` are used too.
    pub subnet_discovery: bool,
    /// Whether the pool is kept while the node takes no pods.
    pub manage_unschedulable: bool,
    /// More tags for interfaces.
    pub tags: BTreeMap<String, String>,
    /// Where questions about the agent are answered.
    pub introspection: Option<SocketAddr>,
    /// Whether there are metrics.
    pub metrics: bool,
    /// Where the node's plugins are, as the agent sees it.
    pub plugins: PathBuf,
    /// Where the node's network configurations are, as the agent sees it.
    pub configurations: PathBuf,
    /// The file that keeps assignments.
    pub checkpoint: PathBuf,
    /// Where EC2 is, if not where it is for everybody.
    pub ec2_endpoint: Option<String>,
    /// The cluster's name, for interfaces' tags.
    pub cluster_name: Option<String>,
    /// The node's name.
    pub node_name: String,
}

/// Reads variables, and collects complaints.
struct Reader<F> {
    variable: F,
    complaints: Vec<String>,
}

impl<F: Fn(&str) -> Option<String>> Reader<F> {
    fn text(&self, name: &str) -> Option<String> {
        let value = (self.variable)(name)?;
        let value = value.trim();
        (!value.is_empty()).then(|| value.to_owned())
    }

    fn switch(&mut self, name: &str, default: bool) -> bool {
        let Some(text) = self.text(name) else {
            return default;
        };
        // What Go's strconv.ParseBool takes.
        match text.as_str() {
            "1" | "t" | "T" | "TRUE" | "true" | "True" => true,
            "0" | "f" | "F" | "FALSE" | "false" | "False" => false,
            _ => {
                self.complain(name, &text, &default);
                default
            }
        }
    }

    fn number(&mut self, name: &str) -> Option<usize> {
        let text = self.text(name)?;
        let read = text.parse().ok();
        if read.is_none() {
            self.complain(name, &text, &"no value");
        }
        read
    }

    /// A target below 0 is none.
    fn target(&mut self, name: &str) -> Option<usize> {
        self.number(name).filter(|target| *target > 0)
    }

    fn complain(&mut self, name: &str, text: &str, default: &dyn std::fmt::Display) {
        self.complaints.push(format!(
            "Failed to parse {name}; using default: {default}: {text:?}"
        ));
    }

    fn ranges(&mut self, name: &str) -> Vec<Ipv4Net> {
        let text = self.text(name).unwrap_or_default();
        let mut ranges = Vec::new();
        for part in text
            .split(',')
            .map(str::trim)
            .filter(|part| !part.is_empty())
        {
            match part.parse::<Ipv4Net>() {
                Ok(range) => ranges.push(range.trunc()),
                Err(_) => self
                    .complaints
                    .push(format!("{name}: Failed to parse CIDR {part:?}")),
            }
        }
        ranges
    }

    fn mtu(&mut self, name: &'static str, default: u16) -> Result<u16, SettingsError> {
        let Some(text) = self.text(name) else {
            return Ok(default);
        };
        match text.parse() {
            Ok(mtu) if (LEAST_MTU..=MOST_MTU).contains(&mtu) => Ok(mtu),
            _ => Err(SettingsError::Invalid {
                name,
                why: format!("{text:?} is not a number from {LEAST_MTU} to {MOST_MTU}"),
            }),
        }
    }
}

impl Settings {
    /// From variables; beside them, what to complain of.
    ///
    /// # Errors
    /// What ends the program.
    pub fn read(
        variable: impl Fn(&str) -> Option<String>,
    ) -> Result<(Self, Vec<String>), SettingsError> {
        let mut from = Reader {
            variable,
            complaints: Vec::new(),
        };
        for name in REFUSED {
            if from.switch(name, false) {
                return Err(SettingsError::NotImplemented(name));
            }
        }
        let targets = Targets {
            warm_enis: from.number("WARM_ENI_TARGET").unwrap_or(1),
            warm_ips: from.target("WARM_IP_TARGET"),
            minimum_ips: from.target("MINIMUM_IP_TARGET"),
            warm_prefixes: from.number("WARM_PREFIX_TARGET").unwrap_or(0),
            prefixes: from.switch("ENABLE_PREFIX_DELEGATION", false),
        };
        if targets.prefixes && targets.warm_prefixes == 0 && !targets.count_ips() {
            return Err(SettingsError::NoTarget);
        }
        let mtu = from.mtu("AWS_VPC_ENI_MTU", MOST_MTU)?;
        let settings = Self {
            targets,
            max_eni: from.target("MAX_ENI"),
            mtu,
            pod_mtu: from.mtu("POD_MTU", mtu)?,
            external_snat: from.switch("AWS_VPC_K8S_CNI_EXTERNALSNAT", false),
            ports: ports(&mut from),
            exclude_snat: from.ranges("AWS_VPC_K8S_CNI_EXCLUDE_SNAT_CIDRS"),
            external_services: from.ranges("AWS_EXTERNAL_SERVICE_CIDRS"),
            veth_prefix: veth_prefix(&from)?,
            custom_networking: from.switch("AWS_VPC_K8S_CNI_CUSTOM_NETWORK_CFG", false),
            eni_config: ["ENI_CONFIG_ANNOTATION_DEF", "ENI_CONFIG_LABEL_DEF"].map(|name| {
                from.text(name)
                    .unwrap_or("k8s.amazonaws.com/eniConfig".to_owned())
            }),
            node_port_support: from.switch("AWS_VPC_CNI_NODE_PORT_SUPPORT", true),
            connmark: connmark(&mut from),
            cooldown: Duration::from_secs(
                from.number("IP_COOLDOWN_PERIOD")
                    .map_or(30, |seconds| seconds as u64),
            ),
            provision: !from.switch("DISABLE_NETWORK_RESOURCE_PROVISIONING", false),
            clean_leaked: !from.switch("DISABLE_LEAKED_ENI_CLEANUP", false),
            manage_untagged: from.switch("MANAGE_UNTAGGED_ENI", true),
            subnet_discovery: from.switch("ENABLE_SUBNET_DISCOVERY", true),
            manage_unschedulable: from.switch("AWS_MANAGE_ENIS_NON_SCHEDULABLE", false),
            tags: tags(&mut from),
            introspection: introspection(&mut from),
            metrics: !from.switch("DISABLE_METRICS", false),
            plugins: path(&from, "HOST_CNI_BIN_PATH", "/host/opt/cni/bin"),
            configurations: path(&from, "HOST_CNI_CONFDIR_PATH", "/host/etc/cni/net.d"),
            checkpoint: path(
                &from,
                "AWS_VPC_K8S_CNI_BACKING_STORE",
                "/var/run/aws-node/ipam.json",
            ),
            ec2_endpoint: from.text("AWS_EC2_ENDPOINT"),
            cluster_name: from.text("CLUSTER_NAME"),
            node_name: from.text("MY_NODE_NAME").unwrap_or_default(),
        };
        not_built(&mut from);
        Ok((settings, from.complaints))
    }
}

fn not_built<F: Fn(&str) -> Option<String>>(from: &mut Reader<F>) {
    for (name, harmless, instead) in NOT_BUILT {
        let value = from.text(name);
        if let Some(value) = value.filter(|value| !harmless.contains(&value.as_str())) {
            from.complaints
                .push(format!("{name}={value} is not implemented: {instead}"));
        }
    }
}

fn path<F: Fn(&str) -> Option<String>>(from: &Reader<F>, name: &str, default: &str) -> PathBuf {
    from.text(name)
        .map_or_else(|| default.into(), PathBuf::from)
}

fn ports<F: Fn(&str) -> Option<String>>(from: &mut Reader<F>) -> Ports {
    const NAME: &str = "AWS_VPC_K8S_CNI_RANDOMIZESNAT";
    match from.text(NAME).as_deref() {
        None | Some("prng") => Ports::Random,
        Some("hashrandom") => Ports::Hashed,
        Some("none") => Ports::Kept,
        Some(other) => {
            from.complain(NAME, other, &"prng");
            Ports::Random
        }
    }
}

fn connmark<F: Fn(&str) -> Option<String>>(from: &mut Reader<F>) -> u32 {
    const NAME: &str = "AWS_VPC_K8S_CNI_CONNMARK";
    const DEFAULT: u32 = 0x80;
    let Some(text) = from.text(NAME) else {
        return DEFAULT;
    };
    let read = match text.strip_prefix("0x") {
        Some(digits) => u32::from_str_radix(digits, 16).ok(),
        None => text.parse().ok(),
    };
    match read {
        Some(mark) if mark > 0 => mark,
        _ => {
            from.complain(NAME, &text, &"0x80");
            DEFAULT
        }
    }
}

fn veth_prefix<F: Fn(&str) -> Option<String>>(from: &Reader<F>) -> Result<String, SettingsError> {
    const NAME: &str = "AWS_VPC_K8S_CNI_VETHPREFIX";
    let prefix = from.text(NAME).unwrap_or("eni".to_owned());
    let plain = prefix.bytes().all(|byte| byte.is_ascii_alphanumeric());
    if prefix.len() > 4 || !plain || ["eth", "vlan", "lo"].contains(&prefix.as_str()) {
        return Err(SettingsError::Invalid {
            name: NAME,
            why: format!(
                "{prefix:?} must be at most 4 characters long and not \"eth\", \"vlan\" or \"lo\""
            ),
        });
    }
    Ok(prefix)
}

fn tags<F: Fn(&str) -> Option<String>>(from: &mut Reader<F>) -> BTreeMap<String, String> {
    const NAME: &str = "ADDITIONAL_ENI_TAGS";
    /// These are AWS's own.
    const RESERVED: &str = "k8s.amazonaws.com";
    let text = from.text(NAME).unwrap_or("{}".to_owned());
    let Ok(mut tags) = serde_json::from_str::<BTreeMap<String, String>>(&text) else {
        from.complain(NAME, &text, &"{}");
        return BTreeMap::new();
    };
    tags.retain(|key, _| !key.contains(RESERVED));
    tags
}

fn introspection<F: Fn(&str) -> Option<String>>(from: &mut Reader<F>) -> Option<SocketAddr> {
    const NAME: &str = "INTROSPECTION_BIND_ADDRESS";
    let default = SocketAddr::from(([127, 0, 0, 1], 61_679));
    if from.switch("DISABLE_INTROSPECTION", false) {
        return None;
    }
    let Some(text) = from.text(NAME) else {
        return Some(default);
    };
    let read = text.parse().ok();
    if read.is_none() {
        from.complain(NAME, &text, &default);
    }
    Some(read.unwrap_or(default))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn read(variables: &[(&str, &str)]) -> Result<(Settings, Vec<String>), SettingsError> {
        Settings::read(|name| {
            let found = variables.iter().find(|(known, _)| *known == name);
            found.map(|(_, value)| (*value).to_owned())
        })
    }

    /// AWS-CNI: upstream's defaults.
    #[test]
    fn defaults_are_upstreams() {
        let (settings, complaints) = read(&[]).unwrap();
        assert!(complaints.is_empty());
        assert_eq!(settings.targets.warm_enis, 1);
        assert_eq!(settings.targets.warm_ips, None);
        assert_eq!((settings.mtu, settings.pod_mtu), (9001, 9001));
        assert_eq!(settings.connmark, 0x80);
        assert_eq!(settings.cooldown, Duration::from_secs(30));
        assert!(settings.node_port_support && !settings.external_snat);
        assert_eq!(settings.veth_prefix, "eni");
        assert_eq!(
            settings.introspection,
            Some(([127, 0, 0, 1], 61_679).into())
        );
    }

    /// AWS-CNI: what can't be read is complained of and counts as not given.
    #[test]
    fn nonsense_is_complained_of() {
        let (settings, complaints) = read(&[
            ("WARM_ENI_TARGET", "many"),
            ("AWS_VPC_K8S_CNI_EXTERNALSNAT", "perhaps"),
            ("AWS_VPC_K8S_CNI_EXCLUDE_SNAT_CIDRS", "10.12.0.0/16, ten"),
            ("AWS_VPC_K8S_CNI_CONNMARK", "0x100"),
            ("WARM_IP_TARGET", "0"),
        ])
        .unwrap();
        assert_eq!(settings.targets.warm_enis, 1);
        assert!(!settings.external_snat);
        assert_eq!(settings.exclude_snat, ["10.12.0.0/16".parse().unwrap()]);
        assert_eq!(settings.connmark, 0x100);
        assert_eq!(settings.targets.warm_ips, None);
        assert_eq!(complaints.len(), 3, "{complaints:?}");
    }

    /// AWS-CNI: what would break the node's network ends the program.
    #[test]
    fn dangerous_values_are_refused() {
        let invalid = |variables: &[(&str, &str)]| read(variables).unwrap_err();
        for wrong in ["575", "9002", "large"] {
            assert!(matches!(
                invalid(&[("AWS_VPC_ENI_MTU", wrong)]),
                SettingsError::Invalid { .. }
            ));
        }
        for wrong in ["eth", "lo", "toolong", "a/b"] {
            invalid(&[("AWS_VPC_K8S_CNI_VETHPREFIX", wrong)]);
        }
        assert_eq!(
            invalid(&[("ENABLE_PREFIX_DELEGATION", "true")]),
            SettingsError::NoTarget
        );
        assert_eq!(
            invalid(&[("ENABLE_IPv6", "true")]),
            SettingsError::NotImplemented("ENABLE_IPv6")
        );
        let (_, complaints) = read(&[("ENABLE_MULTI_NIC", "true")]).unwrap();
        assert_eq!(
            complaints,
            ["ENABLE_MULTI_NIC=true is not implemented: pods have one interface"]
        );
    }
}

//! Security groups: what load balancers' own let in, and which group of an instance lets load balancers in.

use crate::aws::{list, text};
use crate::failure::Failure;
use crate::listener::Listener;
use serde_json::{Value, json};
use std::collections::BTreeSet;

/// One thing that a group lets in.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Permission {
    /// `tcp` or `icmp`.
    protocol: String,
    /// The first port, or ICMP's type.
    from: String,
    /// The last port, or ICMP's code.
    to: String,
    /// The callers.
    range: String,
}

impl Permission {
    /// As requests have it.
    pub(crate) fn wire(&self) -> Value {
        json!({
            "IpProtocol": self.protocol, "FromPort": self.from, "ToPort": self.to,
            "IpRanges": [{"CidrIp": self.range}],
        })
    }
}

/// What a load balancer's group lets in: each listener's port, and the ICMP messages that find out how long packets may
/// be.
pub(crate) fn wanted(listeners: &[Listener], ranges: &[String]) -> BTreeSet<Permission> {
    let mut all = BTreeSet::new();
    for range in ranges {
        let mut add = |protocol: &str, from: u16, to: u16| {
            all.insert(Permission {
                protocol: protocol.to_owned(),
                from: from.to_string(),
                to: to.to_string(),
                range: range.clone(),
            });
        };
        for listener in listeners {
            add("tcp", listener.port, listener.port);
        }
        add("icmp", 3, 4);
    }
    all
}

/// What a group lets in now, by ranges of addresses.
pub(crate) fn present(group: &Value) -> BTreeSet<Permission> {
    let mut all = BTreeSet::new();
    for permission in list(group, "ipPermissions") {
        for range in list(permission, "ipRanges") {
            all.insert(Permission {
                protocol: text(permission, "ipProtocol").to_owned(),
                from: text(permission, "fromPort").to_owned(),
                to: text(permission, "toPort").to_owned(),
                range: text(range, "cidrIp").to_owned(),
            });
        }
    }
    all
}

/// Everything from another group, as requests have it.
pub(crate) fn from_group(group: &str) -> Value {
    json!([{"IpProtocol": "-1", "Groups": [{"GroupId": group}]}])
}

/// Whether a group lets everything from another one in.
pub(crate) fn lets_in(group: &Value, other: &str) -> bool {
    list(group, "ipPermissions").iter().any(|permission| {
        text(permission, "ipProtocol") == "-1"
            && list(permission, "groups")
                .iter()
                .any(|pair| text(pair, "groupId") == other)
    })
}

/// The group of an instance that is to let load balancers in: the one with the cluster's tag, or the only one.
///
/// # Errors
/// There are several of them.
pub(crate) fn of_instance(
    instance: &Value,
    tagged: &BTreeSet<String>,
) -> Result<Option<String>, Failure> {
    let groups = list(instance, "groupSet").iter();
    let groups: Vec<&str> = groups.map(|group| text(group, "groupId")).collect();
    let own: Vec<&str> = groups
        .iter()
        .copied()
        .filter(|group| tagged.contains(*group))
        .collect();
    let id = text(instance, "instanceId");
    match (own.as_slice(), groups.as_slice()) {
        ([only], _) | ([], [only]) => Ok(Some((*only).to_owned())),
        ([], []) => Ok(None),
        ([], _) => Err(Failure::service(format!(
            "Multiple untagged security groups found for instance {id}; ensure the k8s security group is tagged"
        ))),
        (several, _) => Err(Failure::service(format!(
            "Multiple tagged security groups found for instance {id}; ensure only the k8s security group is tagged; the tagged groups were {}",
            several.join(" ")
        ))),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    /// AWS-LBC: a load balancer's group lets callers to its ports, and ICMP "fragmentation needed".
    #[test]
    fn a_group_lets_callers_to_ports() {
        let listener = Listener {
            protocol: "TCP",
            port: 80,
            instance_protocol: "TCP",
            instance_port: 32671,
            certificate: None,
        };
        let wanted = wanted(&[listener], &["0.0.0.0/0".to_owned()]);
        let told = json!({"ipPermissions": [
            {"ipProtocol": "tcp", "fromPort": "80", "toPort": "80", "ipRanges": [{"cidrIp": "0.0.0.0/0"}]},
            {"ipProtocol": "icmp", "fromPort": "3", "toPort": "4", "ipRanges": [{"cidrIp": "0.0.0.0/0"}]},
        ]});
        assert_eq!(present(&told), wanted);
    }

    /// AWS-LBC: nodes' tagged group is the one that is changed; several are refused.
    #[test]
    fn the_tagged_group_of_an_instance_is_changed() {
        let instance = |groups: &[&str]| {
            let groups = groups.iter().map(|id| json!({"groupId": id}));
            json!({"instanceId": "i-1", "groupSet": groups.collect::<Vec<_>>()})
        };
        let tagged = BTreeSet::from(["sg-1".to_owned(), "sg-2".to_owned()]);
        let of = |groups: &[&str]| of_instance(&instance(groups), &tagged);
        assert_eq!(of(&["sg-1", "sg-9"]).unwrap().as_deref(), Some("sg-1"));
        assert_eq!(of(&["sg-9"]).unwrap().as_deref(), Some("sg-9"));
        assert_eq!(of(&[]).unwrap(), None);
        assert!(
            of(&["sg-8", "sg-9"])
                .unwrap_err()
                .to_string()
                .contains("untagged")
        );
        assert!(
            of(&["sg-1", "sg-2"])
                .unwrap_err()
                .to_string()
                .ends_with("sg-1 sg-2")
        );
    }
}

//! Names: of their owner, readable as far as there is room, and with a hash that keeps them apart.

use super::class::GroupId;
use sha2::{Digest, Sha256};

/// So much of a hash stands in names.
const HASH: usize = 10;

/// The hash of texts, one after the other without anything between.
fn hash(parts: &[&str]) -> String {
    let mut digest = Sha256::new();
    for part in parts {
        digest.update(part.as_bytes());
    }
    format!("{:x}", digest.finalize())
}

/// What of a text may stand in a name, at most so much.
fn plain(text: &str, most: usize) -> String {
    let kept = text.chars().filter(char::is_ascii_alphanumeric);
    kept.take(most).collect()
}

/// A name of two words and a hash.
fn of_two(first: &str, second: &str, parts: &[&str]) -> String {
    format!(
        "k8s-{}-{}-{}",
        plain(first, 8),
        plain(second, 8),
        &hash(parts)[..HASH]
    )
}

fn of_group(group: &GroupId, parts: &[&str]) -> String {
    match group {
        GroupId::Implicit { namespace, name } => of_two(namespace, name, parts),
        GroupId::Explicit(name) => {
            format!("k8s-{}-{}", plain(name, 17), &hash(parts)[..HASH])
        }
    }
}

/// The load balancer of a group of ingresses.
pub fn balancer(cluster: &str, group: &GroupId, scheme: &str) -> String {
    of_group(group, &[cluster, &group.to_string(), scheme])
}

/// Its security group.
pub fn security_group(cluster: &str, group: &GroupId) -> String {
    of_group(group, &[cluster, &group.to_string()])
}

/// The security group that all load balancers of a cluster share.
pub fn backend_group(cluster: &str) -> String {
    format!(
        "k8s-traffic-{}-{}",
        plain(cluster, 232),
        &hash(&[cluster])[..HASH]
    )
}

/// What tells an ingress' target group from others.
#[derive(Clone, Copy, Debug)]
pub struct TargetGroupParts<'a> {
    /// The cluster.
    pub cluster: &'a str,
    /// The group of the ingress.
    pub group: &'a str,
    /// The ingress' namespace and name.
    pub ingress: (&'a str, &'a str),
    /// The service's namespace, name and uid.
    pub service: (&'a str, &'a str, &'a str),
    /// The service's port as the ingress says it.
    pub port: &'a str,
    /// The target group's port.
    pub target_port: u16,
    /// `instance` or `ip`.
    pub target_type: &'a str,
    /// The protocol and its version.
    pub protocol: (&'a str, &'a str),
}

/// The target group of an ingress' backend.
pub fn target_group(of: &TargetGroupParts<'_>) -> String {
    let (namespace, service, uid) = of.service;
    let parts = [
        of.cluster,
        of.group,
        of.ingress.0,
        of.ingress.1,
        uid,
        of.port,
        &of.target_port.to_string(),
        of.target_type,
        of.protocol.0,
        of.protocol.1,
    ];
    of_two(namespace, service, &parts)
}

/// The load balancer of a service.
pub fn service_balancer(cluster: &str, service: (&str, &str, &str), scheme: &str) -> String {
    let (namespace, name, uid) = service;
    of_two(namespace, name, &[cluster, uid, scheme])
}

/// Its security group.
pub fn service_security_group(cluster: &str, service: (&str, &str, &str)) -> String {
    let (namespace, name, uid) = service;
    of_two(namespace, name, &[cluster, name, namespace, uid])
}

/// What tells a service's target group from others.
#[derive(Clone, Copy, Debug)]
pub struct ServiceTargetParts<'a> {
    /// The cluster.
    pub cluster: &'a str,
    /// The service's namespace, name and uid.
    pub service: (&'a str, &'a str, &'a str),
    /// The target group's port, and the service's.
    pub ports: (u16, u16),
    /// `instance` or `ip`.
    pub target_type: &'a str,
    /// The protocol.
    pub protocol: &'a str,
    /// The health check's protocol and interval.
    pub check: (&'a str, u32),
}

/// The target group of a service's port.
pub fn service_target_group(of: &ServiceTargetParts<'_>) -> String {
    let (namespace, name, uid) = of.service;
    let parts = [
        of.cluster,
        uid,
        &of.ports.0.to_string(),
        &of.ports.1.to_string(),
        of.target_type,
        of.protocol,
        of.check.0,
        &of.check.1.to_string(),
    ];
    of_two(namespace, name, &parts)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn group() -> GroupId {
        GroupId::Implicit {
            namespace: "ns-1".to_owned(),
            name: "ing-1".to_owned(),
        }
    }

    /// AWS-LBC: names are upstream's, letter by letter.
    #[test]
    fn names_are_upstreams() {
        let of = |scheme| balancer("cluster-dummy", &group(), scheme);
        assert_eq!(of("internet-facing"), "k8s-ns1-ing1-159dd7a143");
        assert_eq!(of("internal"), "k8s-ns1-ing1-b7e914000d");
        let managed = security_group("cluster-dummy", &group());
        assert_eq!(managed, "k8s-ns1-ing1-bd83176788");
        let explicit = GroupId::Explicit("a-very.long-group.name-indeed".to_owned());
        let name = balancer("cluster-dummy", &explicit, "internal");
        assert!(name.starts_with("k8s-averylonggroupnam-"), "{name}");
        assert_eq!(name.len(), 32);
        assert!(backend_group("my-cluster").starts_with("k8s-traffic-mycluster-"));
    }

    /// AWS-LBC: a target group's name depends on the service's uid and the port as it is written.
    #[test]
    fn target_groups_have_upstreams_names() {
        let of = |port| {
            target_group(&TargetGroupParts {
                cluster: "cluster-dummy",
                group: "ns-1/ing-1",
                ingress: ("ns-1", "ing-1"),
                service: ("ns-1", "svc-1", ""),
                port,
                target_port: 32_768,
                target_type: "instance",
                protocol: ("HTTP", "HTTP1"),
            })
        };
        let (named, numbered) = (of("http"), of("80"));
        assert!(named.starts_with("k8s-ns1-svc1-"));
        assert_ne!(named, numbered);
    }
}

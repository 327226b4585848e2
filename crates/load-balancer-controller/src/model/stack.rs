//! What is to be there for a group of ingresses or a service.

use super::action::Action;
use super::condition::Condition;
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// Tags, or attributes.
pub type Pairs = BTreeMap<String, String>;

/// Whom a stack is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Owner {
    /// Ingresses.
    Ingress,
    /// A service.
    Service,
}

impl Owner {
    /// What the keys of its tags begin with.
    fn prefix(self) -> &'static str {
        match self {
            Self::Ingress => "ingress.k8s.aws",
            Self::Service => "service.k8s.aws",
        }
    }

    /// The tag with the stack.
    pub fn stack_tag(self) -> String {
        format!("{}/stack", self.prefix())
    }

    /// The tag with what a resource is in its stack.
    pub fn resource_tag(self) -> String {
        format!("{}/resource", self.prefix())
    }
}

/// The tag with the cluster.
pub const CLUSTER_TAG: &str = "elbv2.k8s.aws/cluster";
/// What a load balancer is in its stack.
pub const BALANCER: &str = "LoadBalancer";
/// What a load balancer's own security group is in its stack.
pub const MANAGED_GROUP: &str = "ManagedLBSecurityGroup";

/// Everything that is to be there for one owner; nothing where it is to go.
#[derive(Clone, Debug, PartialEq)]
pub struct Stack {
    /// Whom it is for.
    pub owner: Owner,
    /// Its name: a group's, or `namespace/name`.
    pub name: String,
    /// The load balancer's own security group.
    pub managed_group: Option<SecurityGroup>,
    /// The load balancer.
    pub balancer: Option<Balancer>,
    /// Target groups.
    pub target_groups: Vec<TargetGroup>,
    /// What puts targets into them.
    pub bindings: Vec<Binding>,
}

impl Stack {
    /// A stack of which nothing is to be there.
    pub fn empty(owner: Owner, name: String) -> Self {
        Self {
            owner,
            name,
            managed_group: None,
            balancer: None,
            target_groups: Vec::new(),
            bindings: Vec::new(),
        }
    }

    /// Whether the load balancer has the security group that all of the cluster's share.
    pub fn has_backend_group(&self) -> bool {
        let groups = self.balancer.iter().flat_map(|of| &of.groups);
        groups.into_iter().any(|of| *of == GroupRef::Backend)
    }
}

/// The security group of a load balancer.
#[derive(Clone, Debug, PartialEq)]
pub struct SecurityGroup {
    /// Its name.
    pub name: String,
    /// Who may come in.
    pub permissions: Vec<Permission>,
    /// Its tags.
    pub tags: Pairs,
}

/// Who may come in where.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Permission {
    /// `tcp` or `udp`.
    pub protocol: &'static str,
    /// The port.
    pub port: u16,
    /// Who.
    pub from: Source,
}

/// Who may come in.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Source {
    /// A range of addresses.
    Range(String),
    /// A prefix list.
    PrefixList(String),
}

/// A security group of a load balancer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum GroupRef {
    /// One that is there.
    Id(String),
    /// Its own.
    Managed,
    /// The one that all of the cluster's share.
    Backend,
}

/// A load balancer.
#[derive(Clone, Debug, PartialEq)]
pub struct Balancer {
    /// Its name.
    pub name: String,
    /// `application` or `network`.
    pub kind: &'static str,
    /// `internal` or `internet-facing`.
    pub scheme: String,
    /// Its subnets.
    pub subnets: Vec<SubnetMapping>,
    /// Its security groups.
    pub groups: Vec<GroupRef>,
    /// Its attributes, those that are asked for.
    pub attributes: Pairs,
    /// Its listeners, by port.
    pub listeners: Vec<Listener>,
    /// Its tags.
    pub tags: Pairs,
}

/// A subnet, and the address there.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SubnetMapping {
    /// The subnet.
    pub subnet: String,
    /// An elastic address.
    pub allocation: Option<String>,
    /// A private address.
    pub private_ip: Option<String>,
}

/// A listener.
#[derive(Clone, Debug, PartialEq)]
pub struct Listener {
    /// Its port.
    pub port: u16,
    /// Its protocol.
    pub protocol: &'static str,
    /// What happens where no rule takes a request.
    pub default: Vec<Action>,
    /// Its certificates, the default one first.
    pub certificates: Vec<String>,
    /// Its security policy.
    pub policy: Option<String>,
    /// Its policy of application protocols.
    pub alpn: Option<String>,
    /// Its attributes, those that are asked for.
    pub attributes: Pairs,
    /// Its rules, in order.
    pub rules: Vec<Rule>,
    /// Its tags.
    pub tags: Pairs,
}

/// A rule; its priority is its place in the list, from 1 on.
#[derive(Clone, Debug, PartialEq)]
pub struct Rule {
    /// What requests it takes.
    pub conditions: Vec<Condition>,
    /// What happens to them.
    pub actions: Vec<Action>,
    /// Its tags, but for what it is in its stack.
    pub tags: Pairs,
}

/// A target group.
#[derive(Clone, Debug, PartialEq)]
pub struct TargetGroup {
    /// Its name.
    pub name: String,
    /// What it is in its stack.
    pub resource: String,
    /// `instance` or `ip`.
    pub target_type: &'static str,
    /// Its protocol.
    pub protocol: String,
    /// Its protocol's version, of HTTP.
    pub version: Option<String>,
    /// Its port.
    pub port: u16,
    /// How targets are checked.
    pub check: HealthCheck,
    /// Its attributes, those that are asked for.
    pub attributes: Pairs,
    /// Its tags.
    pub tags: Pairs,
}

/// How targets are checked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HealthCheck {
    /// The protocol.
    pub protocol: String,
    /// The port, or `traffic-port`.
    pub port: String,
    /// The path, of HTTP.
    pub path: Option<String>,
    /// The codes that are good: HTTP's or gRPC's.
    pub codes: Option<Codes>,
    /// Seconds from one to the next.
    pub interval: u32,
    /// Seconds until one has failed.
    pub timeout: u32,
    /// So many make a target healthy.
    pub healthy: u32,
    /// So many make it unhealthy.
    pub unhealthy: u32,
}

/// Codes that are good.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Codes {
    /// HTTP's.
    Http(String),
    /// gRPC's.
    Grpc(String),
}

/// What puts a service's targets into a target group.
#[derive(Clone, Debug, PartialEq)]
pub struct Binding {
    /// The target group, and the binding's own name.
    pub target_group: String,
    /// Its namespace.
    pub namespace: String,
    /// The service.
    pub service: String,
    /// The service's port, as JSON.
    pub port: Value,
    /// `instance` or `ip`.
    pub target_type: &'static str,
    /// Whom its targets let in; nothing where others see to that.
    pub networking: Vec<Peer>,
    /// Which nodes take part.
    pub node_selector: Option<Value>,
    /// The target group's protocol.
    pub protocol: String,
}

/// Whom targets let in.
#[derive(Clone, Debug, PartialEq)]
pub struct Peer {
    /// The cluster's shared security group, a group, or a range.
    pub from: PeerSource,
    /// Where: protocols with ports, as JSON.
    pub ports: Vec<(&'static str, Value)>,
}

/// Whom targets let in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PeerSource {
    /// Load balancers with the shared group.
    Backend,
    /// Load balancers with a group.
    Group(String),
    /// A range of addresses.
    Range(String),
}

impl HealthCheck {
    /// The members of requests about target groups.
    pub fn wire(&self) -> Value {
        let matcher = self.codes.as_ref().map(|codes| match codes {
            Codes::Http(codes) => json!({"HttpCode": codes}),
            Codes::Grpc(codes) => json!({"GrpcCode": codes}),
        });
        json!({
            "HealthCheckEnabled": true,
            "HealthCheckProtocol": self.protocol,
            "HealthCheckPort": self.port,
            "HealthCheckPath": self.path,
            "HealthCheckIntervalSeconds": self.interval,
            "HealthCheckTimeoutSeconds": self.timeout,
            "HealthyThresholdCount": self.healthy,
            "UnhealthyThresholdCount": self.unhealthy,
            "Matcher": matcher,
        })
    }

    /// Whether a target group that was described is checked so.
    pub fn is(&self, described: &Value) -> bool {
        let text = |name: &str| described[name].as_str();
        let number = |name: &str, wanted: u32| text(name) == Some(wanted.to_string().as_str());
        let codes = match &self.codes {
            None => true,
            Some(Codes::Http(codes)) => described["Matcher"]["HttpCode"] == codes.as_str(),
            Some(Codes::Grpc(codes)) => described["Matcher"]["GrpcCode"] == codes.as_str(),
        };
        codes
            && text("HealthCheckProtocol") == Some(self.protocol.as_str())
            && text("HealthCheckPort") == Some(self.port.as_str())
            && (self.path.is_none() || text("HealthCheckPath") == self.path.as_deref())
            && number("HealthCheckIntervalSeconds", self.interval)
            && number("HealthCheckTimeoutSeconds", self.timeout)
            && number("HealthyThresholdCount", self.healthy)
            && number("UnhealthyThresholdCount", self.unhealthy)
    }
}

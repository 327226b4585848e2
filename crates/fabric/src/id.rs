//! Ids. Each kind of thing has its own type, so that one can't be taken for another.

use serde::{Deserialize, Serialize};
use std::fmt;
use std::sync::Arc;

macro_rules! ids {
    ($($(#[$doc:meta])* $name:ident;)*) => {$(
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(from = "String", into = "String")]
        pub struct $name(Arc<str>);

        impl $name {
            /// The id from its text.
            pub fn new(text: impl Into<Arc<str>>) -> Self {
                Self(text.into())
            }
            /// The id's text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }
        impl From<&str> for $name {
            fn from(text: &str) -> Self {
                Self(text.into())
            }
        }
        impl From<String> for $name {
            fn from(text: String) -> Self {
                Self(text.into())
            }
        }
        impl From<$name> for String {
            fn from(id: $name) -> Self {
                id.0.as_ref().to_owned()
            }
        }
        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    )*};
}

ids! {
    /// A network: a VPC, a VNet, the internet. The text is the cloud's own id (`vpc-0a1b…`).
    NetworkId;
    /// A segment: a subnet (`subnet-0a1b…`).
    SegmentId;
    /// A host: an instance, a NAT gateway's machine (`i-0a1b…`, `nat-0a1b…`).
    HostId;
    /// A port: a network interface (`eni-0a1b…`).
    PortId;
    /// A route table (`rtb-0a1b…`).
    RouteTableId;
    /// A filter: a security group, a network ACL (`sg-0a1b…`, `acl-0a1b…`).
    FilterId;
    /// A rule of a filter or a route, by the cloud's own id or, where it has none, its number.
    RuleId;
    /// A named set of addresses: a security group's members, a prefix list, a service tag.
    AddressSetId;
    /// A gateway (`igw-0a1b…`).
    GatewayId;
    /// A port of a service of a cluster (`namespace/name:port`).
    ServiceId;
    /// A balancer (a load balancer's ARN).
    BalancerId;
    /// A listener of a balancer.
    ListenerId;
    /// A pool of a balancer: a target group, a backend service.
    PoolId;
    /// A certificate that a balancer shows. Its key is elsewhere.
    CertificateId;
}

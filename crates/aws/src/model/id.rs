//! Ids of AWS resources, one type a kind: a prefix and 17 hexadecimal digits.

use serde::{Deserialize, Serialize};
use std::fmt;
use std::sync::Arc;

macro_rules! ids {
    ($($(#[$doc:meta])* $name:ident = $prefix:literal;)*) => {$(
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(from = "String", into = "String")]
        pub struct $name(Arc<str>);

        impl $name {
            /// What such ids begin with, hyphen included.
            pub const PREFIX: &'static str = concat!($prefix, "-");

            /// A new id from the state's source of ids.
            pub fn fresh(digits: &str) -> Self {
                Self(format!("{}{digits}", Self::PREFIX).into())
            }
            /// Whether a text has the form of such an id (8 or 17 hexadecimal digits).
            pub fn well_formed(text: &str) -> bool {
                text.strip_prefix(Self::PREFIX).is_some_and(|digits| {
                    matches!(digits.len(), 8 | 17) && digits.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'))
                })
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
        impl std::borrow::Borrow<str> for $name {
            fn borrow(&self) -> &str {
                &self.0
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
    /// A VPC.
    VpcId = "vpc";
    /// The association of a CIDR with a VPC.
    CidrAssociationId = "vpc-cidr-assoc";
    /// A subnet.
    SubnetId = "subnet";
    /// A route table.
    RouteTableId = "rtb";
    /// The association of a route table with a subnet or gateway, or as the VPC's main one.
    RouteTableAssociationId = "rtbassoc";
    /// An internet gateway.
    InternetGatewayId = "igw";
    /// A NAT gateway.
    NatGatewayId = "nat";
    /// A network interface.
    NetworkInterfaceId = "eni";
    /// The attachment of a network interface to an instance.
    AttachmentId = "eni-attach";
    /// An Elastic IP's allocation.
    AllocationId = "eipalloc";
    /// An Elastic IP's association.
    AssociationId = "eipassoc";
    /// A security group.
    SecurityGroupId = "sg";
    /// A security group's rule.
    SecurityGroupRuleId = "sgr";
    /// A network ACL.
    NetworkAclId = "acl";
    /// The association of a network ACL with a subnet.
    NetworkAclAssociationId = "aclassoc";
    /// A managed prefix list.
    PrefixListId = "pl";
    /// A DHCP option set.
    DhcpOptionsId = "dopt";
    /// An instance.
    InstanceId = "i";
    /// A reservation: the instances of one RunInstances.
    ReservationId = "r";
    /// A machine image.
    ImageId = "ami";
    /// A key pair.
    KeyPairId = "key";
    /// A launch template.
    LaunchTemplateId = "lt";
    /// An EBS volume.
    VolumeId = "vol";
}

//! How many interfaces and addresses an instance type has, and how many pods that makes.
//! <https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/AvailableIpPerENI.html>
//! <https://docs.aws.amazon.com/eks/latest/userguide/choosing-instance-type.html#determine-max-pods>

/// The published limits, the same table that the cloud's own answers come from.
const TABLE: &str = include_str!("../../aws/src/model/data/instance_types.tsv");
/// Addresses in a delegated prefix, a /28.
pub const PREFIX_SIZE: usize = 16;
/// With delegated prefixes no more pods are recommended on a node with few processors, and on any.
const MOST_ON_FEW_PROCESSORS: usize = 110;
const MOST: usize = 250;
/// Fewer than these are few.
const MANY_PROCESSORS: usize = 30;
/// Pods in the node's own network, which need no address: the service proxy and the network plugin.
const ON_HOST_NETWORK: usize = 2;

/// An instance type's limits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Virtual processors.
    pub processors: usize,
    /// The most network interfaces.
    pub interfaces: usize,
    /// The most IPv4 addresses of each, the primary one among them.
    pub addresses: usize,
}

/// What else decides how many pods a node takes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PodOptions {
    /// Interfaces get prefixes of 16 addresses instead of single ones.
    pub prefix_delegation: bool,
    /// Pods have interfaces of their own, and the primary one has none of them.
    pub custom_networking: bool,
}

impl Limits {
    /// Of the type with a name; none for types that the table doesn't have.
    pub fn of(instance_type: &str) -> Option<Self> {
        let line = TABLE
            .lines()
            .find(|line| line.split('\t').next() == Some(instance_type))?;
        let fields: Vec<&str> = line.split('\t').collect();
        let number = |field: usize| fields.get(field)?.parse().ok();
        Some(Self {
            processors: number(1)?,
            interfaces: number(3)?,
            addresses: number(4)?,
        })
    }

    /// Pods' addresses, or their prefixes, on each interface: its primary address is nobody's.
    pub fn per_interface(&self) -> usize {
        self.addresses.saturating_sub(1)
    }

    /// The most pods of a node.
    pub fn max_pods(&self, options: PodOptions) -> usize {
        let interfaces =
            self.interfaces - usize::from(options.custom_networking).min(self.interfaces);
        let single = interfaces * self.per_interface();
        if !options.prefix_delegation {
            return single + ON_HOST_NETWORK;
        }
        let most = if self.processors < MANY_PROCESSORS {
            MOST_ON_FEW_PROCESSORS
        } else {
            MOST
        };
        (single * PREFIX_SIZE + ON_HOST_NETWORK).min(most)
    }
}

/// The most pods on a node of a type, as Amazon's node images tell the kubelet (they look at neither
/// delegated prefixes nor custom networking).
pub fn max_pods(instance_type: &str) -> Option<usize> {
    Some(Limits::of(instance_type)?.max_pods(PodOptions::default()))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    /// AWS-MAXPODS: the published numbers of pods.
    #[test]
    fn pods_are_as_many_as_published() {
        for (name, pods) in [
            ("t3.nano", 4),
            ("t3.micro", 4),
            ("t3.small", 11),
            ("t3.medium", 17),
            ("m5.large", 29),
            ("m5.xlarge", 58),
            ("m5.4xlarge", 234),
            ("m5.24xlarge", 737),
        ] {
            assert_eq!(max_pods(name), Some(pods), "{name}");
        }
        assert_eq!(max_pods("m99.large"), None);
    }

    /// AWS-MAXPODS: delegated prefixes raise it, to 110 on few processors and 250 on many; custom
    /// networking costs an interface.
    #[test]
    fn options_change_how_many() {
        let pods = |name, prefix_delegation, custom_networking| {
            let options = PodOptions {
                prefix_delegation,
                custom_networking,
            };
            Limits::of(name).unwrap().max_pods(options)
        };
        assert_eq!(pods("m5.large", true, false), 110);
        assert_eq!(pods("t3.nano", true, false), 34);
        assert_eq!(pods("m5.24xlarge", true, false), 250);
        assert_eq!(pods("m5.large", false, true), 20);
        assert_eq!(pods("t3.nano", true, true), 18);
    }
}

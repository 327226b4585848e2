//! How many pods a node takes at most.
//!
//! Every pod has an address of the VPC, so an instance type's interfaces are the bound.
//! <https://docs.aws.amazon.com/eks/latest/userguide/choosing-instance-type.html#determine-max-pods>

use crate::model::instance_type::InstanceType;

/// What decides beside the type.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct MaxPods {
    /// Interfaces have /28 prefixes in place of addresses.
    pub prefixes: bool,
    /// Pods are in other subnets than the node: its first interface has none of them.
    pub custom_networking: bool,
}

/// Addresses in a delegated prefix.
const PREFIX: usize = 16;

/// How many pods a managed node of a type takes: EKS stops at 110, with 30 virtual CPUs at 250.
pub fn max_pods(of: &InstanceType, conduct: MaxPods) -> usize {
    let interfaces = of.interfaces - usize::from(conduct.custom_networking).min(of.interfaces);
    // An interface's first address is its own. Two pods have their node's network.
    let slots = of.addresses_per_interface.saturating_sub(1);
    let each = if conduct.prefixes { PREFIX } else { 1 };
    let most = if of.vcpus < 30 { 110 } else { 250 };
    (interfaces * slots * each + 2).min(most)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::model::instance_type::find;

    /// AWS-MAXPODS: AWS's published numbers, and what prefixes and custom networking make of them.
    #[test]
    fn interfaces_and_addresses_bound_pods() {
        let pods = |name: &str, prefixes, custom_networking| {
            let conduct = MaxPods {
                prefixes,
                custom_networking,
            };
            max_pods(find(name).unwrap(), conduct)
        };
        for (name, number) in [
            ("t3.micro", 4),
            ("t3.medium", 17),
            ("m5.large", 29),
            ("m5.xlarge", 58),
        ] {
            assert_eq!(pods(name, false, false), number, "{name}");
        }
        assert_eq!(pods("m5.large", true, false), 110);
        assert_eq!(pods("m5.large", false, true), 20);
        assert_eq!(pods("m5.24xlarge", true, false), 250);
    }
}

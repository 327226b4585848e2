//! Instance types and their limits.
//!
//! The table has the published numbers of network interfaces and of IPv4 addresses for each interface:
//! <https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/AvailableIpPerENI.html>

use std::collections::BTreeMap;
use std::sync::OnceLock;

/// An instance type.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InstanceType {
    /// Its name, such as `m5.large`.
    pub name: String,
    /// Virtual CPUs.
    pub vcpus: u32,
    /// Memory in MiB.
    pub memory_mib: u64,
    /// The most network interfaces.
    pub interfaces: usize,
    /// The most private IPv4 addresses (or delegated prefixes) on each.
    pub addresses_per_interface: usize,
    /// `x86_64` or `arm64`.
    pub architecture: String,
    /// The network's performance in AWS's words.
    pub network_performance: String,
}

/// All types, by name.
pub fn all() -> &'static BTreeMap<String, InstanceType> {
    static TYPES: OnceLock<BTreeMap<String, InstanceType>> = OnceLock::new();
    TYPES.get_or_init(|| {
        let read = |line: &str| read(line).map(|kind| (kind.name.clone(), kind));
        include_str!("data/instance_types.tsv")
            .lines()
            .filter_map(read)
            .collect()
    })
}

fn read(line: &str) -> Option<InstanceType> {
    let mut fields = line.split('\t');
    let mut next = || fields.next();
    Some(InstanceType {
        name: next()?.to_owned(),
        vcpus: next()?.parse().ok()?,
        memory_mib: next()?.parse().ok()?,
        interfaces: next()?.parse().ok()?,
        addresses_per_interface: next()?.parse().ok()?,
        architecture: next()?.to_owned(),
        network_performance: next()?.to_owned(),
    })
}

/// The type with a name.
pub fn find(name: &str) -> Option<&'static InstanceType> {
    all().get(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// AWS-EC2, AWS-ENI: the published limits.
    #[test]
    fn limits_are_the_published_ones() {
        let lines = include_str!("data/instance_types.tsv").lines().count();
        assert_eq!(all().len(), lines);
        for (name, interfaces, addresses) in [
            ("m5.large", 3, 10),
            ("t3.micro", 2, 2),
            ("t3.medium", 3, 6),
            ("c5.4xlarge", 8, 30),
            ("m5.24xlarge", 15, 50),
            ("m4.large", 2, 10),
            ("t3a.small", 2, 4),
        ] {
            let kind = find(name).unwrap();
            assert_eq!(
                (kind.interfaces, kind.addresses_per_interface),
                (interfaces, addresses),
                "{name}"
            );
        }
    }
}

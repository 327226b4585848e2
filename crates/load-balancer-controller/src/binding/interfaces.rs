//! Which security groups let load balancers in: those of the interfaces that targets are behind.

use super::endpoints::Target;
use crate::calls::Calls;
use crate::failure::Failure;
use aws_client::Aws;
use aws_client::answer::{list, tag, text};
use ipnet::Ipv4Net;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::net::Ipv4Addr;

/// An interface: its id and its groups.
type Interface = (String, Vec<String>);

fn of_wire(interface: &Value) -> Interface {
    let groups = list(interface, "groupSet").iter();
    let groups = groups.map(|group| text(group, "groupId").to_owned());
    let id = text(interface, "networkInterfaceId").to_owned();
    (id, groups.collect())
}

async fn instances<A: Aws>(
    calls: &Calls<A>,
    ids: impl IntoIterator<Item = &String>,
) -> Result<Vec<Value>, Failure> {
    let ids: Vec<&String> = ids.into_iter().collect();
    if ids.is_empty() {
        return Ok(Vec::new());
    }
    // A filter, not ids: one that is gone is no error.
    let asked = json!({"Filter": [{"Name": "instance-id", "Value": ids}]});
    let answer = calls.ec2("DescribeInstances", asked).await?;
    let reservations = list(&answer, "reservationSet").iter();
    let all = reservations.flat_map(|of| list(of, "instancesSet"));
    Ok(all.cloned().collect())
}

/// The first interfaces of instances.
pub(super) async fn of_instances<A: Aws>(
    calls: &Calls<A>,
    targets: &BTreeSet<Target>,
) -> Result<Vec<Interface>, Failure> {
    let ids: BTreeSet<&String> = targets.iter().map(|target| &target.id).collect();
    let found = instances(calls, ids).await?;
    let first = found.iter().flat_map(|instance| {
        let interfaces = list(instance, "networkInterfaceSet").iter();
        interfaces.filter(|of| text(&of["attachment"], "deviceIndex") == "0")
    });
    Ok(first.map(of_wire).collect())
}

/// The interfaces that have addresses, of the cluster's nodes or any in the VPC.
pub(super) async fn of_addresses<A: Aws>(
    calls: &Calls<A>,
    nodes: &[String],
    vpc: &str,
    targets: &BTreeSet<Target>,
) -> Result<Vec<Interface>, Failure> {
    let mut open: BTreeSet<Ipv4Addr> = targets.iter().filter_map(|of| of.id.parse().ok()).collect();
    if open.is_empty() {
        return Ok(Vec::new());
    }
    let mut all = BTreeMap::new();
    for instance in instances(calls, nodes).await? {
        for interface in list(&instance, "networkInterfaceSet") {
            let has = has(interface, &open);
            if !has.is_empty() {
                let (id, groups) = of_wire(interface);
                all.insert(id, groups);
                open.retain(|address| !has.contains(address));
            }
        }
    }
    if !open.is_empty() {
        let asked = json!({"Filter": [
            {"Name": "addresses.private-ip-address", "Value": open},
            {"Name": "vpc-id", "Value": [vpc]},
        ]});
        let answer = calls.ec2("DescribeNetworkInterfaces", asked).await?;
        for interface in list(&answer, "networkInterfaceSet") {
            let (id, groups) = of_wire(interface);
            all.insert(id, groups);
        }
    }
    Ok(all.into_iter().collect())
}

/// Those of addresses that an interface has.
fn has(interface: &Value, open: &BTreeSet<Ipv4Addr>) -> BTreeSet<Ipv4Addr> {
    let own = list(interface, "privateIpAddressesSet").iter();
    let own: BTreeSet<Ipv4Addr> = own
        .filter_map(|of| text(of, "privateIpAddress").parse().ok())
        .collect();
    let prefixes = list(interface, "ipv4PrefixSet").iter();
    let prefixes: Vec<Ipv4Net> = prefixes
        .filter_map(|of| text(of, "ipv4Prefix").parse().ok())
        .collect();
    let inside = |address: &&Ipv4Addr| {
        own.contains(*address) || prefixes.iter().any(|prefix| prefix.contains(*address))
    };
    open.iter().filter(inside).copied().collect()
}

/// The group of each interface that is to let load balancers in: its only one, or the one with the cluster's tag.
pub(super) async fn groups<A: Aws>(
    calls: &Calls<A>,
    cluster: &str,
    interfaces: &[Interface],
) -> Result<BTreeSet<String>, Failure> {
    let several = interfaces.iter().filter(|(_, groups)| groups.len() > 1);
    let ids: BTreeSet<&String> = several.flat_map(|(_, groups)| groups).collect();
    let mut tagged = BTreeSet::new();
    let key = format!("kubernetes.io/cluster/{cluster}");
    if !ids.is_empty() {
        let asked = json!({"GroupId": ids});
        let answer = calls.ec2("DescribeSecurityGroups", asked).await?;
        let all = list(&answer, "securityGroupInfo").iter();
        let own = all.filter(|group| tag(group, &key).is_some());
        tagged.extend(own.map(|group| text(group, "groupId").to_owned()));
    }
    choose(&key, interfaces, &tagged)
}

fn choose(
    key: &str,
    interfaces: &[Interface],
    tagged: &BTreeSet<String>,
) -> Result<BTreeSet<String>, Failure> {
    let mut chosen = BTreeSet::new();
    for (id, groups) in interfaces {
        let own: Vec<&String> = groups.iter().filter(|of| tagged.contains(*of)).collect();
        match (groups.as_slice(), own.as_slice()) {
            ([], _) => {}
            ([only], _) => drop(chosen.insert(only.clone())),
            (_, [only]) => drop(chosen.insert((*only).clone())),
            (_, own) => {
                let own: Vec<&str> = own.iter().map(|of| of.as_str()).collect();
                return Err(Failure::Other(format!(
                    "expected exactly one securityGroup tagged with {key} for eni {id}, got: [{}]",
                    own.join(" ")
                )));
            }
        }
    }
    Ok(chosen)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    /// AWS-LBC: an interface's only group lets load balancers in, or the one with the cluster's tag.
    #[test]
    fn the_clusters_group_is_chosen() {
        let of = |groups: &[&str]| {
            let groups = groups.iter().map(|id| (*id).to_owned()).collect();
            let tagged = ["sg-1", "sg-2"].map(str::to_owned).into_iter().collect();
            choose(
                "kubernetes.io/cluster/c",
                &[("eni-1".to_owned(), groups)],
                &tagged,
            )
        };
        assert!(of(&["sg-9"]).unwrap().contains("sg-9"));
        assert!(of(&["sg-9", "sg-1"]).unwrap().contains("sg-1"));
        let none = of(&["sg-8", "sg-9"]).unwrap_err().to_string();
        assert_eq!(
            none,
            "expected exactly one securityGroup tagged with kubernetes.io/cluster/c for eni eni-1, got: []"
        );
        assert!(of(&["sg-1", "sg-2"]).is_err());
    }

    /// AWS-LBC: an interface has its addresses and those in its prefixes.
    #[test]
    fn interfaces_have_addresses_and_prefixes() {
        let interface = json!({
            "privateIpAddressesSet": [{"privateIpAddress": "10.0.0.4"}],
            "ipv4PrefixSet": [{"ipv4Prefix": "10.0.1.16/28"}],
        });
        let open = ["10.0.0.4", "10.0.1.20", "10.0.2.1"].map(|of| of.parse().unwrap());
        let found = has(&interface, &open.into_iter().collect());
        assert_eq!(found.len(), 2);
    }
}

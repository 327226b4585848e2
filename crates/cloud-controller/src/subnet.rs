//! Which subnets a load balancer lies in: one of each zone.

use crate::aws::{list, tag, text};
use crate::route::is_public;
use crate::{CLUSTER_TAG, Home};
use serde_json::Value;
use std::collections::BTreeMap;

/// The tag of subnets for load balancers that the internet reaches.
const EXTERNAL: &str = "kubernetes.io/role/elb";
/// The tag of subnets for those that it doesn't.
const INTERNAL: &str = "kubernetes.io/role/internal-elb";

/// The subnets of a VPC that a load balancer takes, by zone. `tables` are the VPC's route tables: only subnets with a
/// route to an internet gateway serve one that is not internal. Of two in a zone the one with the role's tag is
/// taken, then that with the cluster's, then the first by id.
pub(crate) fn choose(
    home: &Home,
    subnets: &[Value],
    tables: &[Value],
    internal: bool,
) -> Vec<String> {
    let own = home.tag();
    let role = if internal { INTERNAL } else { EXTERNAL };
    let usable = subnets.iter().filter(|subnet| {
        let ours = tag(subnet, &own).is_some() || !is_of_a_cluster(subnet);
        ours && (internal || is_public(text(subnet, "subnetId"), tables))
    });
    let mut chosen: BTreeMap<&str, &Value> = BTreeMap::new();
    for subnet in usable {
        let zone = text(subnet, "availabilityZone");
        let rank = |of: &Value| {
            let id = text(of, "subnetId").to_owned();
            (tag(of, role).is_none(), tag(of, &own).is_none(), id)
        };
        let better = chosen
            .get(zone)
            .is_none_or(|other| rank(subnet) < rank(other));
        if better {
            chosen.insert(zone, subnet);
        }
    }
    chosen
        .values()
        .map(|subnet| text(subnet, "subnetId").to_owned())
        .collect()
}

/// Whether a subnet carries any cluster's tag.
fn is_of_a_cluster(subnet: &Value) -> bool {
    let mut tags = list(subnet, "tagSet").iter();
    tags.any(|tag| text(tag, "key").starts_with(CLUSTER_TAG))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn subnet(id: &str, zone: &str, tags: &[&str]) -> Value {
        let tags = tags.iter().map(|key| json!({"key": key, "value": "1"}));
        json!({"subnetId": id, "availabilityZone": zone, "tagSet": tags.collect::<Vec<_>>()})
    }

    fn home() -> Home {
        Home {
            cluster: "demo".to_owned(),
            vpc: "vpc-1".to_owned(),
        }
    }

    /// AWS-LBC: tags break ties, other clusters' subnets are theirs.
    #[test]
    fn one_subnet_of_each_zone_is_taken() {
        let own = "kubernetes.io/cluster/demo";
        let subnets = [
            subnet("subnet-b", "us-west-2a", &[]),
            subnet("subnet-a", "us-west-2a", &["kubernetes.io/cluster/other"]),
            subnet("subnet-c", "us-west-2a", &[]),
            subnet("subnet-d", "us-west-2b", &[own]),
            subnet("subnet-e", "us-west-2b", &[INTERNAL]),
            subnet("subnet-f", "us-west-2c", &[]),
            subnet("subnet-g", "us-west-2c", &[own]),
        ];
        let chosen = choose(&home(), &subnets, &[], true);
        assert_eq!(chosen, ["subnet-b", "subnet-e", "subnet-g"]);
    }

    /// AWS-LBC, AWS-EKS-MODE: one for the internet takes subnets with a way there, and has none without.
    #[test]
    fn the_internet_reaches_public_subnets() {
        let subnets = [
            subnet("subnet-a", "us-west-2a", &[EXTERNAL]),
            subnet("subnet-b", "us-west-2a", &[]),
        ];
        let table = |subnet: &str, gateway: &str| {
            json!({
                "associationSet": [{"main": "false", "subnetId": subnet}],
                "routeSet": [{"gatewayId": "local"}, {"gatewayId": gateway}],
            })
        };
        let tables = [table("subnet-a", ""), table("subnet-b", "igw-1")];
        assert_eq!(choose(&home(), &subnets, &tables, false), ["subnet-b"]);
        assert_eq!(choose(&home(), &subnets, &tables, true), ["subnet-a"]);
        let none = choose(&home(), &subnets, &tables[..1], false);
        assert_eq!(none, Vec::<String>::new());
    }
}

//! Where load balancers are put: subnets that are named, that have tags, or that are found.
//! <https://kubernetes-sigs.github.io/aws-load-balancer-controller/v2.11/deploy/subnet_discovery/>

use super::class::ParamsSubnets;
use super::error::BuildError;
use aws_client::answer::{list, tag, text};
use serde_json::Value;
use std::collections::BTreeMap;

/// The tag of subnets for load balancers that the internet reaches.
const EXTERNAL: &str = "kubernetes.io/role/elb";
/// The tag of subnets for those that it doesn't.
const INTERNAL: &str = "kubernetes.io/role/internal-elb";
/// What tags of clusters begin with.
const CLUSTER: &str = "kubernetes.io/cluster/";
/// A subnet has to have so many addresses left.
const FREE: u32 = 8;

/// The subnets by ids or names.
///
/// # Errors
/// One is not there, or they are too few.
pub(super) fn named(
    all: &[Value],
    wanted: &[String],
    least: usize,
) -> Result<Vec<String>, BuildError> {
    let find = |called: &String| {
        all.iter()
            .find(|of| text(of, "subnetId") == called || tag(of, "Name") == Some(called.as_str()))
    };
    let found: Vec<&Value> = wanted.iter().filter_map(find).collect();
    let ids = |of: &[&Value]| -> Vec<String> {
        of.iter()
            .map(|of| text(of, "subnetId").to_owned())
            .collect()
    };
    if found.len() != wanted.len() {
        return Err(BuildError::new(format!(
            "couldn't find all subnets, nameOrIDs: [{}], found: {}",
            wanted.join(" "),
            found.len()
        )));
    }
    enough(ids(&found), least)
}

fn enough(subnets: Vec<String>, least: usize) -> Result<Vec<String>, BuildError> {
    if subnets.len() < least {
        return Err(BuildError::new(format!(
            "subnets count less than minimal required count: {} < {least}",
            subnets.len()
        )));
    }
    Ok(subnets)
}

/// The subnets that a class chooses.
pub(super) fn by_class(
    cluster: &str,
    all: &[Value],
    wanted: &ParamsSubnets,
    least: usize,
) -> Result<Vec<String>, BuildError> {
    if !wanted.ids.is_empty() {
        return named(all, &wanted.ids, least);
    }
    let fits = |subnet: &&Value| {
        let mut tags = wanted.tags.iter();
        tags.all(|(key, values)| {
            tag(subnet, key).is_some_and(|has| values.iter().any(|value| value == has))
        })
    };
    let fitting: Vec<&Value> = all.iter().filter(fits).collect();
    let keys = wanted.tags.keys().cloned().collect::<Vec<_>>().join(" ");
    one_a_zone(cluster, fitting, &keys, least)
}

/// The subnets whose tags say that they are for load balancers of a scheme.
pub(super) fn discovered(
    cluster: &str,
    all: &[Value],
    scheme: &str,
    least: usize,
) -> Result<Vec<String>, BuildError> {
    let role = match scheme {
        "internal" => INTERNAL,
        _ => EXTERNAL,
    };
    let is = |subnet: &&Value| tag(subnet, role).is_some_and(|has| ["", "1"].contains(&has));
    let fitting: Vec<&Value> = all.iter().filter(is).collect();
    let found = one_a_zone(cluster, fitting, role, least);
    found.map_err(|error| error.about("couldn't auto-discover subnets"))
}

/// One subnet of each zone: the cluster's own before others, then the first by id.
fn one_a_zone(
    cluster: &str,
    fitting: Vec<&Value>,
    tags: &str,
    least: usize,
) -> Result<Vec<String>, BuildError> {
    let own = format!("{CLUSTER}{cluster}");
    let count = fitting.len();
    let foreign = |subnet: &Value| {
        let mut keys = list(subnet, "tagSet").iter().map(|tag| text(tag, "key"));
        tag(subnet, &own).is_none() && keys.any(|key| key.starts_with(CLUSTER))
    };
    let mut chosen: BTreeMap<&str, &Value> = BTreeMap::new();
    let mut others = 0;
    let mut full = 0;
    for subnet in fitting {
        let left = text(subnet, "availableIpAddressCount").parse::<u32>();
        if foreign(subnet) {
            others += 1;
            continue;
        }
        if left.is_ok_and(|left| left < FREE) {
            full += 1;
            continue;
        }
        let rank = |of: &Value| (tag(of, &own).is_none(), text(of, "subnetId").to_owned());
        let zone = text(subnet, "availabilityZone");
        let better = chosen
            .get(zone)
            .is_none_or(|other| rank(subnet) < rank(other));
        if better {
            chosen.insert(zone, subnet);
        }
    }
    if chosen.is_empty() {
        let mut told = format!("{count} match VPC and tags: [{tags}]");
        if others > 0 {
            told.push_str(&format!(", {others} tagged for other cluster"));
        }
        if full > 0 {
            told.push_str(&format!(
                ", {full} have insufficient available IP addresses"
            ));
        }
        return Err(BuildError::new(format!(
            "unable to resolve at least one subnet ({told})"
        )));
    }
    let ids = chosen.values().map(|of| text(of, "subnetId").to_owned());
    enough(ids.collect(), least)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use serde_json::json;

    fn subnet(id: &str, zone: &str, free: u32, tags: &[(&str, &str)]) -> Value {
        let tags = tags
            .iter()
            .map(|(key, value)| json!({"key": key, "value": value}));
        json!({
            "subnetId": id, "availabilityZone": zone, "availableIpAddressCount": free.to_string(),
            "tagSet": tags.collect::<Vec<_>>(),
        })
    }

    /// AWS-LBC, F-4: subnets are found by their role's tag; without one, upstream says so.
    #[test]
    fn subnets_are_found_by_their_tags() {
        let role = (EXTERNAL, "1");
        let all = [
            subnet("subnet-b", "a", 100, &[role]),
            subnet("subnet-a", "a", 100, &[role]),
            subnet(
                "subnet-z",
                "b",
                100,
                &[role, ("kubernetes.io/cluster/demo", "shared")],
            ),
            subnet("subnet-c", "b", 100, &[role]),
            subnet(
                "subnet-d",
                "c",
                100,
                &[role, ("kubernetes.io/cluster/other", "owned")],
            ),
            subnet("subnet-e", "d", 7, &[role]),
            subnet("subnet-f", "e", 100, &[(EXTERNAL, "no")]),
        ];
        let found = discovered("demo", &all, "internet-facing", 2).unwrap();
        assert_eq!(found, ["subnet-a", "subnet-z"]);
        let none = discovered("demo", &all, "internal", 2).unwrap_err();
        assert_eq!(
            none.to_string(),
            "couldn't auto-discover subnets: unable to resolve at least one subnet (0 match VPC and tags: [kubernetes.io/role/internal-elb])"
        );
        let one = discovered("demo", &all[..2], "internet-facing", 2).unwrap_err();
        assert_eq!(
            one.to_string(),
            "couldn't auto-discover subnets: subnets count less than minimal required count: 1 < 2"
        );
        let other = discovered("demo", &all[4..5], "internet-facing", 2).unwrap_err();
        assert!(other.to_string().contains("1 tagged for other cluster"));
    }

    /// AWS-LBC: subnets by id or name; one that is missing is refused.
    #[test]
    fn subnets_are_named() {
        let all = [
            subnet("subnet-a", "a", 1, &[("Name", "public-a")]),
            subnet("subnet-b", "b", 1, &[]),
        ];
        let of = |names: &[&str]| {
            let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
            named(&all, &names, 2)
        };
        assert_eq!(
            of(&["public-a", "subnet-b"]).unwrap(),
            ["subnet-a", "subnet-b"]
        );
        assert!(of(&["subnet-x", "subnet-b"]).is_err());
        assert!(
            of(&["subnet-b"])
                .unwrap_err()
                .to_string()
                .ends_with("1 < 2")
        );
    }
}

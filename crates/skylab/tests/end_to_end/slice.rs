//! The thin slice: two instances in one VPC, by the API, in packets, explained, and alive again
//! after a SIGKILL.

use crate::api::Api;
use crate::lab::{Lab, text};
use std::collections::BTreeSet;
use std::fs;

/// Two instances in a subnet of their own.
pub(crate) struct Pair {
    pub(crate) vpc: String,
    pub(crate) subnet: String,
    pub(crate) ids: Vec<String>,
    pub(crate) addresses: Vec<String>,
}

pub(crate) fn build(api: &Api) -> Pair {
    let vpc = api
        .ec2("CreateVpc", &[("CidrBlock", "10.0.0.0/16")])
        .one("vpcId");
    let subnet = [("VpcId", vpc.as_str()), ("CidrBlock", "10.0.1.0/24")];
    let subnet = api.ec2("CreateSubnet", &subnet).one("subnetId");
    let ids = run(api, &subnet, &[("MinCount", "2"), ("MaxCount", "2")]);
    let described = api.ec2(
        "DescribeInstances",
        &[("InstanceId.1", &ids[0]), ("InstanceId.2", &ids[1])],
    );
    let addresses = ids
        .iter()
        .map(|id| {
            let item = described.body.split(id.as_str()).nth(1).unwrap();
            let rest = item.split("<privateIpAddress>").nth(1).unwrap();
            rest.split('<').next().unwrap().to_owned()
        })
        .collect();
    Pair {
        vpc,
        subnet,
        ids,
        addresses,
    }
}

/// Runs instances of the first image and gives their ids, sorted.
pub(crate) fn run(api: &Api, subnet: &str, parameters: &[(&str, &str)]) -> Vec<String> {
    let image = api.ec2("DescribeImages", &[]).one("imageId");
    let mut all = vec![
        ("ImageId", image.as_str()),
        ("InstanceType", "t3.micro"),
        ("SubnetId", subnet),
    ];
    all.extend(parameters);
    let mut ids = api.ec2("RunInstances", &all).all("instanceId");
    ids.sort();
    ids.dedup();
    ids
}

fn links() -> BTreeSet<String> {
    fs::read_dir("/sys/class/net")
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect()
}

/// AWS-EC2, AWS-SG, AN-EXPLAIN, OPS-STATE: built by the API, forwarded, explained, restored.
#[test]
fn two_instances_survive_a_sigkill() {
    let before = links();
    let Some(lab) = Lab::start(&[]) else { return };
    let pair = build(&lab.api());
    let [a, b] = [&pair.ids[0], &pair.ids[1]];
    assert!(lab.reaches(a, &pair.addresses[1]));
    assert!(lab.reaches(b, &pair.addresses[0]));
    let explained = lab.run(&["explain", a, &format!("instance/{b}"), "--port", "9"]);
    assert_eq!(
        explained.status.code(),
        Some(0),
        "{}",
        text(&explained.stdout)
    );

    lab.kill();
    assert!(lab.up(&[]).status.success());
    let again = lab.api().ec2(
        "DescribeInstances",
        &[("InstanceId.1", a), ("InstanceId.2", b)],
    );
    for address in &pair.addresses {
        assert!(again.body.contains(address.as_str()));
    }
    assert!(lab.reaches(a, &pair.addresses[1]));
    assert!(lab.reaches(b, &pair.addresses[0]));

    lab.ok(&["down"]);
    assert_eq!(lab.processes(), Vec::<String>::new());
    assert_eq!(links(), before);
}

/// AWS-SG: what `explain` says and what packets do change together, and the remedy names the group.
#[test]
fn a_revoked_rule_drops_and_is_explained() {
    let Some(lab) = Lab::start(&[]) else { return };
    let api = lab.api();
    let pair = build(&api);
    let [a, b] = [&pair.ids[0], &pair.ids[1]];
    let filter = [
        ("Filter.1.Name", "vpc-id"),
        ("Filter.1.Value.1", pair.vpc.as_str()),
    ];
    let group = api.ec2("DescribeSecurityGroups", &filter).one("groupId");
    let revoked = [
        ("GroupId", group.as_str()),
        ("IpPermissions.1.IpProtocol", "-1"),
        ("IpPermissions.1.Groups.1.GroupId", group.as_str()),
    ];
    api.ec2("RevokeSecurityGroupIngress", &revoked);
    assert!(!lab.reaches(a, &pair.addresses[1]));
    let explained = lab.run(&["explain", a, b, "--port", "9", "--json"]);
    assert_eq!(explained.status.code(), Some(1));
    let explained: serde_json::Value = serde_json::from_slice(&explained.stdout).unwrap();
    assert_eq!(explained["verdict"], "dropped");
    let remedies = explained["remedies"].to_string();
    assert!(remedies.contains(&group), "{remedies}");
    for key in ["direction", "at", "resource", "rule", "action", "detail"] {
        let hops = explained["hops"].as_array().unwrap();
        assert!(hops.iter().all(|hop| hop.get(key).is_some()), "{key}");
    }
}

/// AWS-NACL, AN-EXPLAIN: what no entry of a network ACL allows, its last rule `*` denies.
#[test]
fn an_acls_last_rule_is_named() {
    let Some(lab) = Lab::start(&[]) else { return };
    let api = lab.api();
    let pair = build(&api);
    let subnet = [("VpcId", pair.vpc.as_str()), ("CidrBlock", "10.0.9.0/24")];
    let subnet = api.ec2("CreateSubnet", &subnet).one("subnetId");
    let other = run(&api, &subnet, &[("MinCount", "1"), ("MaxCount", "1")]).remove(0);
    let acl = api
        .ec2("CreateNetworkAcl", &[("VpcId", &pair.vpc)])
        .one("networkAclId");
    let of_subnet = [
        ("Filter.1.Name", "association.subnet-id"),
        ("Filter.1.Value.1", subnet.as_str()),
    ];
    let association = api
        .ec2("DescribeNetworkAcls", &of_subnet)
        .one("networkAclAssociationId");
    let replace = [
        ("AssociationId", association.as_str()),
        ("NetworkAclId", acl.as_str()),
    ];
    api.ec2("ReplaceNetworkAclAssociation", &replace);
    let told = lab.run(&["explain", &other, &pair.ids[0], "--port", "9", "--json"]);
    let told: serde_json::Value = serde_json::from_slice(&told.stdout).unwrap();
    let last = told["hops"].as_array().unwrap().last().unwrap().clone();
    assert_eq!(
        (&last["resource"], &last["rule"], &last["action"]),
        (&acl.into(), &"*".into(), &"deny".into())
    );
}

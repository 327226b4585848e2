//! Managed node groups as their callers see them.

use crate::eks_ground::Ground;
use aws::model::InstanceId;
use aws::model::eks::PartKey;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use std::collections::BTreeSet;

const NODE: &str = "arn:aws:iam::123456789012:role/node";
const GROUPS: &str = "/clusters/c/node-groups";
const GROUP: &str = "/clusters/c/node-groups/n";

/// A cluster whose nodes get public addresses.
fn ground() -> Ground {
    let mut ground = Ground::new();
    let mode = json!({ "accessConfig": { "authenticationMode": "API" } });
    ground.cluster("c", &mode);
    ground
}

fn request(ground: &Ground, more: &Value) -> Value {
    let mut asked = json!({
        "nodegroupName": "n",
        "nodeRole": NODE,
        "subnets": ground.subnets,
        "instanceTypes": ["m5.large"],
        "scalingConfig": { "minSize": 1, "maxSize": 3, "desiredSize": 2 },
    });
    for (key, value) in more.as_object().into_iter().flatten() {
        asked[key] = value.clone();
    }
    asked
}

fn shown(ground: &mut Ground) -> Value {
    ground.ok("GET", GROUP, &Value::Null)["nodegroup"].clone()
}

fn members(ground: &mut Ground) -> Vec<String> {
    let told = ground.account.scaling("DescribeAutoScalingInstances", &[]);
    told.unwrap().all("InstanceId")
}

/// The lab says that all instances there are have joined.
fn join(ground: &mut Ground) {
    let key = PartKey::new(&ground.key("c"), "n");
    let all: BTreeSet<_> = members(ground).into_iter().map(Into::into).collect();
    ground.account.state.nodes_joined(&key, all);
    ground.account.wait(0);
}

fn active(ground: &mut Ground, more: &Value) {
    let asked = request(ground, more);
    ground.ok("POST", GROUPS, &asked);
    join(ground);
    assert_eq!(shown(ground)["status"], "ACTIVE");
}

/// A launch template's newest user data.
fn user_data(ground: &mut Ground) -> String {
    let named = [("LaunchTemplateVersion.1", "$Latest")];
    let told = ground.account.ok("DescribeLaunchTemplateVersions", &named);
    let bytes = STANDARD.decode(told.one("userData")).unwrap();
    String::from_utf8(bytes).unwrap()
}

/// AWS-EKS: a group makes a launch template and an Auto Scaling group over its subnets, and is active once its nodes
/// have joined; its nodes' role may join.
#[test]
fn groups_are_active_once_their_nodes_joined() {
    let mut ground = ground();
    let asked = request(&ground, &json!({ "labels": { "tier": "web" } }));
    let made = ground.ok("POST", GROUPS, &asked)["nodegroup"].clone();
    assert_eq!(made["status"], "CREATING");
    assert_eq!(made["amiType"], "AL2023_x86_64_STANDARD");
    let name = made["resources"]["autoScalingGroups"][0]["name"]
        .as_str()
        .unwrap();
    assert!(name.starts_with("eks-n-"), "{name}");
    let told = ground
        .account
        .scaling("DescribeAutoScalingGroups", &[])
        .unwrap();
    assert_eq!(told.one("AutoScalingGroupName"), name);
    let zones: BTreeSet<String> = told.all("AvailabilityZone").into_iter().collect();
    assert_eq!(zones.len(), 2);
    let keys = told.all("Key");
    for key in [
        "kubernetes.io/cluster/c",
        "eks:nodegroup-name",
        "k8s.io/cluster-autoscaler/c",
    ] {
        assert!(keys.iter().any(|of| of == key), "{key}");
    }
    assert_eq!(members(&mut ground).len(), 2);
    ground.account.wait(60);
    assert_eq!(shown(&mut ground)["status"], "CREATING");
    join(&mut ground);
    assert_eq!(shown(&mut ground)["status"], "ACTIVE");
    let entries = ground.ok("GET", "/clusters/c/access-entries", &Value::Null);
    let root = "arn:aws:iam::123456789012:root";
    assert_eq!(entries["accessEntries"], json!([NODE, root]));
    // Nodes have their role by a profile of EKS's.
    let profiles = crate::iam::ok(&mut ground.account, "ListInstanceProfiles", &[]);
    assert_eq!(
        profiles.one("InstanceProfileName"),
        name.replace("eks-n-", "eks-")
    );
    assert!(profiles.0.contains(NODE));
    // Nodes are in the cluster security group.
    let cluster = ground.shown("c")["resourcesVpcConfig"]["clusterSecurityGroupId"].clone();
    let first = members(&mut ground).remove(0);
    let told = ground
        .account
        .ok("DescribeInstances", &[("InstanceId.1", &first)]);
    assert_eq!(told.one("groupId"), cluster.as_str().unwrap());
    let again = ground.refusal("POST", GROUPS, &asked);
    assert_eq!(
        again.1,
        "NodeGroup already exists with name n and cluster name c"
    );
    let attached = ground.refusal("DELETE", "/clusters/c", &Value::Null);
    assert_eq!(attached.1, "Cluster has nodegroups attached");
}

/// AWS-EKS, AWS-MAXPODS: nodes are told their cluster, labels, taints and how many pods they take.
#[test]
fn nodes_are_told_their_cluster() {
    let mut ground = ground();
    let more = json!({
        "labels": { "tier": "web" },
        "taints": [{ "key": "gpu", "value": "yes", "effect": "NO_SCHEDULE" }],
    });
    active(&mut ground, &more);
    let data = user_data(&mut ground);
    let endpoint = ground.shown("c")["endpoint"].clone();
    for words in [
        "Content-Type: application/node.eks.aws",
        "kind: NodeConfig",
        "    name: c\n",
        "    certificateAuthority: UEVN\n",
        "    cidr: 10.100.0.0/16\n",
        "maxPods: 29\n",
        "- 10.100.0.10\n",
        "eks.amazonaws.com/nodegroup=n",
        "tier=web",
        "--register-with-taints=gpu=yes:NoSchedule",
        endpoint.as_str().unwrap(),
    ] {
        assert!(data.contains(words), "{words} is not in {data}");
    }
    // Prefixes give nodes more addresses than EKS lets them have pods.
    let prefixes = json!({ "addonName": "vpc-cni", "configurationValues": "{\"env\":{\"ENABLE_PREFIX_DELEGATION\":\"true\"}}" });
    ground.ok("POST", "/clusters/c/addons", &prefixes);
    let labels = json!({ "labels": { "addOrUpdateLabels": { "tier": "db" } } });
    ground.ok("POST", &format!("{GROUP}/update-config"), &labels);
    let data = user_data(&mut ground);
    assert!(
        data.contains("maxPods: 110\n") && data.contains("tier=db"),
        "{data}"
    );
}

/// AWS-EKS: a cluster of a version before Amazon Linux 2023 has nodes with Amazon Linux 2's script.
#[test]
fn old_nodes_are_told_by_a_script() {
    let mut ground = Ground::new();
    ground.cluster("c", &json!({ "version": "1.20" }));
    let asked = request(&ground, &json!({}));
    let made = ground.ok("POST", GROUPS, &asked)["nodegroup"].clone();
    assert_eq!(made["amiType"], "AL2_x86_64");
    let data = user_data(&mut ground);
    assert!(
        data.contains("/etc/eks/bootstrap.sh c --kubelet-extra-args '--node-labels="),
        "{data}"
    );
    assert!(data.contains("--max-pods=29'"), "{data}");
}

/// F-1, AWS-EKS: nodes that don't join fail the group after the wait.
#[test]
fn nodes_that_dont_join_fail_the_group() {
    let mut ground = ground();
    let asked = request(&ground, &json!({}));
    ground.ok("POST", GROUPS, &asked);
    ground.account.wait(1500);
    let failed = shown(&mut ground);
    assert_eq!(failed["status"], "CREATE_FAILED");
    let issue = &failed["health"]["issues"][0];
    assert_eq!(issue["code"], "NodeCreationFailure");
    assert_eq!(
        issue["message"],
        "Instances failed to join the kubernetes cluster"
    );
    let mut named: Vec<String> = serde_json::from_value(issue["resourceIds"].clone()).unwrap();
    named.sort();
    let mut wanted = members(&mut ground);
    wanted.sort();
    assert_eq!(named, wanted);
}

/// AWS-EKS: a subnet on the way to the internet whose instances get no public address fails the group.
#[test]
fn public_subnets_must_give_public_addresses() {
    let mut ground = ground();
    let vpc = ground.vpc.clone();
    let gateway = ground.account.make(
        "internetGatewayId",
        "DescribeInternetGateways",
        &[
            ("Filter.1.Name", "attachment.vpc-id"),
            ("Filter.1.Value.1", vpc.as_str()),
        ],
    );
    let table = ground
        .account
        .of_vpc("routeTableId", "DescribeRouteTables", &vpc);
    let route = [
        ("RouteTableId", table.as_str()),
        ("DestinationCidrBlock", "0.0.0.0/0"),
        ("GatewayId", gateway.as_str()),
    ];
    ground.account.ok("CreateRoute", &route);
    let asked = request(&ground, &json!({}));
    ground.ok("POST", GROUPS, &asked);
    let failed = shown(&mut ground);
    assert_eq!(failed["status"], "CREATE_FAILED");
    assert_eq!(
        failed["health"]["issues"][0]["code"],
        "Ec2SubnetInvalidConfiguration"
    );
}

/// AWS-EKS: scaling changes the Auto Scaling group; deletion takes instances, group and template, in this order.
#[test]
fn groups_are_scaled_and_deleted() {
    let mut ground = ground();
    active(&mut ground, &json!({}));
    let asked = json!({ "scalingConfig": { "desiredSize": 3 } });
    let update = ground.ok("POST", &format!("{GROUP}/update-config"), &asked)["update"].clone();
    assert_eq!(
        update["params"],
        json!([{ "type": "DesiredSize", "value": "3" }])
    );
    assert_eq!(members(&mut ground).len(), 3);
    assert_eq!(shown(&mut ground)["status"], "ACTIVE");
    let target = format!(
        "/clusters/c/updates/{}?nodegroupName=n",
        update["id"].as_str().unwrap()
    );
    let told = ground.ok("GET", &target, &Value::Null);
    assert_eq!(told["update"]["status"], "Successful");
    let more = json!({ "scalingConfig": { "desiredSize": 4 } });
    let (_, message) = ground.refusal("POST", &format!("{GROUP}/update-config"), &more);
    assert_eq!(
        message,
        "desired capacity 4 can't be greater than max size 3"
    );
    ground.ok("DELETE", GROUP, &Value::Null);
    ground.account.wait(60);
    assert_eq!(
        ground.refused("GET", GROUP, &Value::Null),
        "ResourceNotFoundException"
    );
    assert!(members(&mut ground).is_empty());
    let templates = ground.account.ok("DescribeLaunchTemplates", &[]);
    assert!(templates.all("launchTemplateId").is_empty());
    let profiles = crate::iam::ok(&mut ground.account, "ListInstanceProfiles", &[]);
    assert!(profiles.all("InstanceProfileName").is_empty());
    ground.ok("DELETE", "/clusters/c", &Value::Null);
}

/// The lab says that the nodes which are to be emptied are.
fn drain(ground: &mut Ground) {
    let key = PartKey::new(&ground.key("c"), "n");
    let group = &ground.account.state.eks_nodegroups[&key];
    let leaving: Vec<InstanceId> = group.leaving.keys().cloned().collect();
    for instance in leaving {
        ground.account.state.node_drained(&key, &instance);
    }
    ground.account.wait(1);
}

/// AWS-EKS: a new version replaces nodes one after another, each once its pods have moved and no faster than new ones
/// join.
#[test]
fn versions_are_rolled_out() {
    let mut ground = Ground::new();
    ground.cluster("c", &json!({ "version": "1.33" }));
    active(&mut ground, &json!({}));
    let before: BTreeSet<String> = members(&mut ground).into_iter().collect();
    ground.ok("POST", "/clusters/c/updates", &json!({ "version": "1.34" }));
    let target = format!("{GROUP}/update-version");
    let update = ground.ok("POST", &target, &json!({}))["update"].clone();
    assert_eq!(update["type"], "VersionUpdate");
    ground.account.wait(10);
    assert_eq!(members(&mut ground).len(), 2);
    drain(&mut ground);
    ground.account.wait(10);
    let left = |ground: &mut Ground| {
        let now: BTreeSet<String> = members(ground).into_iter().collect();
        now.intersection(&before).count()
    };
    assert_eq!(left(&mut ground), 1);
    ground.account.wait(10);
    assert_eq!(left(&mut ground), 1);
    join(&mut ground);
    drain(&mut ground);
    ground.account.wait(10);
    assert_eq!(left(&mut ground), 0);
    assert_eq!(shown(&mut ground)["status"], "UPDATING");
    join(&mut ground);
    assert_eq!(shown(&mut ground)["status"], "ACTIVE");
    assert_eq!(shown(&mut ground)["version"], "1.34");
}

/// AWS-EKS: nodes whose pods don't move in time stop a replacement, unless it goes by force.
#[test]
fn pods_that_stay_stop_a_rollout() {
    for forced in [false, true] {
        let mut ground = Ground::new();
        ground.cluster("c", &json!({ "version": "1.33" }));
        active(&mut ground, &json!({}));
        ground.ok("POST", "/clusters/c/updates", &json!({ "version": "1.34" }));
        let target = format!("{GROUP}/update-version");
        let asked = json!({ "force": forced });
        let update = ground.ok("POST", &target, &asked)["update"].clone();
        let id = update["id"].as_str().unwrap();
        let told = format!("/clusters/c/updates/{id}?nodegroupName=n");
        // A quarter of an hour, at the fast pace, and a bit.
        ground.account.wait(95);
        let update = ground.ok("GET", &told, &Value::Null)["update"].clone();
        if forced {
            assert_eq!(update["status"], "InProgress");
        } else {
            assert_eq!(update["status"], "Failed");
            assert_eq!(update["errors"][0]["errorCode"], "PodEvictionFailure");
            assert_eq!(shown(&mut ground)["status"], "ACTIVE");
        }
    }
}

/// AWS-EKS: a user's launch template goes below EKS's own, and its user data before EKS's.
#[test]
fn launch_templates_are_merged() {
    let mut ground = ground();
    let script = "MIME-Version: 1.0\nContent-Type: multipart/mixed; boundary=\"B\"\n\n--B\nContent-Type: text/x-shellscript\n\necho mine\n--B--\n";
    let encoded = STANDARD.encode(script);
    let template = [
        ("LaunchTemplateName", "mine"),
        ("LaunchTemplateData.InstanceType", "t3.large"),
        ("LaunchTemplateData.UserData", encoded.as_str()),
    ];
    ground.account.ok("CreateLaunchTemplate", &template);
    let named = json!({ "name": "mine", "version": "1" });
    let mut asked = request(&ground, &json!({ "launchTemplate": named }));
    assert_eq!(
        ground.refused("POST", GROUPS, &asked),
        "InvalidRequestException"
    );
    asked["instanceTypes"] = json!([]);
    asked["diskSize"] = json!(30);
    let (_, message) = ground.refusal("POST", GROUPS, &asked);
    assert_eq!(
        message,
        "Disk size must be specified within the launch template."
    );
    asked["diskSize"] = Value::Null;
    ground.ok("POST", GROUPS, &asked);
    let of = [("LaunchTemplateName", "mine")];
    ground.account.ok("DeleteLaunchTemplate", &of);
    let data = user_data(&mut ground);
    let (own, eks) = (
        data.find("echo mine").unwrap(),
        data.find("NodeConfig").unwrap(),
    );
    assert!(own < eks, "{data}");
    assert!(data.contains("maxPods: 35\n"), "{data}");
}

/// AWS-EKS: what EKS refuses to make a node group of.
#[test]
fn groups_that_cant_be_are_refused() {
    let mut ground = ground();
    for (more, words) in [
        (
            json!({ "instanceTypes": ["m5.huge"] }),
            "The following supplied instance types do not exist: [m5.huge]",
        ),
        (
            json!({ "instanceTypes": ["t4g.medium"] }),
            "[t4g.medium] is not a valid instance type for requested amiType AL2023_x86_64_STANDARD",
        ),
        (
            json!({ "scalingConfig": { "minSize": 3, "maxSize": 3, "desiredSize": 2 } }),
            "Minimum capacity 3 can't be greater than desired size 2",
        ),
        (
            json!({ "subnets": ["subnet-00000000000000000"] }),
            "does not exist",
        ),
        (json!({ "nodeRole": "node" }), "role"),
        (
            json!({ "labels": { "eks.amazonaws.com/x": "y" } }),
            "reserved",
        ),
        (json!({ "version": "1.30" }), "is not compatible"),
        (
            json!({ "remoteAccess": { "ec2SshKey": "none" } }),
            "key pair",
        ),
    ] {
        let asked = request(&ground, &more);
        let (code, message) = ground.refusal("POST", GROUPS, &asked);
        assert_eq!(code, "InvalidParameterException", "{more}");
        assert!(message.contains(words), "{message}");
    }
    let windows = request(&ground, &json!({ "amiType": "WINDOWS_CORE_2022_x86_64" }));
    assert_eq!(
        ground.refused("POST", GROUPS, &windows),
        "UnsupportedOperation"
    );
    let request = ground.request("young", &json!({}));
    ground.ok("POST", "/clusters", &request);
    let asked = self::request(&ground, &json!({}));
    let refused = ground.refused("POST", "/clusters/young/node-groups", &asked);
    assert_eq!(refused, "InvalidRequestException");
}

/// AWS-EKS: remote access makes a security group that lets callers in.
#[test]
fn remote_access_has_a_security_group() {
    let mut ground = ground();
    ground.account.ok("CreateKeyPair", &[("KeyName", "k")]);
    active(
        &mut ground,
        &json!({ "remoteAccess": { "ec2SshKey": "k" } }),
    );
    let group = shown(&mut ground)["resources"]["remoteAccessSecurityGroup"].clone();
    let group = group.as_str().unwrap();
    let of = [("Filter.1.Name", "group-id"), ("Filter.1.Value.1", group)];
    let rules = ground.account.ok("DescribeSecurityGroupRules", &of);
    assert!(rules.all("fromPort").contains(&"22".to_owned()));
    ground.ok("DELETE", GROUP, &Value::Null);
    ground.account.wait(60);
    let refused = ground
        .account
        .refused("DescribeSecurityGroups", &[("GroupId.1", group)]);
    assert_eq!(refused, "InvalidGroup.NotFound");
}

/// AWS-EKS: a group whose Auto Scaling group was deleted behind its back says so.
#[test]
fn groups_without_their_auto_scaling_group_are_degraded() {
    let mut ground = ground();
    active(&mut ground, &json!({}));
    let name = shown(&mut ground)["resources"]["autoScalingGroups"][0]["name"].clone();
    let asked = [
        ("AutoScalingGroupName", name.as_str().unwrap()),
        ("ForceDelete", "true"),
    ];
    ground
        .account
        .scaling("DeleteAutoScalingGroup", &asked)
        .unwrap();
    ground.account.wait(60);
    let told = shown(&mut ground);
    assert_eq!(told["status"], "DEGRADED");
    assert_eq!(
        told["health"]["issues"][0]["code"],
        "AutoScalingGroupNotFound"
    );
    ground.ok("DELETE", GROUP, &Value::Null);
    assert_eq!(
        ground.refused("GET", GROUP, &Value::Null),
        "ResourceNotFoundException"
    );
}

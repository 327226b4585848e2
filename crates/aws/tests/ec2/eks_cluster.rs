//! EKS clusters as their callers see them.

use crate::eks_ground::{Ground, ROLE};
use serde_json::{Value, json};

/// AWS-EKS: a cluster is being made until its control plane is there; then it shows where its API is.
#[test]
fn clusters_are_active_once_their_control_plane_is_there() {
    let mut ground = Ground::new();
    let asked = ground.request("c", &json!({ "tags": { "team": "a" } }));
    let made = ground.ok("POST", "/clusters", &asked)["cluster"].clone();
    assert_eq!(made["status"], "CREATING");
    assert_eq!(made["endpoint"], Value::Null);
    assert_eq!(made["certificateAuthority"], json!({}));
    ground.account.wait(3600);
    assert_eq!(ground.shown("c")["status"], "CREATING");
    ground.ready("c");
    let shown = ground.shown("c");
    assert_eq!(shown["status"], "ACTIVE");
    assert_eq!(shown["version"], "1.34");
    assert_eq!(shown["certificateAuthority"]["data"], "UEVN");
    assert_eq!(shown["arn"], "arn:aws:eks:us-west-2:123456789012:cluster/c");
    assert_eq!(shown["tags"], json!({ "team": "a" }));
    let endpoint = shown["endpoint"].as_str().unwrap();
    let id = &endpoint["https://".len()..][..32];
    assert!(
        id.bytes()
            .all(|b| b.is_ascii_digit() || (b'A'..=b'F').contains(&b))
    );
    assert!(
        endpoint.ends_with(".us-west-2.eks.amazonaws.com"),
        "{endpoint}"
    );
    let issuer = format!("https://oidc.eks.us-west-2.amazonaws.com/id/{id}");
    assert_eq!(shown["identity"]["oidc"]["issuer"], issuer);
    let listed = ground.ok("GET", "/clusters", &Value::Null);
    assert_eq!(listed["clusters"], json!(["c"]));
}

/// AWS-EKS: what EKS makes for a cluster is in the account, is EKS's own, and is in the way of deleting what it is in.
#[test]
fn a_cluster_has_a_security_group_and_interfaces() {
    let mut ground = Ground::new();
    let shown = ground.cluster("c", &json!({}));
    let group = shown["resourcesVpcConfig"]["clusterSecurityGroupId"]
        .as_str()
        .unwrap();
    let of = [("GroupId.1", group)];
    let told = ground.account.ok("DescribeSecurityGroups", &of);
    assert!(told.one("groupName").starts_with("eks-cluster-sg-c-"));
    assert!(
        told.0
            .contains("<key>kubernetes.io/cluster/c</key><value>owned</value>")
    );
    let of = [("Filter.1.Name", "group-id"), ("Filter.1.Value.1", group)];
    let rules = ground.account.ok("DescribeSecurityGroupRules", &of);
    assert_eq!(
        rules.one("referencedGroupInfo"),
        format!("<groupId>{group}</groupId><userId>123456789012</userId>")
    );
    let of = [
        ("Filter.1.Name", "description"),
        ("Filter.1.Value.1", "Amazon EKS c"),
    ];
    let interfaces = ground.account.ok("DescribeNetworkInterfaces", &of);
    assert_eq!(interfaces.all("requesterManaged"), ["true", "true"]);
    let mut subnets = interfaces.all("subnetId");
    subnets.sort();
    let mut wanted = ground.subnets.to_vec();
    wanted.sort();
    assert_eq!(subnets, wanted);
    let one = interfaces.one("networkInterfaceId");
    let [delete, subnet] = [
        (
            "DeleteNetworkInterface",
            ("NetworkInterfaceId", one.as_str()),
        ),
        ("DeleteSubnet", ("SubnetId", ground.subnets[0].as_str())),
    ]
    .map(|(action, asked)| ground.account.call(action, &[asked]).unwrap_err().0);
    assert_eq!(delete, "AuthFailure");
    assert_eq!(subnet, "DependencyViolation");
    let changed = [
        ("NetworkInterfaceId", one.as_str()),
        ("Description.Value", "mine"),
    ];
    let refused = ground
        .account
        .refused("ModifyNetworkInterfaceAttribute", &changed);
    assert_eq!(refused, "AuthFailure");
    let refused = ground
        .account
        .refused("DeleteSecurityGroup", &[("GroupId", group)]);
    assert_eq!(refused, "DependencyViolation");
    // With the cluster all of it goes.
    ground.ok("DELETE", "/clusters/c", &Value::Null);
    assert_eq!(
        ground.refused("GET", "/clusters/c", &Value::Null),
        "ResourceNotFoundException"
    );
    ground
        .account
        .ok("DeleteSubnet", &[("SubnetId", ground.subnets[0].as_str())]);
    let refused = ground
        .account
        .refused("DeleteSecurityGroup", &[("GroupId", group)]);
    assert_eq!(refused, "InvalidGroup.NotFound");
}

/// AWS-EKS: the same name is taken, the same token is the same request.
#[test]
fn names_are_unique_and_tokens_remembered() {
    let mut ground = Ground::new();
    let asked = ground.request("c", &json!({ "clientRequestToken": "t" }));
    ground.ok("POST", "/clusters", &asked);
    ground.ok("POST", "/clusters", &asked);
    let other = ground.request("c", &json!({ "clientRequestToken": "u" }));
    assert_eq!(
        ground.refusal("POST", "/clusters", &other),
        (
            "ResourceInUseException".to_owned(),
            "Cluster already exists with name: c".to_owned()
        )
    );
    assert_eq!(
        ground.refusal("GET", "/clusters/d", &Value::Null).1,
        "No cluster found for name: d."
    );
}

/// AWS-EKS: what EKS refuses to make a cluster of.
#[test]
fn clusters_that_cant_be_are_refused() {
    let mut ground = Ground::new();
    let lone = json!({ "resourcesVpcConfig": { "subnetIds": [ground.subnets[0]] } });
    let nowhere = json!({ "resourcesVpcConfig": { "subnetIds": ["subnet-00000000000000000"] } });
    let closed = json!({ "resourcesVpcConfig": { "endpointPublicAccess": false } });
    let private = json!({ "resourcesVpcConfig": { "publicAccessCidrs": ["10.0.0.0/8"] } });
    let group = json!({ "resourcesVpcConfig": { "securityGroupIds": ["sg-00000000000000000"] } });
    for (more, words) in [
        (
            lone,
            "Subnets specified must be in at least two different AZs",
        ),
        (
            nowhere,
            "The subnet ID 'subnet-00000000000000000' does not exist",
        ),
        (
            closed,
            "Private and public endpoint access cannot be false.",
        ),
        (private, "not allowed in publicAccessCidrs: [10.0.0.0/8]"),
        (group, "sg-00000000000000000"),
        (
            json!({ "version": "1.99" }),
            "unsupported Kubernetes version",
        ),
        (json!({ "roleArn": "cluster" }), "role"),
        (
            json!({ "roleArn": "arn:aws:iam::123456789012:role/nobody" }),
            "could not be assumed because it does not exist or the trusted entity is not correct",
        ),
        (json!({ "name": "-c" }), "cluster name"),
    ] {
        let asked = ground.request("c", &more);
        let (code, message) = ground.refusal("POST", "/clusters", &asked);
        assert_eq!(code, "InvalidParameterException", "{more}");
        assert!(message.contains(words), "{message}");
    }
    let asked = json!({ "name": "c", "roleArn": ROLE });
    assert_eq!(
        ground.refused("POST", "/clusters", &asked),
        "InvalidParameterException"
    );
    let auto = ground.request("c", &json!({ "computeConfig": { "enabled": true } }));
    assert_eq!(
        ground.refused("POST", "/clusters", &auto),
        "UnsupportedOperation"
    );
}

/// F-12, AWS-EKS: services' range is apart from the VPC's: 10.100.0.0/16, or 172.20.0.0/16 beside 10.0.0.0/8.
#[test]
fn services_have_a_range_of_their_own() {
    let cidr = |shown: &Value| shown["kubernetesNetworkConfig"]["serviceIpv4Cidr"].clone();
    let mut ground = Ground::new();
    assert_eq!(cidr(&ground.cluster("usual", &json!({}))), "10.100.0.0/16");
    let asked = |text: &str| json!({ "kubernetesNetworkConfig": { "serviceIpv4Cidr": text } });
    assert_eq!(
        cidr(&ground.cluster("own", &asked("172.16.0.0/12"))),
        "172.16.0.0/12"
    );
    for (text, words) in [
        (
            "192.168.128.0/20",
            "overlaps with the VPC CIDR 192.168.0.0/16",
        ),
        ("176.22.0.0/16", "must be within"),
        ("10.0.0.0/8", "between /24 and /12"),
        ("10.1.0.0/25", "between /24 and /12"),
        ("10.1.0.1/24", "between /24 and /12"),
    ] {
        let request = ground.request("c", &asked(text));
        let (code, message) = ground.refusal("POST", "/clusters", &request);
        assert_eq!(code, "InvalidParameterException", "{text}");
        assert!(message.contains(words), "{message}");
    }
    let mut ten = Ground::within("10.0.0.0/16", ["10.0.0.0/24", "10.0.1.0/24"]);
    assert_eq!(cidr(&ten.cluster("c", &json!({}))), "172.20.0.0/16");
}

/// AWS-EKS: a zone without EKS is refused with those that have it; a subnet without room too (F-2).
#[test]
fn zones_and_subnets_must_have_room() {
    let mut ground = Ground::new();
    ground.account.region = "us-east-1".to_owned();
    let vpc = ground.account.vpc("10.0.0.0/16");
    let mut subnet = |cidr: &str, zone: &str| {
        let asked = [
            ("VpcId", vpc.as_str()),
            ("CidrBlock", cidr),
            ("AvailabilityZone", zone),
        ];
        ground.account.make("subnetId", "CreateSubnet", &asked)
    };
    let subnets = [
        subnet("10.0.0.0/24", "us-east-1a"),
        subnet("10.0.1.0/24", "us-east-1e"),
        subnet("10.0.2.0/28", "us-east-1b"),
    ];
    let asked = |ids: [&String; 2]| json!({ "name": "c", "roleArn": ROLE, "resourcesVpcConfig": { "subnetIds": ids } });
    let (code, message) = ground.refusal("POST", "/clusters", &asked([&subnets[0], &subnets[1]]));
    assert_eq!(code, "UnsupportedAvailabilityZoneException");
    assert!(message.ends_with("us-east-1a, us-east-1b, us-east-1c, us-east-1d, us-east-1f"));
    for _ in 0..6 {
        ground.account.interface(&subnets[2]);
    }
    let (_, message) = ground.refusal("POST", "/clusters", &asked([&subnets[0], &subnets[2]]));
    assert!(
        message.contains("does not have enough free IP addresses"),
        "{message}"
    );
}

/// AWS-EKS-MODE: who reaches the endpoint can be changed; a change that changes nothing is refused.
#[test]
fn endpoint_access_is_changed() {
    let mut ground = Ground::new();
    ground.cluster("c", &json!({}));
    let asked = json!({ "resourcesVpcConfig": { "endpointPrivateAccess": true, "publicAccessCidrs": ["203.0.113.0/24"] } });
    let update = ground.ok("POST", "/clusters/c/update-config", &asked)["update"].clone();
    assert_eq!(update["type"], "EndpointAccessUpdate");
    assert_eq!(update["status"], "InProgress");
    let target = format!("/clusters/c/updates/{}", update["id"].as_str().unwrap());
    let told = ground.ok("GET", &target, &Value::Null)["update"].clone();
    assert_eq!(told["status"], "Successful");
    let shown = ground.shown("c");
    assert_eq!(shown["status"], "ACTIVE");
    let network = &shown["resourcesVpcConfig"];
    assert_eq!(network["endpointPrivateAccess"], true);
    assert_eq!(network["publicAccessCidrs"], json!(["203.0.113.0/24"]));
    let (code, message) = ground.refusal("POST", "/clusters/c/update-config", &asked);
    assert_eq!(code, "InvalidParameterException");
    assert_eq!(
        message,
        "Cluster is already at the desired configuration with endpointPrivateAccess: true , endpointPublicAccess: true, and Public Endpoint Restrictions: [203.0.113.0/24]"
    );
    let both = json!({ "resourcesVpcConfig": { "endpointPublicAccess": false }, "deletionProtection": true });
    assert_eq!(
        ground.refusal("POST", "/clusters/c/update-config", &both).1,
        "Invalid type for cluster update."
    );
    let listed = ground.ok("GET", "/clusters/c/updates", &Value::Null);
    assert_eq!(listed["updateIds"], json!([update["id"]]));
}

/// AWS-EKS: versions go up by one; logs, protection and tags are set.
#[test]
fn clusters_are_upgraded_and_configured() {
    let mut ground = Ground::new();
    ground.cluster("c", &json!({ "version": "1.32" }));
    let to = |version: &str| json!({ "version": version });
    let (_, message) = ground.refusal("POST", "/clusters/c/updates", &to("1.34"));
    assert_eq!(
        message,
        "Unsupported Kubernetes minor version update from 1.32 to 1.34"
    );
    let update = ground.ok("POST", "/clusters/c/updates", &to("1.33"));
    assert_eq!(update["update"]["type"], "VersionUpdate");
    assert_eq!(ground.shown("c")["version"], "1.33");
    let logs = json!({ "logging": { "clusterLogging": [{ "types": ["api", "audit"], "enabled": true }] } });
    ground.ok("POST", "/clusters/c/update-config", &logs);
    assert_eq!(
        ground.shown("c")["logging"]["clusterLogging"][0],
        json!({ "types": ["api", "audit"], "enabled": true })
    );
    ground.ok(
        "POST",
        "/clusters/c/update-config",
        &json!({ "deletionProtection": true }),
    );
    assert_eq!(
        ground.refused("DELETE", "/clusters/c", &Value::Null),
        "InvalidRequestException"
    );
    let arn = "/tags/arn%3Aaws%3Aeks%3Aus-west-2%3A123456789012%3Acluster%2Fc";
    ground.ok("POST", arn, &json!({ "tags": { "a": "1", "b": "2" } }));
    ground.ok("DELETE", &format!("{arn}?tagKeys=a"), &Value::Null);
    let tags = ground.ok("GET", arn, &Value::Null);
    assert_eq!(tags["tags"], json!({ "b": "2" }));
    let versions = ground.ok("GET", "/cluster-versions?defaultOnly=true", &Value::Null);
    assert_eq!(versions["clusterVersions"][0]["clusterVersion"], "1.34");
}

//! Add-ons and Fargate profiles as their callers see them.

use crate::eks_ground::Ground;
use aws::model::eks::{AddonIssue, PartKey};
use serde_json::{Value, json};

const ADDONS: &str = "/clusters/c/addons";

fn ground() -> Ground {
    let mut ground = Ground::new();
    ground.cluster("c", &json!({}));
    ground
}

fn status(ground: &mut Ground, name: &str) -> Value {
    ground.ok("GET", &format!("{ADDONS}/{name}"), &Value::Null)["addon"]["status"].clone()
}

/// AWS-EKS: an add-on is what the lab says of it.
#[test]
fn addons_are_active_once_their_objects_are_there() {
    let mut ground = ground();
    let asked = json!({ "addonName": "coredns", "configurationValues": "{\"replicaCount\":3}" });
    let made = ground.ok("POST", ADDONS, &asked)["addon"].clone();
    assert_eq!(made["status"], "CREATING");
    let key = PartKey::new(&ground.key("c"), "coredns");
    let issue = AddonIssue {
        code: "InsufficientNumberOfReplicas".to_owned(),
        message: "The add-on is unhealthy because it doesn't have the desired number of replicas."
            .to_owned(),
        resources: Vec::new(),
    };
    ground.account.state.addon_health(&key, vec![issue]);
    assert_eq!(status(&mut ground, "coredns"), "DEGRADED");
    ground.account.state.addon_health(&key, Vec::new());
    assert_eq!(status(&mut ground, "coredns"), "ACTIVE");
    assert_eq!(
        ground.account.state.eks_addons[&key].values(),
        json!({ "replicaCount": 3 })
    );
    assert_eq!(
        ground.refused("POST", ADDONS, &asked),
        "ResourceInUseException"
    );
    let target = format!("{ADDONS}/coredns/update");
    let update = json!({ "addonVersion": "v1.11.4-eksbuild.24", "resolveConflicts": "OVERWRITE" });
    let update = ground.ok("POST", &target, &update)["update"].clone();
    let told = format!(
        "/clusters/c/updates/{}?addonName=coredns",
        update["id"].as_str().unwrap()
    );
    assert_eq!(
        ground.ok("GET", &told, &Value::Null)["update"]["status"],
        "InProgress"
    );
    ground.account.state.addon_health(&key, Vec::new());
    assert_eq!(
        ground.ok("GET", &told, &Value::Null)["update"]["status"],
        "Successful"
    );
    ground.ok(
        "DELETE",
        &format!("{ADDONS}/coredns?preserve=true"),
        &Value::Null,
    );
    assert_eq!(status(&mut ground, "coredns"), "DELETING");
    assert!(ground.account.state.eks_addons[&key].preserve);
    ground.account.state.addon_removed(&key);
    let listed = ground.ok("GET", ADDONS, &Value::Null);
    assert_eq!(listed["addons"], json!([]));
}

/// AWS-EKS: add-ons have versions by Kubernetes' version and a schema of what can be configured.
#[test]
fn addons_have_versions_and_a_schema() {
    let mut ground = ground();
    let target = "/addons/supported-versions?kubernetesVersion=1.33&addonName=kube-proxy";
    let told = ground.ok("GET", target, &Value::Null);
    let versions = &told["addons"][0]["addonVersions"];
    assert_eq!(versions[0]["addonVersion"], "v1.33.5-eksbuild.2");
    assert_eq!(versions[0]["compatibilities"][0]["defaultVersion"], true);
    let target = "/addons/configuration-schemas?addonName=vpc-cni&addonVersion=v1.20.4-eksbuild.1";
    let told = ground.ok("GET", target, &Value::Null);
    assert!(
        told["configurationSchema"]
            .as_str()
            .unwrap()
            .contains("\"env\"")
    );
    for asked in [
        json!({ "addonName": "nothing" }),
        json!({ "addonName": "coredns", "addonVersion": "v9" }),
        json!({ "addonName": "coredns", "configurationValues": "{\"replicaCount\":\"many\"}" }),
        json!({ "addonName": "coredns", "configurationValues": "{\"unheard\":1}" }),
        json!({ "addonName": "coredns", "configurationValues": "replicaCount: 3" }),
    ] {
        let refused = ground.refused("POST", ADDONS, &asked);
        assert_eq!(refused, "InvalidParameterException", "{asked}");
    }
}

/// AWS-EKS: Fargate's pods are in private subnets only.
#[test]
fn fargate_profiles_have_private_subnets() {
    let mut ground = ground();
    let vpc = ground.vpc.clone();
    let profiles = "/clusters/c/fargate-profiles";
    let role = "arn:aws:iam::123456789012:role/pods";
    let asked = |name: &str, subnets: &[String]| {
        json!({
            "fargateProfileName": name,
            "podExecutionRoleArn": role,
            "subnets": subnets,
            "selectors": [{ "namespace": "prod" }],
        })
    };
    let subnets = ground.subnets.clone();
    let made = ground.ok("POST", profiles, &asked("p", &subnets));
    assert_eq!(made["fargateProfile"]["status"], "CREATING");
    let told = ground.ok("GET", &format!("{profiles}/p"), &Value::Null);
    assert_eq!(told["fargateProfile"]["status"], "ACTIVE");
    let gateway = [
        ("Filter.1.Name", "attachment.vpc-id"),
        ("Filter.1.Value.1", vpc.as_str()),
    ];
    let gateway = ground
        .account
        .make("internetGatewayId", "DescribeInternetGateways", &gateway);
    let table = ground
        .account
        .of_vpc("routeTableId", "DescribeRouteTables", &vpc);
    let route = [
        ("RouteTableId", table.as_str()),
        ("DestinationCidrBlock", "0.0.0.0/0"),
        ("GatewayId", gateway.as_str()),
    ];
    ground.account.ok("CreateRoute", &route);
    let (code, message) = ground.refusal("POST", profiles, &asked("q", &subnets[..1]));
    assert_eq!(code, "InvalidParameterException");
    let id = &subnets[0];
    assert_eq!(
        message,
        format!("Subnet {id} provided in Fargate Profile is not a private subnet")
    );
    assert_eq!(
        ground.refused("POST", profiles, &asked("q", &[])),
        "InvalidParameterException"
    );
    let (_, attached) = ground.refusal("DELETE", "/clusters/c", &Value::Null);
    assert_eq!(attached, "Cluster has fargate profiles attached");
    ground.ok("DELETE", &format!("{profiles}/p"), &Value::Null);
    let listed = ground.ok("GET", profiles, &Value::Null);
    assert_eq!(listed["fargateProfileNames"], json!([]));
}

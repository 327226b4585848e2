#![allow(clippy::unwrap_used)]
use super::*;
use crate::scope::Place;
use crate::step::ID;
use serde_json::json;
use std::collections::{BTreeMap, BTreeSet};

fn calls(kind: &str, properties: &Value, known: &BTreeMap<String, Value>) -> Vec<Value> {
    let place = Place {
        account: "1".to_owned(),
        region: "us-west-2".to_owned(),
        stack: "eksctl-eks-demo-nodegroup-ng-90b7a9a5".to_owned(),
        id: "arn".to_owned(),
    };
    let tags = [("team".to_owned(), "net".to_owned())]
        .into_iter()
        .collect();
    let ask = Ask {
        properties: properties.as_object().unwrap(),
        before: None,
        known,
        place: &place,
        logical: "NodeInstanceRole",
        suffix: "TLKVDDVTW2TZ",
        stack_tags: &tags,
    };
    let steps = find(kind).unwrap().create(&ask).unwrap();
    let call = |step: &crate::Step| {
        let call = step.call(known);
        json!([call.operation, call.parameters])
    };
    steps.iter().map(call).collect()
}

#[test]
fn every_type_stands_once_and_each_of_its_properties_too() {
    let mut seen = BTreeSet::new();
    for kind in FAMILIES.iter().copied().flatten() {
        assert!(seen.insert(kind.name), "{}", kind.name);
        let names: BTreeSet<&str> = kind.properties.iter().map(|of| of.name).collect();
        assert_eq!(names.len(), kind.properties.len(), "{}", kind.name);
    }
}

/// AWS-EKSCTL: generated names are those that the walkthrough shows.
#[test]
fn a_role_has_the_name_that_cloudformation_makes() {
    let properties = json!({
        "AssumeRolePolicyDocument": { "Version": "2012-10-17" },
        "ManagedPolicyArns": ["arn:aws:iam::aws:policy/AmazonEKSWorkerNodePolicy"],
    });
    let known = [(ID.to_owned(), json!("role"))].into_iter().collect();
    let calls = calls("AWS::IAM::Role", &properties, &known);
    assert_eq!(
        calls[0][1]["RoleName"],
        "eksctl-eks-demo-nodegroup-ng-9-NodeInstanceRole-TLKVDDVTW2TZ"
    );
    assert_eq!(
        calls[0][1]["AssumeRolePolicyDocument"],
        r#"{"Version":"2012-10-17"}"#
    );
    assert_eq!(
        calls[0][1]["Tags"],
        json!([{ "Key": "team", "Value": "net" }])
    );
    assert_eq!(calls[1][0], "AttachRolePolicy");
    assert_eq!(calls[1][1]["RoleName"], "role");
}

#[test]
fn a_nodegroups_members_have_the_types_of_eks() {
    let properties = json!({
        "ClusterName": "c", "NodegroupName": "ng", "NodeRole": "arn:r", "Subnets": ["subnet-1"],
        "ScalingConfig": { "MinSize": "2", "DesiredSize": 2, "MaxSize": "3" },
        "LaunchTemplate": { "Id": "lt-1", "Version": 1 },
        "Labels": { "Alpha.io/Name": "x" },
    });
    let calls = calls("AWS::EKS::Nodegroup", &properties, &BTreeMap::new());
    let given = &calls[0][1];
    assert_eq!(
        given["scalingConfig"],
        json!({ "minSize": 2, "desiredSize": 2, "maxSize": 3 })
    );
    assert_eq!(
        given["launchTemplate"],
        json!({ "id": "lt-1", "version": "1" })
    );
    assert_eq!(given["labels"], json!({ "Alpha.io/Name": "x" }));
    assert_eq!(given["tags"], json!({ "team": "net" }));
}

#[test]
fn properties_that_a_type_does_not_have_or_lacks_are_refused() {
    let kind = find("AWS::EC2::VPC").unwrap();
    let of = |value: Value| kind.check(value.as_object().unwrap());
    assert_eq!(
        of(json!({ "CidrBlock": "x", "Colour": 1 })),
        Err("Encountered unsupported property Colour".to_owned())
    );
    assert_eq!(
        of(json!({})),
        Err("Property CidrBlock cannot be empty.".to_owned())
    );
}

/// A physical id is learned once: what a later step learns under the same name would take its place.
#[test]
fn a_clusters_id_is_its_name() {
    let properties = json!({ "Name": "demo", "RoleArn": "arn:r", "ResourcesVpcConfig": {} });
    let place = Place {
        account: "1".to_owned(),
        region: "us-west-2".to_owned(),
        stack: "s".to_owned(),
        id: "arn".to_owned(),
    };
    let ask = Ask {
        properties: properties.as_object().unwrap(),
        before: None,
        known: &BTreeMap::new(),
        place: &place,
        logical: "ControlPlane",
        suffix: "X",
        stack_tags: &BTreeMap::new(),
    };
    let steps = find("AWS::EKS::Cluster").unwrap().create(&ask).unwrap();
    let answer = json!({ "cluster": {
        "name": "demo", "arn": "arn:c", "status": "ACTIVE", "endpoint": "https://x",
        "certificateAuthority": { "data": "PEM" }, "identity": { "oidc": { "issuer": "https://i" } },
        "resourcesVpcConfig": { "clusterSecurityGroupId": "sg-1" },
    } });
    let mut known = BTreeMap::new();
    for step in steps {
        match step.judge(&Ok(answer.clone()), &known) {
            crate::Verdict::Done(learned) => known.extend(learned),
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(known[ID], "demo");
}

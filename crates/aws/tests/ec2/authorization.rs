//! What callers other than the root user may do.

use crate::account::Account;
use crate::iam::{ok, role};
use aws::authorize::{Asking, check};
use aws::identity::{Caller, Principal};
use wire::error::ApiError;
use wire::query::Node;

/// What the load balancer controller's policy allows, with the conditions that it has.
const CONTROLLER: &str = r#"{"Version":"2012-10-17","Statement":[
 {"Effect":"Allow","Action":["ec2:DescribeVpcs","elasticloadbalancing:DescribeTags"],"Resource":"*"},
 {"Effect":"Allow","Action":"iam:CreateServiceLinkedRole","Resource":"*",
  "Condition":{"StringEquals":{"iam:AWSServiceName":"elasticloadbalancing.amazonaws.com"}}},
 {"Effect":"Allow","Action":["ec2:CreateSecurityGroup"],"Resource":"*"},
 {"Effect":"Allow","Action":["ec2:CreateTags"],"Resource":"arn:aws:ec2:*:*:security-group/*",
  "Condition":{"StringEquals":{"ec2:CreateAction":"CreateSecurityGroup"},
   "Null":{"aws:RequestTag/elbv2.k8s.aws/cluster":"false"}}},
 {"Effect":"Allow","Action":["ec2:CreateTags","ec2:DeleteTags"],"Resource":"arn:aws:ec2:*:*:security-group/*",
  "Condition":{"Null":{"aws:RequestTag/elbv2.k8s.aws/cluster":"true","aws:ResourceTag/elbv2.k8s.aws/cluster":"false"}}},
 {"Effect":"Allow","Action":["ec2:AuthorizeSecurityGroupIngress","ec2:DeleteSecurityGroup"],"Resource":"*",
  "Condition":{"Null":{"aws:ResourceTag/elbv2.k8s.aws/cluster":"false"}}},
 {"Effect":"Allow","Action":["elasticloadbalancing:CreateLoadBalancer","elasticloadbalancing:CreateTargetGroup"],
  "Resource":"*","Condition":{"Null":{"aws:RequestTag/elbv2.k8s.aws/cluster":"false"}}},
 {"Effect":"Allow","Action":["elasticloadbalancing:AddTags"],
  "Resource":["arn:aws:elasticloadbalancing:*:*:targetgroup/*/*","arn:aws:elasticloadbalancing:*:*:loadbalancer/app/*/*"],
  "Condition":{"Null":{"aws:RequestTag/elbv2.k8s.aws/cluster":"true","aws:ResourceTag/elbv2.k8s.aws/cluster":"false"}}},
 {"Effect":"Allow","Action":["elasticloadbalancing:DeleteTargetGroup"],"Resource":"*",
  "Condition":{"Null":{"aws:ResourceTag/elbv2.k8s.aws/cluster":"false"}}}]}"#;
const CLUSTER: &str = "elbv2.k8s.aws/cluster";

fn session(account: &Account, name: &str) -> Caller {
    let role = aws::model::iam::role::find(&account.state, name).unwrap();
    let principal = Principal::Role {
        name: role.name.clone(),
        id: role.id.clone(),
        session: "s-1".to_owned(),
    };
    Caller::of(&account.state, principal).unwrap()
}

fn may(
    account: &Account,
    caller: &Caller,
    (service, operation): (&str, &str),
    asked: &[(&str, &str)],
) -> Result<(), ApiError> {
    let pairs = asked
        .iter()
        .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
    let parameters = Node::tree(pairs);
    let asking = Asking {
        service,
        operation,
        parameters: &parameters,
        path: "/",
    };
    check(&account.state, &account.context(), caller, asking)
}

/// A role with a policy of its own.
fn role_with(account: &mut Account, name: &str, policy: &str) -> Caller {
    role(account, name);
    let put = [
        ("RoleName", name),
        ("PolicyName", "own"),
        ("PolicyDocument", policy),
    ];
    ok(account, "PutRolePolicy", &put);
    session(account, name)
}

/// AWS-IAM: the controller may change what it tagged, tag what it makes, and nothing else.
#[test]
fn the_load_balancer_controllers_policy() {
    let mut account = Account::new();
    let vpc = account.vpc("10.0.0.0/16");
    let (own, other) = (account.group(&vpc, "own"), account.group(&vpc, "other"));
    let tag = [
        ("ResourceId.1", own.as_str()),
        ("Tag.1.Key", CLUSTER),
        ("Tag.1.Value", "c"),
    ];
    account.ok("CreateTags", &tag);
    let caller = role_with(&mut account, "lbc", CONTROLLER);
    let ec2 = |operation| ("ec2", operation);
    let allowed =
        |operation, asked: &[(&str, &str)]| may(&account, &caller, operation, asked).is_ok();
    assert!(allowed(ec2("DescribeVpcs"), &[]));
    assert!(!allowed(ec2("DescribeInstances"), &[]));
    let made = [
        ("GroupName", "k8s"),
        ("VpcId", vpc.as_str()),
        ("TagSpecification.1.ResourceType", "security-group"),
        ("TagSpecification.1.Tag.1.Key", CLUSTER),
        ("TagSpecification.1.Tag.1.Value", "c"),
    ];
    assert!(allowed(ec2("CreateSecurityGroup"), &made));
    let mut untagged = made;
    untagged[3].1 = "another";
    assert!(!allowed(ec2("CreateSecurityGroup"), &untagged));
    for (group, able) in [(&own, true), (&other, false)] {
        let named = [("GroupId", group.as_str())];
        assert_eq!(allowed(ec2("DeleteSecurityGroup"), &named), able);
        // The group that a rule refers to is not the one that is changed.
        let rule = [
            named[0],
            ("IpPermissions.1.UserIdGroupPairs.1.GroupId", other.as_str()),
        ];
        assert_eq!(allowed(ec2("AuthorizeSecurityGroupIngress"), &rule), able);
        let more = [
            ("ResourceId.1", group.as_str()),
            ("Tag.1.Key", "a"),
            ("Tag.1.Value", "b"),
        ];
        assert_eq!(allowed(ec2("CreateTags"), &more), able);
    }
    assert!(!allowed(ec2("CreateTags"), &tag), "the cluster's tag stays");
    let elb = |operation| ("elasticloadbalancing", operation);
    let group = [
        ("Name", "tg"),
        ("Tags.member.1.Key", CLUSTER),
        ("Tags.member.1.Value", "c"),
    ];
    assert!(allowed(elb("CreateTargetGroup"), &group));
    assert!(!allowed(elb("CreateTargetGroup"), &group[..1]));
    assert!(allowed(
        elb("DescribeTags"),
        &[("ResourceArns.member.1", "arn:x")]
    ));
    let linked = |service| {
        allowed(
            ("iam", "CreateServiceLinkedRole"),
            &[("AWSServiceName", service)],
        )
    };
    assert!(linked("elasticloadbalancing.amazonaws.com") && !linked("eks.amazonaws.com"));
}

/// AWS-IAM: a refusal says who asked for what, in the service's own way.
#[test]
fn refusals_say_who_may_not_do_what() {
    let mut account = Account::new();
    let arn = "arn:aws:sts::123456789012:assumed-role/idle/s-1";
    let deny = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Deny","Action":"eks:*","Resource":"*"}]}"#;
    let caller = role_with(&mut account, "idle", deny);
    assert_eq!(caller.arn, arn);
    let refused = may(&account, &caller, ("ec2", "DescribeVpcs"), &[]).unwrap_err();
    assert_eq!(
        (refused.code.as_str(), refused.status),
        ("UnauthorizedOperation", 403)
    );
    let words = format!(
        "User: {arn} is not authorized to perform: ec2:DescribeVpcs because no identity-based policy allows the ec2:DescribeVpcs action"
    );
    assert!(refused.message.ends_with(&words), "{refused}");
    let asked = [("RoleName", "idle")];
    let refused = may(&account, &caller, ("iam", "GetRole"), &asked).unwrap_err();
    assert_eq!(
        (refused.code.as_str(), refused.status),
        ("AccessDenied", 403)
    );
    assert!(
        refused
            .message
            .contains("on resource: arn:aws:iam::123456789012:role/idle")
    );
    let refused = may(&account, &caller, ("eks", "ListClusters"), &[]).unwrap_err();
    assert_eq!(refused.code, "AccessDeniedException");
    assert!(
        refused
            .message
            .ends_with("with an explicit deny in an identity-based policy")
    );
    let root = Caller::root(&account.state);
    assert!(may(&account, &root, ("eks", "ListClusters"), &[]).is_ok());
    assert!(may(&account, &caller, ("sts", "GetCallerIdentity"), &[]).is_ok());
}

/// AWS-IAM, AWS-CNI: a node with the policies that EKS asks for may do what its network plugin does, and hand out no
/// roles.
#[test]
fn nodes_policies_let_the_network_plugin_work() {
    let mut account = Account::new();
    role(&mut account, "node");
    for policy in ["AmazonEKSWorkerNodePolicy", "AmazonEKS_CNI_Policy"] {
        let arn = format!("arn:aws:iam::aws:policy/{policy}");
        let attach = [("RoleName", "node"), ("PolicyArn", arn.as_str())];
        ok(&mut account, "AttachRolePolicy", &attach);
    }
    let caller = session(&account, "node");
    let make = [
        ("SubnetId", "subnet-0123456789abcdef0"),
        ("TagSpecification.1.ResourceType", "network-interface"),
        (
            "TagSpecification.1.Tag.1.Key",
            "node.k8s.amazonaws.com/instance_id",
        ),
        ("TagSpecification.1.Tag.1.Value", "i-1"),
    ];
    let attach = [
        ("InstanceId", "i-0123456789abcdef0"),
        ("NetworkInterfaceId", "eni-0123456789abcdef0"),
    ];
    for (operation, asked) in [
        ("CreateNetworkInterface", make.as_slice()),
        ("AttachNetworkInterface", attach.as_slice()),
        ("AssignPrivateIpAddresses", &attach[1..]),
        ("DescribeInstances", &[]),
    ] {
        let answer = may(&account, &caller, ("ec2", operation), asked);
        assert!(answer.is_ok(), "{operation}: {answer:?}");
    }
    assert!(
        may(
            &account,
            &caller,
            ("ec2", "TerminateInstances"),
            &attach[..1]
        )
        .is_err()
    );
    let full = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"ec2:*","Resource":"*"}]}"#;
    let caller = role_with(&mut account, "ec2-only", full);
    ok(
        &mut account,
        "CreateInstanceProfile",
        &[("InstanceProfileName", "p")],
    );
    let add = [("InstanceProfileName", "p"), ("RoleName", "node")];
    ok(&mut account, "AddRoleToInstanceProfile", &add);
    let pass = [
        ("InstanceId", "i-0123456789abcdef0"),
        ("IamInstanceProfile.Name", "p"),
    ];
    let operation = ("ec2", "AssociateIamInstanceProfile");
    let refused = may(&account, &caller, operation, &pass).unwrap_err();
    assert!(
        refused
            .message
            .contains("iam:PassRole on resource: arn:aws:iam::123456789012:role/node")
    );
}

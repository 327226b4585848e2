//! IAM: users, roles, policies, instance profiles and identity providers.

use crate::account::{Account, Document, Refused};
use crate::ground::Ground;
use wire::query::Node;

const TRUST: &str = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Service":"ec2.amazonaws.com"},"Action":"sts:AssumeRole"}]}"#;
const READ: &str = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"ec2:Describe*","Resource":"*"}]}"#;
const NODE: &str = "arn:aws:iam::aws:policy/AmazonEKSWorkerNodePolicy";

fn call(account: &mut Account, action: &str, asked: &[(&str, &str)]) -> Result<Document, Refused> {
    let pairs = asked
        .iter()
        .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
    let refused = |error: wire::error::ApiError| (error.code, error.message);
    let request = aws::api::iam::parse(action, &Node::tree(pairs)).map_err(refused)?;
    let context = account.context();
    let answer =
        aws::api::iam::answer(&account.state, &context, request, "request").map_err(refused)?;
    if let Some(state) = answer.state {
        account.state = state;
    }
    Ok(Document(answer.body))
}

pub(crate) fn ok(account: &mut Account, action: &str, asked: &[(&str, &str)]) -> Document {
    call(account, action, asked)
        .unwrap_or_else(|(code, message)| panic!("{action} {asked:?}: {code}: {message}"))
}

fn refused(account: &mut Account, action: &str, asked: &[(&str, &str)]) -> String {
    let before = account.state.clone();
    match call(account, action, asked) {
        Ok(document) => panic!("{action} {asked:?} succeeded: {}", document.0),
        Err((code, _)) => {
            assert!(account.state.changes(&before).is_empty(), "{action}");
            code
        }
    }
}

/// A role that EC2 may take: its ARN.
pub(crate) fn role(account: &mut Account, name: &str) -> String {
    let asked = [("RoleName", name), ("AssumeRolePolicyDocument", TRUST)];
    ok(account, "CreateRole", &asked).one("Arn")
}

/// AWS-IAM: a role has a trust policy, policies and tags, and goes only without policies and profiles.
#[test]
fn roles_live_and_go() {
    let mut account = Account::new();
    let asked = [
        ("RoleName", "node"),
        ("Path", "/eks/"),
        ("AssumeRolePolicyDocument", TRUST),
        ("MaxSessionDuration", "7200"),
        ("Tags.member.1.Key", "team"),
        ("Tags.member.1.Value", "a"),
    ];
    let made = ok(&mut account, "CreateRole", &asked);
    assert_eq!(made.one("Arn"), "arn:aws:iam::123456789012:role/eks/node");
    assert!(made.one("RoleId").starts_with("AROA") && made.one("RoleId").len() == 21);
    let own = [("RoleName", "node")];
    let told = ok(&mut account, "GetRole", &own);
    assert_eq!(told.one("MaxSessionDuration"), "7200");
    assert!(
        told.one("AssumeRolePolicyDocument")
            .starts_with("%7B%22Version%22")
    );
    assert_eq!(told.one("Value"), "a");
    assert_eq!(
        refused(&mut account, "CreateRole", &asked),
        "EntityAlreadyExists"
    );
    let other = [("RoleName", "NODE"), asked[2]];
    assert_eq!(
        refused(&mut account, "CreateRole", &other),
        "EntityAlreadyExists"
    );
    let attach = [("RoleName", "node"), ("PolicyArn", NODE)];
    ok(&mut account, "AttachRolePolicy", &attach);
    let inline = [
        ("RoleName", "node"),
        ("PolicyName", "own"),
        ("PolicyDocument", READ),
    ];
    ok(&mut account, "PutRolePolicy", &inline);
    let listed = ok(&mut account, "ListAttachedRolePolicies", &own);
    assert_eq!(listed.all("PolicyArn"), [NODE]);
    let got = ok(&mut account, "GetRolePolicy", &inline[..2]);
    assert!(got.one("PolicyDocument").contains("ec2%3ADescribe%2A"));
    let profile = [("InstanceProfileName", "node"), ("RoleName", "node")];
    ok(&mut account, "CreateInstanceProfile", &profile[..1]);
    ok(&mut account, "AddRoleToInstanceProfile", &profile);
    assert_eq!(
        refused(&mut account, "AddRoleToInstanceProfile", &profile),
        "LimitExceeded"
    );
    assert_eq!(refused(&mut account, "DeleteRole", &own), "DeleteConflict");
    ok(&mut account, "DetachRolePolicy", &attach);
    assert_eq!(
        refused(&mut account, "DetachRolePolicy", &attach),
        "NoSuchEntity"
    );
    assert_eq!(refused(&mut account, "DeleteRole", &own), "DeleteConflict");
    ok(&mut account, "DeleteRolePolicy", &inline[..2]);
    assert_eq!(refused(&mut account, "DeleteRole", &own), "DeleteConflict");
    assert_eq!(
        refused(&mut account, "DeleteInstanceProfile", &profile[..1]),
        "DeleteConflict"
    );
    ok(&mut account, "RemoveRoleFromInstanceProfile", &profile);
    ok(&mut account, "DeleteRole", &own);
    ok(&mut account, "DeleteInstanceProfile", &profile[..1]);
    assert_eq!(refused(&mut account, "GetRole", &own), "NoSuchEntity");
    let odd = [("RoleName", "odd"), ("AssumeRolePolicyDocument", READ)];
    assert_eq!(
        refused(&mut account, "CreateRole", &odd),
        "MalformedPolicyDocument"
    );
    let odd = [("RoleName", "a b"), ("AssumeRolePolicyDocument", TRUST)];
    assert_eq!(refused(&mut account, "CreateRole", &odd), "ValidationError");
    assert_eq!(
        refused(&mut account, "CreateRole", &odd[1..]),
        "ValidationError"
    );
}

/// AWS-IAM: managed policies have versions, of which one holds; AWS's own can't be changed.
#[test]
fn managed_policies_have_versions() {
    let mut account = Account::new();
    let asked = [("PolicyName", "read"), ("PolicyDocument", READ)];
    let arn = ok(&mut account, "CreatePolicy", &asked).one("Arn");
    assert_eq!(arn, "arn:aws:iam::123456789012:policy/read");
    assert_eq!(
        refused(&mut account, "CreatePolicy", &asked),
        "EntityAlreadyExists"
    );
    let own = [("PolicyArn", arn.as_str())];
    let version = [own[0], ("PolicyDocument", READ), ("SetAsDefault", "true")];
    for number in 2..=5 {
        let made = ok(&mut account, "CreatePolicyVersion", &version);
        assert_eq!(made.one("VersionId"), format!("v{number}"));
    }
    assert_eq!(
        refused(&mut account, "CreatePolicyVersion", &version),
        "LimitExceeded"
    );
    let newest = [own[0], ("VersionId", "v5")];
    assert_eq!(
        refused(&mut account, "DeletePolicyVersion", &newest),
        "DeleteConflict"
    );
    assert_eq!(
        refused(&mut account, "DeletePolicy", &own),
        "DeleteConflict"
    );
    ok(
        &mut account,
        "SetDefaultPolicyVersion",
        &[own[0], ("VersionId", "v1")],
    );
    assert_eq!(
        ok(&mut account, "GetPolicy", &own).one("DefaultVersionId"),
        "v1"
    );
    for number in 2..=5 {
        let id = format!("v{number}");
        ok(
            &mut account,
            "DeletePolicyVersion",
            &[own[0], ("VersionId", &id)],
        );
    }
    role(&mut account, "reader");
    let attach = [("RoleName", "reader"), own[0]];
    ok(&mut account, "AttachRolePolicy", &attach);
    let held = ok(&mut account, "ListEntitiesForPolicy", &own);
    assert_eq!(held.all("RoleName"), ["reader"]);
    assert_eq!(
        ok(&mut account, "GetPolicy", &own).one("AttachmentCount"),
        "1"
    );
    assert_eq!(
        refused(&mut account, "DeletePolicy", &own),
        "DeleteConflict"
    );
    ok(&mut account, "DetachRolePolicy", &attach);
    ok(&mut account, "DeletePolicy", &own);
    assert_eq!(refused(&mut account, "GetPolicy", &own), "NoSuchEntity");
    let aws = [("PolicyArn", NODE)];
    let told = ok(&mut account, "GetPolicy", &aws);
    let version = [aws[0], ("VersionId", &told.one("DefaultVersionId"))];
    let document = ok(&mut account, "GetPolicyVersion", &version).one("Document");
    assert!(document.contains("ec2%3ADescribeInstances"));
    assert_eq!(refused(&mut account, "DeletePolicy", &aws), "AccessDenied");
    let scope = [("Scope", "AWS"), ("MaxItems", "10")];
    let listed = ok(&mut account, "ListPolicies", &scope);
    assert_eq!(listed.all("PolicyName").len(), 10);
    let more = [scope[0], ("Marker", &listed.one("Marker"))];
    assert!(
        !ok(&mut account, "ListPolicies", &more)
            .all("PolicyName")
            .is_empty()
    );
}

/// AWS-IAM: users have at most two keys, whose secrets are told once.
#[test]
fn users_have_keys() {
    let mut account = Account::new();
    let own = [("UserName", "bob")];
    let made = ok(&mut account, "CreateUser", &own);
    assert_eq!(made.one("Arn"), "arn:aws:iam::123456789012:user/bob");
    let key = ok(&mut account, "CreateAccessKey", &own);
    assert_eq!(key.one("SecretAccessKey").len(), 40);
    assert!(key.one("AccessKeyId").starts_with("AKIA"));
    ok(&mut account, "CreateAccessKey", &own);
    assert_eq!(
        refused(&mut account, "CreateAccessKey", &own),
        "LimitExceeded"
    );
    let listed = ok(&mut account, "ListAccessKeys", &own);
    assert_eq!(listed.all("AccessKeyId").len(), 2);
    assert!(!listed.0.contains("Secret"));
    assert_eq!(refused(&mut account, "DeleteUser", &own), "DeleteConflict");
    for id in listed.all("AccessKeyId") {
        ok(
            &mut account,
            "DeleteAccessKey",
            &[own[0], ("AccessKeyId", &id)],
        );
    }
    let renamed = [own[0], ("NewUserName", "eve")];
    ok(&mut account, "UpdateUser", &renamed);
    assert_eq!(refused(&mut account, "GetUser", &own), "NoSuchEntity");
    ok(&mut account, "DeleteUser", &[("UserName", "eve")]);
    let root = ok(&mut account, "GetUser", &[]);
    assert_eq!(root.one("Arn"), "arn:aws:iam::123456789012:root");
}

/// AWS-IAM: an issuer of tokens is a provider once, with audiences and thumbprints.
#[test]
fn identity_providers() {
    let mut account = Account::new();
    let url = "https://oidc.eks.us-west-2.amazonaws.com/id/ABC";
    let asked = [
        ("Url", url),
        ("ClientIDList.member.1", "sts.amazonaws.com"),
        (
            "ThumbprintList.member.1",
            "9e99a48a9960b14926bb7f3b02e22da2b0ab7280",
        ),
    ];
    let made = ok(&mut account, "CreateOpenIDConnectProvider", &asked);
    let arn = made.one("OpenIDConnectProviderArn");
    assert!(arn.ends_with(":oidc-provider/oidc.eks.us-west-2.amazonaws.com/id/ABC"));
    assert_eq!(
        refused(&mut account, "CreateOpenIDConnectProvider", &asked),
        "EntityAlreadyExists"
    );
    let own = [("OpenIDConnectProviderArn", arn.as_str())];
    let told = ok(&mut account, "GetOpenIDConnectProvider", &own);
    assert_eq!(told.one("Url"), &url["https://".len()..]);
    assert!(told.one("ClientIDList").contains("sts.amazonaws.com"));
    let short = [own[0], ("ThumbprintList.member.1", "abc")];
    let update = "UpdateOpenIDConnectProviderThumbprint";
    assert_eq!(refused(&mut account, update, &short), "ValidationError");
    ok(&mut account, "DeleteOpenIDConnectProvider", &own);
    assert_eq!(
        refused(&mut account, "GetOpenIDConnectProvider", &own),
        "NoSuchEntity"
    );
    let odd = [("Url", "http://a.example")];
    assert_eq!(
        refused(&mut account, "CreateOpenIDConnectProvider", &odd),
        "ValidationError"
    );
}

/// AWS-IAM: a service's linked role is its own: nobody else changes it.
#[test]
fn linked_roles_belong_to_their_service() {
    let mut account = Account::new();
    let asked = [("AWSServiceName", "elasticloadbalancing.amazonaws.com")];
    let made = ok(&mut account, "CreateServiceLinkedRole", &asked);
    let name = made.one("RoleName");
    assert_eq!(name, "AWSServiceRoleForElasticLoadBalancing");
    assert_eq!(
        refused(&mut account, "CreateServiceLinkedRole", &asked),
        "InvalidInput"
    );
    let own = [("RoleName", name.as_str())];
    let attached = ok(&mut account, "ListAttachedRolePolicies", &own);
    assert_eq!(
        attached.one("PolicyName"),
        "AWSElasticLoadBalancingServiceRolePolicy"
    );
    assert_eq!(
        refused(&mut account, "DeleteRole", &own),
        "UnmodifiableEntity"
    );
    let attach = [own[0], ("PolicyArn", NODE)];
    assert_eq!(
        refused(&mut account, "AttachRolePolicy", &attach),
        "UnmodifiableEntity"
    );
    let task = ok(&mut account, "DeleteServiceLinkedRole", &own).one("DeletionTaskId");
    let status = ok(
        &mut account,
        "GetServiceLinkedRoleDeletionStatus",
        &[("DeletionTaskId", &task)],
    );
    assert_eq!(status.one("Status"), "SUCCEEDED");
    assert_eq!(refused(&mut account, "GetRole", &own), "NoSuchEntity");
    let odd = [("AWSServiceName", "nobody.amazonaws.com")];
    assert_eq!(
        refused(&mut account, "CreateServiceLinkedRole", &odd),
        "InvalidInput"
    );
}

/// AWS-IAM: an instance has one profile at a time, which it can get, change and lose while it runs.
#[test]
fn instances_have_profiles() {
    let mut ground = Ground::new();
    let subnet = ground.subnets[0].clone();
    let account = &mut ground.account;
    for name in ["first", "second"] {
        ok(
            account,
            "CreateInstanceProfile",
            &[("InstanceProfileName", name)],
        );
    }
    let image = account.make("imageId", "DescribeImages", &[]);
    let odd = [
        ("ImageId", image.as_str()),
        ("InstanceType", "t3.micro"),
        ("MinCount", "1"),
        ("MaxCount", "1"),
        ("IamInstanceProfile.Name", "none"),
    ];
    assert_eq!(
        account.refused("RunInstances", &odd),
        "InvalidParameterValue"
    );
    let instance = account.instance(&subnet, &[("IamInstanceProfile.Name", "first")]);
    let told = account.ok("DescribeInstances", &[("InstanceId.1", &instance)]);
    assert!(told.0.contains("instance-profile/first"));
    let held = account.ok("DescribeIamInstanceProfileAssociations", &[]);
    let association = held.one("associationId");
    assert_eq!(held.one("instanceId"), instance);
    let again = [
        ("InstanceId", instance.as_str()),
        ("IamInstanceProfile.Name", "second"),
    ];
    assert_eq!(
        account.refused("AssociateIamInstanceProfile", &again),
        "IncorrectState"
    );
    let other = [("AssociationId", association.as_str()), again[1]];
    let replaced = account.ok("ReplaceIamInstanceProfileAssociation", &other);
    let association = replaced.one("associationId");
    assert!(replaced.0.contains("instance-profile/second"));
    let own = [("AssociationId", association.as_str())];
    account.ok("DisassociateIamInstanceProfile", &own);
    assert_eq!(
        account.refused("DisassociateIamInstanceProfile", &own),
        "NoSuchAssociation"
    );
    account.ok("AssociateIamInstanceProfile", &again);
    let held = account.ok("DescribeIamInstanceProfileAssociations", &[]);
    assert_eq!(held.all("state"), ["associated"]);
}

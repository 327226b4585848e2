//! Roles of IAM for service accounts, from a pod's point of view.

use super::{aws, demo, nodegroup};
use crate::cluster::Cluster;

/// An account that the role's trust policy names, and one that it doesn't; a pod of each.
const ACCOUNTS: &str = r#"
apiVersion: v1
kind: ServiceAccount
metadata:
  name: reader
  annotations: {eks.amazonaws.com/role-arn: ROLE}
---
apiVersion: v1
kind: ServiceAccount
metadata:
  name: stranger
  annotations: {eks.amazonaws.com/role-arn: ROLE}
---
apiVersion: v1
kind: Pod
metadata: {name: reader}
spec:
  serviceAccountName: reader
  containers:
  - {name: main, image: skylab.local/host, command: [sleep, "3600"]}
---
apiVersion: v1
kind: Pod
metadata: {name: stranger}
spec:
  serviceAccountName: stranger
  containers:
  - {name: main, image: skylab.local/host, command: [sleep, "3600"]}
"#;

/// What a pod does to get its role's credentials, by what its environment says.
const ASSUME: &str = r#"curl -sSm20 -G "https://sts.$AWS_REGION.amazonaws.com/" \
  -d Action=AssumeRoleWithWebIdentity -d Version=2011-06-15 -d RoleSessionName=pod \
  --data-urlencode "RoleArn=$AWS_ROLE_ARN" --data-urlencode "WebIdentityToken@$AWS_WEB_IDENTITY_TOKEN_FILE""#;

/// Makes a provider of the cluster's issuer and a role that its account `default/reader` may take, which may look at
/// VPCs: the role's ARN.
fn trusted(cluster: &Cluster) -> String {
    let lab = &cluster.lab;
    let issuer = ["--query", "cluster.identity.oidc.issuer"];
    let describe = ["eks", "describe-cluster", "--name", "demo"];
    let issuer = aws(lab, &[&describe[..], &issuer].concat());
    let provider = ["iam", "create-open-id-connect-provider", "--url", &issuer];
    let clients = ["--client-id-list", "sts.amazonaws.com"];
    let provider = aws(lab, &[&provider[..], &clients].concat());
    let host = issuer.trim_start_matches("https://");
    let trust = format!(
        r#"{{"Version":"2012-10-17","Statement":[{{"Effect":"Allow","Principal":{{"Federated":"{provider}"}},"Action":"sts:AssumeRoleWithWebIdentity","Condition":{{"StringEquals":{{"{host}:sub":"system:serviceaccount:default:reader","{host}:aud":"sts.amazonaws.com"}}}}}}]}}"#
    );
    let create = ["iam", "create-role", "--role-name", "reader"];
    let trust = ["--assume-role-policy-document", &trust];
    let query = ["--query", "Role.Arn"];
    let role = aws(lab, &[&create[..], &trust, &query].concat());
    let policy = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"ec2:DescribeVpcs","Resource":"*"}]}"#;
    let put = ["iam", "put-role-policy", "--role-name", "reader"];
    let policy = ["--policy-name", "look", "--policy-document", policy];
    aws(lab, &[&put[..], &policy].concat());
    role
}

/// What a pod's shell says.
fn shell(cluster: &Cluster, pod: &str, script: &str) -> String {
    cluster.ok(&["exec", pod, "--", "sh", "-c", script], "")
}

fn element<'t>(text: &'t str, name: &str) -> &'t str {
    let opened = text.split_once(&format!("<{name}>"));
    let found = opened.and_then(|(_, rest)| rest.split_once('<'));
    found.unwrap_or_else(|| panic!("no {name} in {text}")).0
}

/// AWS-EKS, AWS-IAM: a pod whose service account names a role finds the role and a token in its environment, exchanges
/// it at STS over the network, and may do what the role may and nothing else. An account that the role's trust policy
/// doesn't name gets nothing.
#[test]
fn a_pods_service_account_takes_its_role() {
    let Some(cluster) = demo() else { return };
    nodegroup(&cluster.lab);
    let role = trusted(&cluster);
    cluster.ok(&["apply", "-f", "-"], &ACCOUNTS.replace("ROLE", &role));
    let ready = ["wait", "--for=condition=Ready", "--timeout=120s"];
    let pods = ["pod/reader", "pod/stranger"];
    cluster.ok(&[&ready[..], &pods].concat(), "");
    let denied = shell(&cluster, "stranger", ASSUME);
    assert_eq!(element(&denied, "Code"), "AccessDenied", "{denied}");
    let given = shell(&cluster, "reader", ASSUME);
    let user = element(&given, "Arn");
    assert!(user.ends_with(":assumed-role/reader/pod"), "{user}");
    let (key, secret) = (
        element(&given, "AccessKeyId"),
        element(&given, "SecretAccessKey"),
    );
    let token = element(&given, "SessionToken");
    let call = |action: &str| {
        let script = format!(
            r#"curl -sSm20 --aws-sigv4 "aws:amz:$AWS_REGION:ec2" -u '{key}:{secret}' -H 'x-amz-security-token: {token}' "https://ec2.$AWS_REGION.amazonaws.com/?Action={action}&Version=2016-11-15""#
        );
        shell(&cluster, "reader", &script)
    };
    let seen = call("DescribeVpcs");
    assert!(element(&seen, "vpcId").starts_with("vpc-"), "{seen}");
    let refused = call("DescribeInstances");
    assert_eq!(
        element(&refused, "Code"),
        "UnauthorizedOperation",
        "{refused}"
    );
}

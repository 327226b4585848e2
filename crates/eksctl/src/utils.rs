//! `utils`: the identity provider, stacks as they are, the kubeconfig; what nodes are told at boot.

use crate::family::Family;
use crate::{Error, Level, Means, create, stack};
use serde_json::{Value, json};
use wire::call::Service::Iam;

/// The thumbprint that IAM asks for and, for EKS's issuers, doesn't look at.
/// <https://docs.aws.amazon.com/IAM/latest/UserGuide/id_roles_providers_create_oidc_verify-thumbprint.html>
const THUMBPRINT: &str = "9e99a48a9960b14926bb7f3b02e22da2b0ab7280";

/// The ARN of the identity provider of a cluster in IAM, if there is one.
pub(crate) fn provider(means: &dyn Means, cluster: &Value) -> Result<Option<String>, Error> {
    let issuer = cluster
        .pointer("/identity/oidc/issuer")
        .and_then(Value::as_str)
        .unwrap_or_default();
    let issuer = issuer.trim_start_matches("https://");
    let answer = means.call(Iam, "ListOpenIDConnectProviders", json!({}))?;
    let all = answer
        .get("OpenIDConnectProviderList")
        .and_then(Value::as_array)
        .cloned();
    let arns = all.unwrap_or_default().into_iter();
    let mut arns = arns.filter_map(|of| Some(of.get("Arn")?.as_str()?.to_owned()));
    Ok(arns.find(|arn| arn.ends_with(&format!("oidc-provider/{issuer}"))))
}

/// Makes IAM trust the cluster's tokens; gives the provider's ARN.
///
/// # Errors
/// There is no such cluster, or IAM refuses.
pub fn associate_provider(means: &dyn Means, name: &str) -> Result<String, Error> {
    let cluster = create::describe(means, name)?;
    if let Some(arn) = provider(means, &cluster)? {
        let line =
            format!("IAM Open ID Connect provider is already associated with cluster \"{name}\"");
        means.say(Level::Info, &line);
        return Ok(arn);
    }
    let given = json!({
        "Url": cluster.pointer("/identity/oidc/issuer"),
        "ClientIDList": ["sts.amazonaws.com"],
        "ThumbprintList": [THUMBPRINT],
    });
    let answer = means.call(Iam, "CreateOpenIDConnectProvider", given)?;
    let arn = answer
        .get("OpenIDConnectProviderArn")
        .and_then(Value::as_str)
        .unwrap_or_default();
    let line = format!("created IAM Open ID Connect provider for cluster \"{name}\"");
    means.say(Level::Success, &line);
    Ok(arn.to_owned())
}

/// Shows a cluster's stacks.
///
/// # Errors
/// CloudFormation refuses.
pub fn describe_stacks(means: &dyn Means, cluster: &str) -> Result<(), Error> {
    let stacks = stack::of_cluster(means, cluster)?;
    if stacks.is_empty() {
        return Err(Error::Invalid(format!(
            "no eksctl-managed CloudFormation stacks found for {cluster:?}"
        )));
    }
    for stack in stacks {
        let text = serde_json::to_string_pretty(stack.value()).unwrap_or_default();
        means.say(
            Level::Info,
            &format!("stack \"{}\" is {}", stack.name, stack.status),
        );
        means.print(&text);
    }
    Ok(())
}

/// Writes a cluster's kubeconfig.
///
/// # Errors
/// There is no such cluster, or the file can't be written.
pub fn write_kubeconfig(means: &dyn Means, cluster: &str, region: &str) -> Result<(), Error> {
    let described = create::describe(means, cluster)?;
    let path = means.write_kubeconfig(&described, region)?;
    means.say(Level::Success, &format!("saved kubeconfig as \"{path}\""));
    Ok(())
}

/// What nodes of an unmanaged group are told at boot, in base64: nodeadm's configuration, or the script that
/// images of Amazon Linux 2 have.
/// <https://awslabs.github.io/amazon-eks-ami/nodeadm/>
pub(crate) fn user_data(cluster: &Value, group: &str, family: Family) -> String {
    let text = |pointer: &str| {
        cluster
            .pointer(pointer)
            .and_then(Value::as_str)
            .unwrap_or_default()
    };
    let name = text("/name");
    let labels =
        format!("alpha.eksctl.io/cluster-name={name},alpha.eksctl.io/nodegroup-name={group}");
    if family == Family::AmazonLinux2 {
        let (endpoint, authority) = (text("/endpoint"), text("/certificateAuthority/data"));
        let script = format!(
            "#!/bin/bash\n/etc/eks/bootstrap.sh {name} --kubelet-extra-args '--node-labels={labels}' --b64-cluster-ca {authority} --apiserver-endpoint {endpoint}\n"
        );
        return base64(script.as_bytes());
    }
    let config = json!({
        "apiVersion": "node.eks.aws/v1alpha1",
        "kind": "NodeConfig",
        "spec": {
            "cluster": {
                "name": name,
                "apiServerEndpoint": text("/endpoint"),
                "certificateAuthority": text("/certificateAuthority/data"),
                "cidr": text("/kubernetesNetworkConfig/serviceIpv4Cidr"),
            },
            "kubelet": { "flags": [format!("--node-labels={labels}")] },
        },
    });
    let config = serde_norway::to_string(&config).unwrap_or_default();
    let document = format!(
        "MIME-Version: 1.0\nContent-Type: multipart/mixed; boundary=//\n\n--//\nContent-Type: application/node.eks.aws\n\n{config}\n--//--\n"
    );
    base64(document.as_bytes())
}

fn base64(bytes: &[u8]) -> String {
    use base64::Engine;
    base64::engine::general_purpose::STANDARD.encode(bytes)
}

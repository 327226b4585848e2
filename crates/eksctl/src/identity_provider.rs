//! IAM's trust in the tokens of a cluster's service accounts.

use crate::{Error, Level, Means, create};
use serde_json::{Value, json};
use wire::call::Service::Iam;

/// The thumbprint that IAM asks for and, for EKS's issuers, doesn't look at.
/// <https://docs.aws.amazon.com/IAM/latest/UserGuide/id_roles_providers_create_oidc_verify-thumbprint.html>
const THUMBPRINT: &str = "9e99a48a9960b14926bb7f3b02e22da2b0ab7280";

/// The ARN of the identity provider of a cluster in IAM, if there is one.
pub(crate) fn find(means: &dyn Means, cluster: &Value) -> Result<Option<String>, Error> {
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
pub fn associate(means: &dyn Means, name: &str) -> Result<String, Error> {
    let cluster = create::describe(means, name)?;
    if let Some(arn) = find(means, &cluster)? {
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

//! `create iamserviceaccount` and `delete iamserviceaccount`.
//!
//! <https://docs.aws.amazon.com/eks/latest/eksctl/iamserviceaccounts.html>

use crate::config::ServiceAccount;
use crate::template::account_stack;
use crate::{Error, Level, Means, create, identity_provider, stack, template};
use serde_json::{Value, json};

/// The annotation by which pods with the account get the role.
const ROLE: &str = "eks.amazonaws.com/role-arn";

/// Makes a role and the service account that has it; one that is there is changed only if that is wanted.
///
/// # Errors
/// IAM doesn't trust the cluster's tokens yet, or something can't be made.
pub fn create(
    means: &dyn Means,
    cluster: &str,
    account: &ServiceAccount,
    overriding: bool,
) -> Result<(), Error> {
    let (namespace, name) = (&account.metadata.namespace, &account.metadata.name);
    let of = format!("{namespace}/{name}");
    let line =
        format!("1 iamserviceaccount ({of}) was included (based on the include/exclude rules)");
    means.say(Level::Info, &line);
    if overriding {
        means.say(Level::Warning, "metadata of serviceaccounts that exist in Kubernetes will be updated, as --override-existing-serviceaccounts was set");
    }
    let described = create::describe(means, cluster)?;
    let provider = identity_provider::find(means, &described)?.ok_or_else(|| {
        Error::Invalid("unable to create iamserviceaccount(s) without IAM OIDC provider enabled; run: utils associate-iam-oidc-provider --approve".to_owned())
    })?;
    means.say(Level::Info, &format!("1 task: {{ 2 sequential sub-tasks: {{ create IAM role for serviceaccount \"{of}\", create serviceaccount \"{of}\" }} }}"));
    let stack_name = account_stack(cluster, namespace, name);
    means.say(
        Level::Info,
        &format!("building iamserviceaccount stack \"{stack_name}\""),
    );
    let text = template::service_account(account, &provider);
    let tags = [("alpha.eksctl.io/iamserviceaccount-name", of.as_str())];
    let stack = stack::deploy(means, cluster, &stack_name, &text, &tags)?;
    let role = stack.output("Role1").unwrap_or_default();
    if account.role_only {
        return Ok(());
    }
    annotate(means, &described, account, &role, overriding)?;
    means.say(Level::Info, &format!("created serviceaccount \"{of}\""));
    Ok(())
}

/// Makes the service account, or gives the one that is there the role.
fn annotate(
    means: &dyn Means,
    cluster: &Value,
    account: &ServiceAccount,
    role: &str,
    overriding: bool,
) -> Result<(), Error> {
    let (namespace, name) = (&account.metadata.namespace, &account.metadata.name);
    let all = format!("/api/v1/namespaces/{namespace}/serviceaccounts");
    let one = format!("{all}/{name}");
    let metadata = json!({
        "name": name,
        "namespace": namespace,
        "annotations": { ROLE: role },
        "labels": { "app.kubernetes.io/managed-by": "eksctl" },
    });
    if means
        .kubernetes(cluster, "GET", &one, &Value::Null)?
        .is_some()
    {
        if !overriding {
            return Err(Error::Invalid(format!(
                "serviceaccount {namespace}/{name} exists; use --override-existing-serviceaccounts"
            )));
        }
        means.kubernetes(cluster, "PATCH", &one, &json!({ "metadata": metadata }))?;
        return Ok(());
    }
    let space = format!("/api/v1/namespaces/{namespace}");
    if means
        .kubernetes(cluster, "GET", &space, &Value::Null)?
        .is_none()
    {
        let object =
            json!({ "apiVersion": "v1", "kind": "Namespace", "metadata": { "name": namespace } });
        means.kubernetes(cluster, "POST", "/api/v1/namespaces", &object)?;
        means.say(Level::Info, &format!("created namespace \"{namespace}\""));
    }
    let object = json!({ "apiVersion": "v1", "kind": "ServiceAccount", "metadata": metadata });
    means.kubernetes(cluster, "POST", &all, &object)?;
    Ok(())
}

/// Deletes a service account and its role.
///
/// # Errors
/// There is no such cluster, or something can't be deleted.
pub fn delete(means: &dyn Means, cluster: &str, namespace: &str, name: &str) -> Result<(), Error> {
    let described = create::describe(means, cluster)?;
    stack::delete(means, &account_stack(cluster, namespace, name), true)?;
    let path = format!("/api/v1/namespaces/{namespace}/serviceaccounts/{name}");
    means.kubernetes(&described, "DELETE", &path, &Value::Null)?;
    means.say(
        Level::Info,
        &format!("deleted serviceaccount \"{namespace}/{name}\""),
    );
    Ok(())
}

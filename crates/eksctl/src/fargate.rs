//! `create fargateprofile`, `get fargateprofile`, `delete fargateprofile`.
//!
//! <https://docs.aws.amazon.com/eks/latest/eksctl/fargate.html>

use crate::config::FargateProfile;
use crate::template::fargate_stack;
use crate::{Error, Level, Means, create, stack, template};
use serde_json::{Value, json};
use std::time::Duration;
use wire::call::Service::Eks;

/// How long a profile is awaited, in seconds.
const TIMEOUT: i64 = 15 * 60;
/// The output of the stack that has the pods' role.
pub(crate) const ROLE: &str = "FargatePodExecutionRoleARN";

/// The profile that `--fargate` means: pods of these namespaces.
pub fn usual() -> FargateProfile {
    let selectors = ["default", "kube-system"].map(|namespace| crate::config::FargateSelector {
        namespace: namespace.to_owned(),
        ..Default::default()
    });
    FargateProfile {
        name: "fp-default".to_owned(),
        selectors: selectors.to_vec(),
        ..FargateProfile::default()
    }
}

/// Makes profiles of a cluster, one after another, and the role of their pods if it isn't there.
///
/// # Errors
/// There is no such cluster, or a profile can't be made.
pub fn create(means: &dyn Means, cluster: &str, profiles: &[FargateProfile]) -> Result<(), Error> {
    create::describe(means, cluster)?;
    for profile in profiles {
        let role = match &profile.pod_execution_role_arn {
            Some(role) => role.clone(),
            None => role(means, cluster)?,
        };
        let name = &profile.name;
        let line =
            |word: &str| format!("{word} Fargate profile \"{name}\" on EKS cluster \"{cluster}\"");
        means.say(Level::Info, &line("creating"));
        let selectors = profile
            .selectors
            .iter()
            .map(|of| json!({ "namespace": of.namespace, "labels": of.labels }));
        let given = json!({
            "clusterName": cluster,
            "fargateProfileName": name,
            "podExecutionRoleArn": role,
            "subnets": profile.subnets,
            "selectors": selectors.collect::<Value>(),
            "tags": profile.tags,
        });
        means.call(Eks, "CreateFargateProfile", given)?;
        settle(means, cluster, name)?;
        means.say(Level::Info, &line("created"));
    }
    Ok(())
}

/// As [`create()`], but for those that are there.
///
/// # Errors
/// As [`create()`].
pub fn create_missing(
    means: &dyn Means,
    cluster: &str,
    profiles: &[FargateProfile],
) -> Result<(), Error> {
    let there = names(means, cluster)?;
    let missing = profiles.iter().filter(|of| !there.contains(&of.name));
    create(means, cluster, &missing.cloned().collect::<Vec<_>>())
}

/// The role of a cluster's pods on Fargate; its stack is made if it isn't there.
fn role(means: &dyn Means, cluster: &str) -> Result<String, Error> {
    let name = fargate_stack(cluster);
    let found = match stack::find(means, &name)? {
        Some(found) => found,
        None => stack::deploy(means, cluster, &name, &template::fargate(), &[])?,
    };
    let none = || Error::Invalid(format!("stack {name:?} has no output {ROLE}"));
    found.output(ROLE).ok_or_else(none)
}

/// Waits until a profile is what it is to be, or gone.
fn settle(means: &dyn Means, cluster: &str, name: &str) -> Result<(), Error> {
    let begun = means.now();
    let given = json!({ "clusterName": cluster, "fargateProfileName": name });
    loop {
        let answer = match means.call(Eks, "DescribeFargateProfile", given.clone()) {
            Err(error) if error.code() == Some("ResourceNotFoundException") => return Ok(()),
            answered => answered?,
        };
        let status = answer.pointer("/fargateProfile/status");
        match status.and_then(Value::as_str) {
            Some("ACTIVE") => return Ok(()),
            _ if means.now() - begun > TIMEOUT => {
                return Err(Error::TimedOut(format!("Fargate profile {name:?}")));
            }
            _ => means.wait(Duration::from_millis(500)),
        }
    }
}

/// Deletes a profile.
///
/// # Errors
/// There is none of that name.
pub fn delete(means: &dyn Means, cluster: &str, name: &str) -> Result<(), Error> {
    let given = json!({ "clusterName": cluster, "fargateProfileName": name });
    means.call(Eks, "DeleteFargateProfile", given)?;
    settle(means, cluster, name)?;
    let line = format!("deleted Fargate profile \"{name}\" on EKS cluster \"{cluster}\"");
    means.say(Level::Info, &line);
    Ok(())
}

/// Deletes all profiles of a cluster: it can't be deleted before.
pub(crate) fn delete_all(means: &dyn Means, cluster: &str) -> Result<(), Error> {
    for name in names(means, cluster)? {
        delete(means, cluster, &name)?;
    }
    Ok(())
}

/// The names of a cluster's profiles.
pub(crate) fn names(means: &dyn Means, cluster: &str) -> Result<Vec<String>, Error> {
    let answer = means.call(
        Eks,
        "ListFargateProfiles",
        json!({ "clusterName": cluster }),
    )?;
    let list = answer.get("fargateProfileNames").and_then(Value::as_array);
    let names = list.into_iter().flatten().filter_map(Value::as_str);
    Ok(names.map(str::to_owned).collect())
}

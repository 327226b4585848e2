//! `get`: what there is, as a table or as JSON.

use crate::{Error, Level, Means, stack};
use serde_json::{Value, json};
use wire::call::Service::Eks;

fn text(of: &Value, pointer: &str) -> String {
    match of.pointer(pointer) {
        Some(Value::String(text)) => text.clone(),
        Some(Value::Null) | None => String::new(),
        Some(other) => other.to_string(),
    }
}

/// Writes a table: columns as wide as their widest cell.
fn table(means: &dyn Means, rows: &[Vec<String>]) {
    let columns = rows.iter().map(Vec::len).max().unwrap_or(0);
    let width = |column: usize| {
        rows.iter()
            .filter_map(|row| row.get(column))
            .map(String::len)
            .max()
    };
    let widths: Vec<usize> = (0..columns)
        .map(|column| width(column).unwrap_or(0))
        .collect();
    for row in rows {
        let cells = row
            .iter()
            .zip(&widths)
            .map(|(cell, width)| format!("{cell:<width$}"));
        means.print(cells.collect::<Vec<_>>().join("  ").trim_end());
    }
}

fn show(
    means: &dyn Means,
    json: bool,
    values: &[Value],
    head: &[&str],
    row: impl Fn(&Value) -> Vec<String>,
) {
    if json {
        means.print(&serde_json::to_string_pretty(values).unwrap_or_default());
        return;
    }
    let head = head.iter().map(|cell| (*cell).to_owned()).collect();
    let rows: Vec<Vec<String>> = [head].into_iter().chain(values.iter().map(row)).collect();
    table(means, &rows);
}

fn names(answer: &Value, member: &str) -> Vec<String> {
    let list = answer
        .get(member)
        .and_then(Value::as_array)
        .cloned()
        .unwrap_or_default();
    list.iter()
        .filter_map(Value::as_str)
        .map(str::to_owned)
        .collect()
}

/// Shows clusters.
///
/// # Errors
/// EKS refuses.
pub fn clusters(
    means: &dyn Means,
    region: &str,
    only: Option<&str>,
    json: bool,
) -> Result<(), Error> {
    let all = names(&means.call(Eks, "ListClusters", json!({}))?, "clusters");
    let mut found = Vec::new();
    for name in all
        .iter()
        .filter(|name| only.is_none_or(|only| only == *name))
    {
        found.push(crate::create::describe(means, name)?);
    }
    if let (Some(only), true) = (only, found.is_empty()) {
        return Err(Error::Invalid(format!("no cluster {only:?} in {region}")));
    }
    show(
        means,
        json,
        &found,
        &["NAME", "REGION", "VERSION", "STATUS"],
        |of| {
            vec![
                text(of, "/name"),
                region.to_owned(),
                text(of, "/version"),
                text(of, "/status"),
            ]
        },
    );
    Ok(())
}

/// Shows a cluster's node groups: managed ones, and the stacks of others.
///
/// # Errors
/// There is no such cluster.
pub fn node_groups(means: &dyn Means, cluster: &str, json: bool) -> Result<(), Error> {
    let given = json!({ "clusterName": cluster });
    let mut found = Vec::new();
    for name in names(&means.call(Eks, "ListNodegroups", given)?, "nodegroups") {
        let given = json!({ "clusterName": cluster, "nodegroupName": name });
        let answer = means.call(Eks, "DescribeNodegroup", given)?;
        let of = answer.get("nodegroup").cloned().unwrap_or(Value::Null);
        found.push(json!({
            "Cluster": cluster,
            "Name": name,
            "Status": of.get("status"),
            "MinSize": of.pointer("/scalingConfig/minSize"),
            "MaxSize": of.pointer("/scalingConfig/maxSize"),
            "DesiredCapacity": of.pointer("/scalingConfig/desiredSize"),
            "InstanceType": of.pointer("/instanceTypes/0"),
            "AutoScalingGroupName": of.pointer("/resources/autoScalingGroups/0/name"),
            "Type": "managed",
        }));
    }
    let prefix = crate::template::group_stack(cluster, "");
    for stack in stack::of_cluster(means, cluster)? {
        let Some(name) = stack.name.strip_prefix(&prefix) else {
            continue;
        };
        if !found
            .iter()
            .any(|of| of.get("Name").and_then(Value::as_str) == Some(name))
        {
            found.push(json!({ "Cluster": cluster, "Name": name, "Status": stack.status, "Type": "unmanaged" }));
        }
    }
    let head = [
        "CLUSTER",
        "NODEGROUP",
        "STATUS",
        "MIN SIZE",
        "MAX SIZE",
        "DESIRED CAPACITY",
        "INSTANCE TYPE",
        "ASG NAME",
        "TYPE",
    ];
    let members = [
        "Cluster",
        "Name",
        "Status",
        "MinSize",
        "MaxSize",
        "DesiredCapacity",
        "InstanceType",
        "AutoScalingGroupName",
        "Type",
    ];
    show(means, json, &found, &head, |of| {
        members
            .iter()
            .map(|member| text(of, &format!("/{member}")))
            .collect()
    });
    Ok(())
}

/// Shows a cluster's add-ons.
///
/// # Errors
/// There is no such cluster.
pub fn addons(means: &dyn Means, cluster: &str, json: bool) -> Result<(), Error> {
    let given = json!({ "clusterName": cluster });
    let mut found = Vec::new();
    for name in names(&means.call(Eks, "ListAddons", given)?, "addons") {
        let given = json!({ "clusterName": cluster, "addonName": name });
        let answer = means.call(Eks, "DescribeAddon", given)?;
        found.push(answer.get("addon").cloned().unwrap_or(Value::Null));
    }
    show(
        means,
        json,
        &found,
        &["NAME", "VERSION", "STATUS", "ISSUES", "IAMROLE"],
        |of| {
            let issues = of
                .pointer("/health/issues")
                .and_then(Value::as_array)
                .map_or(0, Vec::len);
            vec![
                text(of, "/addonName"),
                text(of, "/addonVersion"),
                text(of, "/status"),
                issues.to_string(),
                text(of, "/serviceAccountRoleArn"),
            ]
        },
    );
    Ok(())
}

/// Shows service accounts with roles.
///
/// # Errors
/// CloudFormation refuses.
pub fn service_accounts(means: &dyn Means, cluster: &str, json: bool) -> Result<(), Error> {
    let prefix = crate::template::account_stack(cluster, "", "");
    let prefix = prefix.trim_end_matches('-').to_owned() + "-";
    let stacks = stack::of_cluster(means, cluster)?;
    let found: Vec<Value> = stacks
        .iter()
        .filter(|stack| stack.name.starts_with(&prefix))
        .map(|stack| {
            let of = stack
                .tag("alpha.eksctl.io/iamserviceaccount-name")
                .unwrap_or_default();
            let (namespace, name) = of.split_once('/').unwrap_or(("", of));
            json!({ "namespace": namespace, "name": name, "roleARN": stack.output("Role1") })
        })
        .collect();
    show(
        means,
        json,
        &found,
        &["NAMESPACE", "NAME", "ROLE ARN"],
        |of| {
            vec![
                text(of, "/namespace"),
                text(of, "/name"),
                text(of, "/roleARN"),
            ]
        },
    );
    Ok(())
}

/// Shows a cluster's stacks.
///
/// # Errors
/// CloudFormation refuses.
pub fn stacks(means: &dyn Means, cluster: &str) -> Result<(), Error> {
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

/// Shows a cluster's profiles of Fargate.
///
/// # Errors
/// There is no such cluster.
pub fn fargate_profiles(means: &dyn Means, cluster: &str, json: bool) -> Result<(), Error> {
    let mut found = Vec::new();
    for name in crate::fargate::names(means, cluster)? {
        let given = json!({ "clusterName": cluster, "fargateProfileName": name });
        let answer = means.call(Eks, "DescribeFargateProfile", given)?;
        found.extend(answer.get("fargateProfile").cloned());
    }
    let head = [
        "NAME",
        "SELECTOR_NAMESPACE",
        "SELECTOR_LABELS",
        "POD_EXECUTION_ROLE_ARN",
        "STATUS",
    ];
    show(means, json, &found, &head, |of| {
        let first = |name: &str| text(of, &format!("/selectors/0/{name}"));
        vec![
            text(of, "/fargateProfileName"),
            first("namespace"),
            first("labels"),
            text(of, "/podExecutionRoleArn"),
            text(of, "/status"),
        ]
    });
    Ok(())
}

/// Shows whom a cluster's map knows principals of IAM as.
///
/// # Errors
/// There is no such cluster, or its map can't be read.
pub fn identity_mappings(means: &dyn Means, cluster: &str, json: bool) -> Result<(), Error> {
    let all = crate::identity_mapping::all(means, cluster)?;
    let found: Vec<Value> = all.iter().map(|of| json!(of)).collect();
    show(means, json, &found, &["ARN", "USERNAME", "GROUPS"], |of| {
        let arn = match text(of, "/rolearn") {
            empty if empty.is_empty() => text(of, "/userarn"),
            arn => arn,
        };
        let groups = names(of, "groups").join(",");
        vec![arn, text(of, "/username"), groups]
    });
    Ok(())
}

//! `scale nodegroup` and `upgrade cluster`.

use crate::{Error, Level, Means, create};
use serde_json::{Value, json};
use std::time::Duration;
use wire::call::Service::{AutoScaling, Eks};

/// How long an update is awaited, in seconds.
const TIMEOUT: i64 = 40 * 60;

/// Sets how many nodes a group has.
///
/// # Errors
/// There is no such group, or the numbers can't be.
pub fn scale(
    means: &dyn Means,
    cluster: &str,
    group: &str,
    sizes: (Option<i64>, Option<i64>, Option<i64>),
) -> Result<(), Error> {
    let (least, wanted, most) = sizes;
    means.say(
        Level::Info,
        &format!("scaling nodegroup \"{group}\" in cluster {cluster}"),
    );
    let given = json!({
        "clusterName": cluster,
        "nodegroupName": group,
        "scalingConfig": { "minSize": least, "desiredSize": wanted, "maxSize": most },
    });
    match means.call(Eks, "UpdateNodegroupConfig", given) {
        Ok(_) => {}
        Err(error) if error.code() == Some("ResourceNotFoundException") => {
            scale_unmanaged(means, cluster, group, sizes)?;
        }
        Err(error) => return Err(error),
    }
    means.say(Level::Success, "nodegroup successfully scaled");
    Ok(())
}

/// A group that EKS doesn't manage is an Auto Scaling group that has the group's name as a tag.
fn scale_unmanaged(
    means: &dyn Means,
    cluster: &str,
    group: &str,
    (least, wanted, most): (Option<i64>, Option<i64>, Option<i64>),
) -> Result<(), Error> {
    let stack = crate::template::group_stack(cluster, group);
    let given = json!({ "StackName": stack, "LogicalResourceId": "NodeGroup" });
    let answer = means.call(
        wire::call::Service::CloudFormation,
        "DescribeStackResource",
        given,
    )?;
    let name = answer
        .pointer("/StackResourceDetail/PhysicalResourceId")
        .cloned();
    let given = json!({
        "AutoScalingGroupName": name.unwrap_or(Value::Null),
        "MinSize": least,
        "DesiredCapacity": wanted,
        "MaxSize": most,
    });
    means
        .call(AutoScaling, "UpdateAutoScalingGroup", given)
        .map(drop)
}

/// Brings a cluster's control plane to a Kubernetes version, the next one if none is named.
///
/// # Errors
/// There is no such cluster or version.
pub fn upgrade(
    means: &dyn Means,
    cluster: &str,
    version: Option<&str>,
    approve: bool,
) -> Result<(), Error> {
    let described = create::describe(means, cluster)?;
    let current = described
        .get("version")
        .and_then(Value::as_str)
        .unwrap_or_default();
    let next = current
        .split_once('.')
        .and_then(|(major, minor)| Some(format!("{major}.{}", minor.parse::<u32>().ok()? + 1)));
    let target = version.map(str::to_owned).or(next).unwrap_or_default();
    if target == current {
        means.say(
            Level::Info,
            &format!("no cluster version update required, it is {current}"),
        );
        return Ok(());
    }
    means.say(Level::Info, &format!("will upgrade cluster \"{cluster}\" control plane from current version \"{current}\" to \"{target}\""));
    if !approve {
        means.say(
            Level::Warning,
            "no changes were applied, run again with '--approve' to apply the changes",
        );
        return Ok(());
    }
    let given = json!({ "name": cluster, "version": target });
    let answer = means.call(Eks, "UpdateClusterVersion", given)?;
    let update = answer.pointer("/update/id").cloned().unwrap_or(Value::Null);
    let begun = means.now();
    loop {
        let given = json!({ "name": cluster, "updateId": update });
        let answer = means.call(Eks, "DescribeUpdate", given)?;
        match answer.pointer("/update/status").and_then(Value::as_str) {
            Some("Successful") => break,
            Some("InProgress") if means.now() - begun <= TIMEOUT => {
                means.wait(Duration::from_millis(500));
            }
            _ => {
                return Err(Error::TimedOut(format!(
                    "the update of cluster {cluster:?}"
                )));
            }
        }
    }
    means.say(
        Level::Success,
        &format!("cluster \"{cluster}\" control plane has been upgraded to version \"{target}\""),
    );
    Ok(())
}

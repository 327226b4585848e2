//! Instances.

use super::ask::{Ask, renamed};
use super::{Kind, fixed, live, tags};
use crate::step::{ID, Step, Steps, id};
use serde_json::{Value, json};
use wire::call::Service::Ec2;

pub(super) const KINDS: &[Kind] = &[Kind {
    name: "AWS::EC2::Instance",
    properties: &[
        fixed("AvailabilityZone"),
        fixed("BlockDeviceMappings"),
        live("CreditSpecification"),
        live("DisableApiTermination"),
        fixed("EbsOptimized"),
        fixed("IamInstanceProfile"),
        fixed("ImageId"),
        live("InstanceInitiatedShutdownBehavior"),
        fixed("InstanceType"),
        fixed("KeyName"),
        fixed("LaunchTemplate"),
        fixed("Monitoring"),
        fixed("NetworkInterfaces"),
        fixed("PrivateIpAddress"),
        live("SecurityGroupIds"),
        fixed("SecurityGroups"),
        live("SourceDestCheck"),
        fixed("SubnetId"),
        fixed("UserData"),
        live("Tags"),
    ],
    attributes: &[
        "AvailabilityZone",
        "InstanceId",
        "PrivateDnsName",
        "PrivateIp",
        "PublicDnsName",
        "PublicIp",
        "VpcId",
    ],
    create,
    update,
    delete,
}];

/// The names of members as RunInstances takes them.
fn wire_name(name: &str) -> String {
    match name {
        "GroupSet" => "SecurityGroupId",
        "Ipv4Prefixes" => "Ipv4Prefix",
        other => other,
    }
    .to_owned()
}

fn describe(id: Value) -> Step {
    Step::new(Ec2, "DescribeInstances", json!({ "InstanceId": [id] }))
}

fn create(ask: &Ask<'_>) -> Steps {
    let zone = ask
        .text("AvailabilityZone")
        .map(|zone| json!({ "AvailabilityZone": zone }));
    let profile = ask
        .text("IamInstanceProfile")
        .map(|name| json!({ "Name": name }));
    let monitoring = ask.truth("Monitoring").map(|on| json!({ "Enabled": on }));
    let given = json!({
        "MinCount": 1,
        "MaxCount": 1,
        "BlockDeviceMapping": ask.get("BlockDeviceMappings"),
        "CreditSpecification": ask.get("CreditSpecification"),
        "DisableApiTermination": ask.get("DisableApiTermination"),
        "EbsOptimized": ask.get("EbsOptimized"),
        "IamInstanceProfile": profile,
        "ImageId": ask.get("ImageId"),
        "InstanceInitiatedShutdownBehavior": ask.get("InstanceInitiatedShutdownBehavior"),
        "InstanceType": ask.get("InstanceType"),
        "KeyName": ask.get("KeyName"),
        "LaunchTemplate": ask.get("LaunchTemplate"),
        "Monitoring": monitoring,
        "NetworkInterface": renamed(&ask.get("NetworkInterfaces"), &wire_name),
        "Placement": zone,
        "PrivateIpAddress": ask.get("PrivateIpAddress"),
        "SecurityGroupId": ask.get("SecurityGroupIds"),
        "SecurityGroup": ask.get("SecurityGroups"),
        "SubnetId": ask.get("SubnetId"),
        "UserData": ask.get("UserData"),
        "TagSpecification": tags::specification(ask, "instance"),
    });
    let made = Step::new(Ec2, "RunInstances", given)
        .learns(ID, "/instancesSet/0/instanceId")
        .learns("InstanceId", "/instancesSet/0/instanceId")
        .tagged("instance", ID);
    let at = "/reservationSet/0/instancesSet/0";
    let running = describe(id())
        .until(
            format!("{at}/instanceState/name"),
            &["running"],
            &["terminated", "shutting-down", "stopped"],
        )
        .because("/reservationSet/0/instancesSet/0/stateReason/message")
        .learns(
            "AvailabilityZone",
            format!("{at}/placement/availabilityZone"),
        )
        .learns("PrivateDnsName", format!("{at}/privateDnsName"))
        .learns("PrivateIp", format!("{at}/privateIpAddress"))
        .learns("VpcId", format!("{at}/vpcId"))
        .perhaps("PublicDnsName", format!("{at}/dnsName"))
        .perhaps("PublicIp", format!("{at}/ipAddress"));
    let mut steps = vec![made, running];
    if ask.truth("SourceDestCheck") == Some(false) {
        steps.push(modify(
            json!({ "InstanceId": id(), "SourceDestCheck": { "Value": false } }),
        ));
    }
    Ok(steps)
}

fn modify(given: Value) -> Step {
    Step::new(Ec2, "ModifyInstanceAttribute", given)
}

fn update(ask: &Ask<'_>) -> Steps {
    let instance = ask.id();
    let mut steps = Vec::new();
    for (name, usual) in [("DisableApiTermination", false), ("SourceDestCheck", true)] {
        if ask.changed(name) {
            let value = ask.truth(name).unwrap_or(usual);
            steps.push(modify(
                json!({ "InstanceId": instance, name: { "Value": value } }),
            ));
        }
    }
    if ask.changed("InstanceInitiatedShutdownBehavior") {
        let value = ask.text("InstanceInitiatedShutdownBehavior");
        let value = value.unwrap_or_else(|| "stop".to_owned());
        let behaviour = json!({ "Value": value });
        steps.push(modify(json!({
            "InstanceId": instance,
            "InstanceInitiatedShutdownBehavior": behaviour,
        })));
    }
    if ask.changed("SecurityGroupIds") {
        let groups = ask.get("SecurityGroupIds");
        steps.push(modify(json!({ "InstanceId": instance, "GroupId": groups })));
    }
    if ask.changed("CreditSpecification") {
        let credits = ask.get("CreditSpecification");
        let credits = credits
            .get("CPUCredits")
            .or_else(|| credits.get("CpuCredits"))
            .cloned();
        let of = json!([{ "InstanceId": instance, "CpuCredits": credits }]);
        let given = json!({ "InstanceCreditSpecification": of });
        steps.push(Step::new(Ec2, "ModifyInstanceCreditSpecification", given));
    }
    steps.extend(tags::ec2_steps(ask, &instance));
    Ok(steps)
}

fn delete(ask: &Ask<'_>) -> Steps {
    let given = json!({ "InstanceId": [ask.id()] });
    let ending =
        Step::new(Ec2, "TerminateInstances", given).tolerates(&["InvalidInstanceID.NotFound"]);
    let ended = describe(Value::from(ask.id()))
        .until(
            "/reservationSet/0/instancesSet/0/instanceState/name",
            &["terminated", "gone"],
            &[],
        )
        .tolerates(&["InvalidInstanceID.NotFound"]);
    Ok(vec![ending, ended])
}

//! Subnets.

use super::ask::{Ask, filter};
use super::{Kind, fixed, live, tags};
use crate::step::{ID, Step, Steps, id};
use serde_json::{Value, json};
use wire::call::Service::Ec2;

pub(super) const KINDS: &[Kind] = &[Kind {
    name: "AWS::EC2::Subnet",
    properties: &[
        fixed("VpcId").required(),
        fixed("CidrBlock").required(),
        fixed("AvailabilityZone"),
        fixed("AvailabilityZoneId"),
        live("MapPublicIpOnLaunch"),
        live("EnableDns64"),
        live("PrivateDnsNameOptionsOnLaunch"),
        live("Tags"),
    ],
    attributes: &[
        "SubnetId",
        "VpcId",
        "AvailabilityZone",
        "CidrBlock",
        "NetworkAclAssociationId",
    ],
    create,
    update,
    delete,
}];

fn create(ask: &Ask<'_>) -> Steps {
    let given = json!({
        "VpcId": ask.get("VpcId"),
        "CidrBlock": ask.get("CidrBlock"),
        "AvailabilityZone": ask.get("AvailabilityZone"),
        "AvailabilityZoneId": ask.get("AvailabilityZoneId"),
        "TagSpecification": tags::specification(ask, "subnet"),
    });
    let made = Step::new(Ec2, "CreateSubnet", given)
        .learns(ID, "/subnet/subnetId")
        .learns("SubnetId", "/subnet/subnetId")
        .learns("VpcId", "/subnet/vpcId")
        .learns("AvailabilityZone", "/subnet/availabilityZone")
        .learns("CidrBlock", "/subnet/cidrBlock")
        .tagged("subnet", ID);
    let mut steps = vec![made];
    steps.extend(attributes(ask, &id()));
    let of_subnet = json!({ "Filter": [filter("association.subnet-id", id())] });
    steps.push(Step::new(Ec2, "DescribeNetworkAcls", of_subnet).learns(
        "NetworkAclAssociationId",
        "/networkAclSet/0/associationSet/[subnetId={Id}]/networkAclAssociationId",
    ));
    Ok(steps)
}

/// What is changed by a call each.
fn attributes(ask: &Ask<'_>, id: &Value) -> Vec<Step> {
    let mut steps = Vec::new();
    for name in ["MapPublicIpOnLaunch", "EnableDns64"] {
        if ask.changed(name) {
            let value = ask.truth(name).unwrap_or(false);
            steps.push(modify(json!({ "SubnetId": id, name: { "Value": value } })));
        }
    }
    if ask.changed("PrivateDnsNameOptionsOnLaunch") {
        let options = ask.get("PrivateDnsNameOptionsOnLaunch");
        if let Some(kind) = options.get("HostnameType") {
            steps.push(modify(
                json!({ "SubnetId": id, "PrivateDnsHostnameTypeOnLaunch": kind }),
            ));
        }
        for name in [
            "EnableResourceNameDnsARecord",
            "EnableResourceNameDnsAAAARecord",
        ] {
            if let Some(value) = options.get(name) {
                let on_launch = format!("{name}OnLaunch");
                steps.push(modify(
                    json!({ "SubnetId": id, on_launch: { "Value": value } }),
                ));
            }
        }
    }
    steps
}

fn modify(given: Value) -> Step {
    Step::new(Ec2, "ModifySubnetAttribute", given)
}

fn update(ask: &Ask<'_>) -> Steps {
    let mut steps = attributes(ask, &Value::from(ask.id()));
    steps.extend(tags::ec2_steps(ask, &ask.id()));
    Ok(steps)
}

fn delete(ask: &Ask<'_>) -> Steps {
    let step = Step::new(Ec2, "DeleteSubnet", json!({ "SubnetId": ask.id() }))
        .tolerates(&["InvalidSubnetID.NotFound"])
        .retries(&["DependencyViolation"]);
    Ok(vec![step])
}

//! Network interfaces and their attachments.

use super::ask::Ask;
use super::{Kind, fixed, live, tags, unchanging};
use crate::step::{ID, Step, Steps, id};
use serde_json::{Value, json};
use wire::call::Service::Ec2;

pub(super) const KINDS: &[Kind] = &[
    Kind {
        name: "AWS::EC2::NetworkInterface",
        properties: &[
            fixed("SubnetId").required(),
            live("Description"),
            live("GroupSet"),
            fixed("PrivateIpAddress"),
            fixed("PrivateIpAddresses"),
            fixed("SecondaryPrivateIpAddressCount"),
            live("SourceDestCheck"),
            live("Tags"),
        ],
        attributes: &["Id", "PrimaryPrivateIpAddress", "VpcId"],
        create,
        update,
        delete,
    },
    Kind {
        name: "AWS::EC2::NetworkInterfaceAttachment",
        properties: &[
            fixed("InstanceId").required(),
            fixed("NetworkInterfaceId").required(),
            fixed("DeviceIndex").required(),
            fixed("DeleteOnTermination"),
        ],
        attributes: &["AttachmentId"],
        create: attach,
        update: unchanging,
        delete: detach,
    },
];

fn create(ask: &Ask<'_>) -> Steps {
    let given = json!({
        "SubnetId": ask.get("SubnetId"),
        "Description": ask.get("Description"),
        "SecurityGroupId": ask.get("GroupSet"),
        "PrivateIpAddress": ask.get("PrivateIpAddress"),
        "PrivateIpAddresses": ask.get("PrivateIpAddresses"),
        "SecondaryPrivateIpAddressCount": ask.get("SecondaryPrivateIpAddressCount"),
        "TagSpecification": tags::specification(ask, "network-interface"),
    });
    let made = Step::new(Ec2, "CreateNetworkInterface", given)
        .learns(ID, "/networkInterface/networkInterfaceId")
        .learns("Id", "/networkInterface/networkInterfaceId")
        .learns("VpcId", "/networkInterface/vpcId")
        .learns(
            "PrimaryPrivateIpAddress",
            "/networkInterface/privateIpAddress",
        )
        .tagged("network-interface", ID);
    let mut steps = vec![made];
    if ask.truth("SourceDestCheck") == Some(false) {
        steps.push(check(&id(), false));
    }
    Ok(steps)
}

fn check(id: &Value, on: bool) -> Step {
    let given = json!({ "NetworkInterfaceId": id, "SourceDestCheck": { "Value": on } });
    Step::new(Ec2, "ModifyNetworkInterfaceAttribute", given)
}

fn update(ask: &Ask<'_>) -> Steps {
    let interface = Value::from(ask.id());
    let mut steps = Vec::new();
    let mut modify = |given| steps.push(Step::new(Ec2, "ModifyNetworkInterfaceAttribute", given));
    if ask.changed("Description") {
        let words = ask.text("Description").unwrap_or_default();
        modify(json!({ "NetworkInterfaceId": interface, "Description": { "Value": words } }));
    }
    if ask.changed("GroupSet") {
        modify(json!({ "NetworkInterfaceId": interface, "SecurityGroupId": ask.get("GroupSet") }));
    }
    if ask.changed("SourceDestCheck") {
        steps.push(check(
            &interface,
            ask.truth("SourceDestCheck").unwrap_or(true),
        ));
    }
    steps.extend(tags::ec2_steps(ask, &ask.id()));
    Ok(steps)
}

fn delete(ask: &Ask<'_>) -> Steps {
    let given = json!({ "NetworkInterfaceId": ask.id() });
    let step = Step::new(Ec2, "DeleteNetworkInterface", given)
        .tolerates(&["InvalidNetworkInterfaceID.NotFound"])
        .retries(&["InvalidParameterValue", "InvalidNetworkInterface.InUse"]);
    Ok(vec![step])
}

fn attach(ask: &Ask<'_>) -> Steps {
    let given = json!({
        "InstanceId": ask.get("InstanceId"),
        "NetworkInterfaceId": ask.get("NetworkInterfaceId"),
        "DeviceIndex": ask.get("DeviceIndex"),
    });
    let made = Step::new(Ec2, "AttachNetworkInterface", given)
        .learns(ID, "/attachmentId")
        .learns("AttachmentId", "/attachmentId");
    let mut steps = vec![made];
    if let Some(with_instance) = ask.truth("DeleteOnTermination") {
        let given = json!({
            "NetworkInterfaceId": ask.get("NetworkInterfaceId"),
            "Attachment": { "AttachmentId": id(), "DeleteOnTermination": with_instance },
        });
        steps.push(Step::new(Ec2, "ModifyNetworkInterfaceAttribute", given));
    }
    Ok(steps)
}

fn detach(ask: &Ask<'_>) -> Steps {
    let given = json!({ "AttachmentId": ask.id(), "Force": true });
    let step = Step::new(Ec2, "DetachNetworkInterface", given)
        .tolerates(&["InvalidAttachmentID.NotFound"]);
    Ok(vec![step])
}

//! Elastic IPs and what they are associated with.

use super::ask::Ask;
use super::{Kind, fixed, live, tags, unchanging};
use crate::step::{ID, Step, Steps, learned};
use serde_json::json;
use wire::call::Service::Ec2;

pub(super) const KINDS: &[Kind] = &[
    Kind {
        name: "AWS::EC2::EIP",
        properties: &[
            fixed("Domain"),
            fixed("InstanceId"),
            fixed("NetworkBorderGroup"),
            live("Tags"),
        ],
        attributes: &["AllocationId", "PublicIp"],
        create,
        update,
        delete,
    },
    Kind {
        name: "AWS::EC2::EIPAssociation",
        properties: &[
            fixed("AllocationId"),
            fixed("EIP"),
            fixed("InstanceId"),
            fixed("NetworkInterfaceId"),
            fixed("PrivateIpAddress"),
        ],
        attributes: &["Id"],
        create: associate,
        update: unchanging,
        delete: disassociate,
    },
];

fn create(ask: &Ask<'_>) -> Steps {
    let given = json!({
        "Domain": "vpc",
        "NetworkBorderGroup": ask.get("NetworkBorderGroup"),
        "TagSpecification": tags::specification(ask, "elastic-ip"),
    });
    let made = Step::new(Ec2, "AllocateAddress", given)
        .learns(ID, "/publicIp")
        .learns("PublicIp", "/publicIp")
        .learns("AllocationId", "/allocationId")
        .tagged("elastic-ip", "AllocationId");
    let mut steps = vec![made];
    if !ask.get("InstanceId").is_null() {
        let given = json!({
            "AllocationId": learned("AllocationId"),
            "InstanceId": ask.get("InstanceId"),
        });
        steps.push(Step::new(Ec2, "AssociateAddress", given));
    }
    Ok(steps)
}

fn update(ask: &Ask<'_>) -> Steps {
    Ok(tags::ec2_steps(ask, &ask.attribute("AllocationId")))
}

fn delete(ask: &Ask<'_>) -> Steps {
    let mut steps = Vec::new();
    if !ask.get("InstanceId").is_null() {
        let given = json!({ "PublicIp": ask.id() });
        steps.push(
            Step::new(Ec2, "DisassociateAddress", given)
                .tolerates(&["InvalidAssociationID.NotFound", "InvalidAddress.NotFound"]),
        );
    }
    let given = json!({ "AllocationId": ask.attribute("AllocationId") });
    steps.push(
        Step::new(Ec2, "ReleaseAddress", given)
            .tolerates(&["InvalidAllocationID.NotFound"])
            .retries(&["InvalidIPAddress.InUse"]),
    );
    Ok(steps)
}

fn associate(ask: &Ask<'_>) -> Steps {
    let given = json!({
        "AllocationId": ask.get("AllocationId"),
        "PublicIp": ask.get("EIP"),
        "InstanceId": ask.get("InstanceId"),
        "NetworkInterfaceId": ask.get("NetworkInterfaceId"),
        "PrivateIpAddress": ask.get("PrivateIpAddress"),
    });
    let step = Step::new(Ec2, "AssociateAddress", given)
        .learns(ID, "/associationId")
        .learns("Id", "/associationId");
    Ok(vec![step])
}

fn disassociate(ask: &Ask<'_>) -> Steps {
    let given = json!({ "AssociationId": ask.id() });
    let step =
        Step::new(Ec2, "DisassociateAddress", given).tolerates(&["InvalidAssociationID.NotFound"]);
    Ok(vec![step])
}

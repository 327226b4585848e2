//! NAT gateways.

use super::ask::Ask;
use super::{Kind, fixed, live, tags};
use crate::step::{ID, Step, Steps, id};
use serde_json::{Value, json};
use wire::call::Service::Ec2;

pub(super) const KINDS: &[Kind] = &[Kind {
    name: "AWS::EC2::NatGateway",
    properties: &[
        fixed("SubnetId").required(),
        fixed("AllocationId"),
        fixed("ConnectivityType"),
        fixed("PrivateIpAddress"),
        live("Tags"),
    ],
    attributes: &["NatGatewayId"],
    create,
    update,
    delete,
}];

fn describe(id: Value) -> Step {
    Step::new(Ec2, "DescribeNatGateways", json!({ "NatGatewayId": [id] }))
}

fn create(ask: &Ask<'_>) -> Steps {
    let given = json!({
        "SubnetId": ask.get("SubnetId"),
        "AllocationId": ask.get("AllocationId"),
        "ConnectivityType": ask.get("ConnectivityType"),
        "PrivateIpAddress": ask.get("PrivateIpAddress"),
        "TagSpecification": tags::specification(ask, "natgateway"),
    });
    let made = Step::new(Ec2, "CreateNatGateway", given)
        .learns(ID, "/natGateway/natGatewayId")
        .learns("NatGatewayId", "/natGateway/natGatewayId")
        .tagged("natgateway", ID);
    let ready = describe(id())
        .until(
            "/natGatewaySet/0/state",
            &["available"],
            &["failed", "deleted", "deleting"],
        )
        .because("/natGatewaySet/0/failureMessage");
    Ok(vec![made, ready])
}

fn update(ask: &Ask<'_>) -> Steps {
    Ok(tags::ec2_steps(ask, &ask.id()))
}

fn delete(ask: &Ask<'_>) -> Steps {
    let given = json!({ "NatGatewayId": ask.id() });
    let going = Step::new(Ec2, "DeleteNatGateway", given)
        .tolerates(&["NatGatewayNotFound", "InvalidNatGatewayID.NotFound"]);
    let gone = describe(Value::from(ask.id()))
        .until("/natGatewaySet/0/state", &["deleted", "gone"], &[])
        .tolerates(&["NatGatewayNotFound", "InvalidNatGatewayID.NotFound"]);
    Ok(vec![going, gone])
}

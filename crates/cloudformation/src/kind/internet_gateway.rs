//! Internet gateways and their attachments.

use super::ask::Ask;
use super::{Kind, fixed, live, tags, unchanging};
use crate::step::{ID, Step, Steps};
use serde_json::{Value, json};
use wire::call::Service::Ec2;

pub(super) const KINDS: &[Kind] = &[
    Kind {
        name: "AWS::EC2::InternetGateway",
        properties: &[live("Tags")],
        attributes: &["InternetGatewayId"],
        create,
        update,
        delete,
    },
    Kind {
        name: "AWS::EC2::VPCGatewayAttachment",
        properties: &[
            fixed("VpcId").required(),
            fixed("InternetGatewayId").required(),
        ],
        attributes: &["AttachmentType"],
        create: attach,
        update: unchanging,
        delete: detach,
    },
];

fn create(ask: &Ask<'_>) -> Steps {
    let given = json!({ "TagSpecification": tags::specification(ask, "internet-gateway") });
    let step = Step::new(Ec2, "CreateInternetGateway", given)
        .learns(ID, "/internetGateway/internetGatewayId")
        .learns("InternetGatewayId", "/internetGateway/internetGatewayId")
        .tagged("internet-gateway", ID);
    Ok(vec![step])
}

fn update(ask: &Ask<'_>) -> Steps {
    Ok(tags::ec2_steps(ask, &ask.id()))
}

fn delete(ask: &Ask<'_>) -> Steps {
    let given = json!({ "InternetGatewayId": ask.id() });
    let step = Step::new(Ec2, "DeleteInternetGateway", given)
        .tolerates(&["InvalidInternetGatewayID.NotFound"])
        .retries(&["DependencyViolation"]);
    Ok(vec![step])
}

fn ends(ask: &Ask<'_>) -> Value {
    json!({ "InternetGatewayId": ask.get("InternetGatewayId"), "VpcId": ask.get("VpcId") })
}

fn attach(ask: &Ask<'_>) -> Steps {
    let name = format!("IGW|{}", ask.required("VpcId")?);
    let step = Step::new(Ec2, "AttachInternetGateway", ends(ask))
        .knows(ID, Value::from(name))
        .knows("AttachmentType", Value::from("IGW"));
    Ok(vec![step])
}

fn detach(ask: &Ask<'_>) -> Steps {
    let step = Step::new(Ec2, "DetachInternetGateway", ends(ask))
        .tolerates(&[
            "Gateway.NotAttached",
            "InvalidInternetGatewayID.NotFound",
            "InvalidVpcID.NotFound",
        ])
        .retries(&["DependencyViolation"]);
    Ok(vec![step])
}

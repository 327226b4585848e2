//! Route tables, routes, and which subnets they are for.

use super::ask::Ask;
use super::{Kind, fixed, live, tags};
use crate::step::{ID, Step, Steps};
use serde_json::{Map, Value, json};
use wire::call::Service::Ec2;

pub(super) const KINDS: &[Kind] = &[
    Kind {
        name: "AWS::EC2::RouteTable",
        properties: &[fixed("VpcId").required(), live("Tags")],
        attributes: &["RouteTableId"],
        create,
        update,
        delete,
    },
    Kind {
        name: "AWS::EC2::Route",
        properties: &[
            fixed("RouteTableId").required(),
            fixed("DestinationCidrBlock"),
            fixed("DestinationPrefixListId"),
            live("GatewayId"),
            live("InstanceId"),
            live("NatGatewayId"),
            live("NetworkInterfaceId"),
        ],
        attributes: &["CidrBlock"],
        create: create_route,
        update: replace_route,
        delete: delete_route,
    },
    Kind {
        name: "AWS::EC2::SubnetRouteTableAssociation",
        properties: &[
            fixed("SubnetId").required(),
            live("RouteTableId").required(),
        ],
        attributes: &["Id"],
        create: associate,
        update: replace_association,
        delete: disassociate,
    },
];

fn create(ask: &Ask<'_>) -> Steps {
    let given = json!({
        "VpcId": ask.get("VpcId"),
        "TagSpecification": tags::specification(ask, "route-table"),
    });
    let step = Step::new(Ec2, "CreateRouteTable", given)
        .learns(ID, "/routeTable/routeTableId")
        .learns("RouteTableId", "/routeTable/routeTableId")
        .tagged("route-table", ID);
    Ok(vec![step])
}

fn update(ask: &Ask<'_>) -> Steps {
    Ok(tags::ec2_steps(ask, &ask.id()))
}

fn delete(ask: &Ask<'_>) -> Steps {
    let step = Step::new(Ec2, "DeleteRouteTable", json!({ "RouteTableId": ask.id() }))
        .tolerates(&["InvalidRouteTableID.NotFound"])
        .retries(&["DependencyViolation"]);
    Ok(vec![step])
}

/// The table and the destination.
fn place(ask: &Ask<'_>) -> Map<String, Value> {
    let names = [
        "RouteTableId",
        "DestinationCidrBlock",
        "DestinationPrefixListId",
    ];
    names
        .into_iter()
        .map(|name| (name.to_owned(), ask.get(name)))
        .collect()
}

fn with_target(ask: &Ask<'_>) -> Value {
    let mut given = place(ask);
    for name in [
        "GatewayId",
        "InstanceId",
        "NatGatewayId",
        "NetworkInterfaceId",
    ] {
        given.insert(name.to_owned(), ask.get(name));
    }
    Value::Object(given)
}

fn create_route(ask: &Ask<'_>) -> Steps {
    let destination = ask
        .text("DestinationCidrBlock")
        .or_else(|| ask.text("DestinationPrefixListId"));
    let destination = destination.ok_or("Property DestinationCidrBlock cannot be empty.")?;
    let name = format!("{}|{destination}", ask.required("RouteTableId")?);
    let step = Step::new(Ec2, "CreateRoute", with_target(ask))
        .knows(ID, Value::from(name))
        .knows("CidrBlock", Value::from(destination));
    Ok(vec![step])
}

fn replace_route(ask: &Ask<'_>) -> Steps {
    Ok(vec![Step::new(Ec2, "ReplaceRoute", with_target(ask))])
}

fn delete_route(ask: &Ask<'_>) -> Steps {
    let step = Step::new(Ec2, "DeleteRoute", Value::Object(place(ask)))
        .tolerates(&["InvalidRoute.NotFound", "InvalidRouteTableID.NotFound"]);
    Ok(vec![step])
}

fn associate(ask: &Ask<'_>) -> Steps {
    let given = json!({ "SubnetId": ask.get("SubnetId"), "RouteTableId": ask.get("RouteTableId") });
    let step = Step::new(Ec2, "AssociateRouteTable", given)
        .learns(ID, "/associationId")
        .learns("Id", "/associationId");
    Ok(vec![step])
}

fn replace_association(ask: &Ask<'_>) -> Steps {
    let given = json!({ "AssociationId": ask.id(), "RouteTableId": ask.get("RouteTableId") });
    let step =
        Step::new(Ec2, "ReplaceRouteTableAssociation", given).learns(ID, "/newAssociationId");
    Ok(vec![step])
}

fn disassociate(ask: &Ask<'_>) -> Steps {
    let given = json!({ "AssociationId": ask.id() });
    let step = Step::new(Ec2, "DisassociateRouteTable", given)
        .tolerates(&["InvalidAssociationID.NotFound"]);
    Ok(vec![step])
}

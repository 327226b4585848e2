//! Network ACLs, their entries, and which subnets they are for.

use super::ask::{Ask, filter};
use super::{Kind, fixed, live, tags, unchanging};
use crate::step::{ID, Step, Steps, learned};
use serde_json::{Value, json};
use wire::call::Service::Ec2;

pub(super) const KINDS: &[Kind] = &[
    Kind {
        name: "AWS::EC2::NetworkAcl",
        properties: &[fixed("VpcId").required(), live("Tags")],
        attributes: &["Id"],
        create,
        update,
        delete,
    },
    Kind {
        name: "AWS::EC2::NetworkAclEntry",
        properties: &[
            fixed("NetworkAclId").required(),
            fixed("RuleNumber").required(),
            fixed("Egress"),
            live("CidrBlock"),
            live("Ipv6CidrBlock"),
            live("Icmp"),
            live("PortRange"),
            live("Protocol").required(),
            live("RuleAction").required(),
        ],
        attributes: &["Id"],
        create: create_entry,
        update: replace_entry,
        delete: delete_entry,
    },
    Kind {
        name: "AWS::EC2::SubnetNetworkAclAssociation",
        properties: &[
            fixed("SubnetId").required(),
            fixed("NetworkAclId").required(),
        ],
        attributes: &["AssociationId"],
        create: associate,
        update: unchanging,
        delete: disassociate,
    },
];

fn create(ask: &Ask<'_>) -> Steps {
    let given = json!({
        "VpcId": ask.get("VpcId"),
        "TagSpecification": tags::specification(ask, "network-acl"),
    });
    let step = Step::new(Ec2, "CreateNetworkAcl", given)
        .learns(ID, "/networkAcl/networkAclId")
        .learns("Id", "/networkAcl/networkAclId")
        .tagged("network-acl", ID);
    Ok(vec![step])
}

fn update(ask: &Ask<'_>) -> Steps {
    Ok(tags::ec2_steps(ask, &ask.id()))
}

fn delete(ask: &Ask<'_>) -> Steps {
    let step = Step::new(Ec2, "DeleteNetworkAcl", json!({ "NetworkAclId": ask.id() }))
        .tolerates(&["InvalidNetworkAclID.NotFound"])
        .retries(&["DependencyViolation"]);
    Ok(vec![step])
}

fn egress(ask: &Ask<'_>) -> bool {
    ask.truth("Egress").unwrap_or(false)
}

fn entry(ask: &Ask<'_>) -> Value {
    json!({
        "NetworkAclId": ask.get("NetworkAclId"),
        "RuleNumber": ask.get("RuleNumber"),
        "Egress": egress(ask),
        "Protocol": ask.get("Protocol"),
        "RuleAction": ask.get("RuleAction"),
        "CidrBlock": ask.get("CidrBlock"),
        "Ipv6CidrBlock": ask.get("Ipv6CidrBlock"),
        "Icmp": ask.get("Icmp"),
        "PortRange": ask.get("PortRange"),
    })
}

fn create_entry(ask: &Ask<'_>) -> Steps {
    let way = if egress(ask) { "egress" } else { "ingress" };
    let name = format!(
        "{}|{way}|{}",
        ask.required("NetworkAclId")?,
        ask.required("RuleNumber")?
    );
    let step = Step::new(Ec2, "CreateNetworkAclEntry", entry(ask))
        .knows("Id", Value::from(name.as_str()))
        .knows(ID, Value::from(name));
    Ok(vec![step])
}

fn replace_entry(ask: &Ask<'_>) -> Steps {
    Ok(vec![Step::new(Ec2, "ReplaceNetworkAclEntry", entry(ask))])
}

fn delete_entry(ask: &Ask<'_>) -> Steps {
    let given = json!({
        "NetworkAclId": ask.get("NetworkAclId"),
        "RuleNumber": ask.get("RuleNumber"),
        "Egress": egress(ask),
    });
    let step = Step::new(Ec2, "DeleteNetworkAclEntry", given).tolerates(&[
        "InvalidNetworkAclEntry.NotFound",
        "InvalidNetworkAclID.NotFound",
    ]);
    Ok(vec![step])
}

/// The ACL of a subnet and the association that makes it so.
fn of_subnet(subnet: &str) -> Step {
    let here = json!({ "Filter": [filter("association.subnet-id", Value::from(subnet))] });
    let association =
        format!("/networkAclSet/0/associationSet/[subnetId={subnet}]/networkAclAssociationId");
    Step::new(Ec2, "DescribeNetworkAcls", here).learns("Association", association)
}

fn replace_association(acl: Value) -> Step {
    let given = json!({ "AssociationId": learned("Association"), "NetworkAclId": acl });
    Step::new(Ec2, "ReplaceNetworkAclAssociation", given)
}

/// Every subnet has an ACL: the association that there is gets another one.
fn associate(ask: &Ask<'_>) -> Steps {
    let replaced = replace_association(ask.get("NetworkAclId"))
        .learns(ID, "/newAssociationId")
        .learns("AssociationId", "/newAssociationId");
    Ok(vec![of_subnet(&ask.required("SubnetId")?), replaced])
}

/// The subnet gets its VPC's own ACL back.
fn disassociate(ask: &Ask<'_>) -> Steps {
    let found = of_subnet(&ask.required("SubnetId")?).learns("Vpc", "/networkAclSet/0/vpcId");
    let of_vpc = [
        filter("vpc-id", learned("Vpc")),
        filter("default", json!("true")),
    ];
    let usual = Step::new(Ec2, "DescribeNetworkAcls", json!({ "Filter": of_vpc }))
        .learns("Default", "/networkAclSet/0/networkAclId");
    Ok(vec![found, usual, replace_association(learned("Default"))])
}

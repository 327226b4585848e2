//! VPCs, what they have besides their first range, and DHCP option sets.

use super::ask::{Ask, filter, member};
use super::{Kind, fixed, live, tags, unchanging};
use crate::step::{ID, Step, Steps, id};
use serde_json::{Value, json};
use wire::call::Service::Ec2;

pub(super) const KINDS: &[Kind] = &[
    Kind {
        name: "AWS::EC2::VPC",
        properties: &[
            fixed("CidrBlock").required(),
            live("EnableDnsSupport"),
            live("EnableDnsHostnames"),
            live("InstanceTenancy"),
            live("Tags"),
        ],
        attributes: &[
            "VpcId",
            "CidrBlock",
            "DefaultSecurityGroup",
            "DefaultNetworkAcl",
        ],
        create,
        update,
        delete,
    },
    Kind {
        name: "AWS::EC2::VPCCidrBlock",
        properties: &[
            fixed("VpcId").required(),
            fixed("CidrBlock"),
            fixed("AmazonProvidedIpv6CidrBlock"),
        ],
        attributes: &["Id", "VpcId"],
        create: associate_block,
        update: unchanging,
        delete: disassociate_block,
    },
    Kind {
        name: "AWS::EC2::DHCPOptions",
        properties: &[
            fixed("DomainName"),
            fixed("DomainNameServers"),
            fixed("NetbiosNameServers"),
            fixed("NetbiosNodeType"),
            fixed("NtpServers"),
            live("Tags"),
        ],
        attributes: &["DhcpOptionsId"],
        create: create_options,
        update: retag,
        delete: delete_options,
    },
    Kind {
        name: "AWS::EC2::VPCDHCPOptionsAssociation",
        properties: &[fixed("VpcId").required(), live("DhcpOptionsId").required()],
        attributes: &[],
        create: associate_options,
        update: associate_options,
        delete: disassociate_options,
    },
];

fn create(ask: &Ask<'_>) -> Steps {
    let given = json!({
        "CidrBlock": ask.get("CidrBlock"),
        "InstanceTenancy": ask.get("InstanceTenancy"),
        "TagSpecification": tags::specification(ask, "vpc"),
    });
    let made = Step::new(Ec2, "CreateVpc", given)
        .learns(ID, "/vpc/vpcId")
        .learns("VpcId", "/vpc/vpcId")
        .learns("CidrBlock", "/vpc/cidrBlock")
        .tagged("vpc", ID);
    let mut steps = vec![made];
    steps.extend(attributes(ask, id()));
    let of_vpc =
        json!({ "Filter": [filter("vpc-id", id()), filter("group-name", json!("default"))] });
    steps.push(
        Step::new(Ec2, "DescribeSecurityGroups", of_vpc)
            .learns("DefaultSecurityGroup", "/securityGroupInfo/0/groupId"),
    );
    let of_vpc = json!({ "Filter": [filter("vpc-id", id()), filter("default", json!("true"))] });
    steps.push(
        Step::new(Ec2, "DescribeNetworkAcls", of_vpc)
            .learns("DefaultNetworkAcl", "/networkAclSet/0/networkAclId"),
    );
    Ok(steps)
}

/// The attributes that are changed by a call each.
fn attributes(ask: &Ask<'_>, id: Value) -> Vec<Step> {
    let changed = ["EnableDnsSupport", "EnableDnsHostnames"].into_iter();
    let changed = changed.filter(|name| ask.changed(name));
    changed
        .map(|name| {
            // Without a value, each is as in a new VPC.
            let value = ask.truth(name).unwrap_or(name == "EnableDnsSupport");
            let given = json!({ "VpcId": id, name: { "Value": value } });
            Step::new(Ec2, "ModifyVpcAttribute", given)
        })
        .collect()
}

fn update(ask: &Ask<'_>) -> Steps {
    if ask.changed("InstanceTenancy") {
        return Err("Changing InstanceTenancy is not implemented by Skylab".to_owned());
    }
    let mut steps = attributes(ask, Value::from(ask.id()));
    steps.extend(tags::ec2_steps(ask, &ask.id()));
    Ok(steps)
}

fn retag(ask: &Ask<'_>) -> Steps {
    Ok(tags::ec2_steps(ask, &ask.id()))
}

fn delete(ask: &Ask<'_>) -> Steps {
    let given = json!({ "VpcId": ask.id() });
    let step = Step::new(Ec2, "DeleteVpc", given)
        .tolerates(&["InvalidVpcID.NotFound"])
        .retries(&["DependencyViolation"]);
    Ok(vec![step])
}

fn associate_block(ask: &Ask<'_>) -> Steps {
    let given = json!({
        "VpcId": ask.get("VpcId"),
        "CidrBlock": ask.get("CidrBlock"),
        "AmazonProvidedIpv6CidrBlock": ask.get("AmazonProvidedIpv6CidrBlock"),
    });
    let step = Step::new(Ec2, "AssociateVpcCidrBlock", given)
        .learns(ID, "/cidrBlockAssociation/associationId")
        .knows("VpcId", ask.get("VpcId"));
    Ok(vec![step])
}

fn disassociate_block(ask: &Ask<'_>) -> Steps {
    let given = json!({ "AssociationId": ask.id() });
    let step = Step::new(Ec2, "DisassociateVpcCidrBlock", given)
        .tolerates(&[
            "InvalidVpcCidrBlockAssociationID.NotFound",
            "InvalidVpcCidrBlockAssociationIdError.NotFound",
        ])
        .retries(&["DependencyViolation", "InvalidCidrBlock.InUse"]);
    Ok(vec![step])
}

/// Options by the names that EC2 knows them by.
const OPTIONS: [(&str, &str); 5] = [
    ("DomainName", "domain-name"),
    ("DomainNameServers", "domain-name-servers"),
    ("NetbiosNameServers", "netbios-name-servers"),
    ("NetbiosNodeType", "netbios-node-type"),
    ("NtpServers", "ntp-servers"),
];

fn create_options(ask: &Ask<'_>) -> Steps {
    let given = OPTIONS
        .into_iter()
        .filter(|(property, _)| !ask.get(property).is_null());
    let options: Value = given
        .map(|(property, key)| json!({ "Key": key, "Value": ask.list(property) }))
        .collect();
    let given = json!({
        "DhcpConfiguration": options,
        "TagSpecification": tags::specification(ask, "dhcp-options"),
    });
    let step = Step::new(Ec2, "CreateDhcpOptions", given)
        .learns(ID, "/dhcpOptions/dhcpOptionsId")
        .learns("DhcpOptionsId", "/dhcpOptions/dhcpOptionsId")
        .tagged("dhcp-options", ID);
    Ok(vec![step])
}

fn delete_options(ask: &Ask<'_>) -> Steps {
    let step = Step::new(
        Ec2,
        "DeleteDhcpOptions",
        json!({ "DhcpOptionsId": ask.id() }),
    )
    .tolerates(&[
        "InvalidDhcpOptionID.NotFound",
        "InvalidDhcpOptionsID.NotFound",
    ])
    .retries(&["DependencyViolation"]);
    Ok(vec![step])
}

fn associate_options(ask: &Ask<'_>) -> Steps {
    let given = json!({ "DhcpOptionsId": ask.get("DhcpOptionsId"), "VpcId": ask.get("VpcId") });
    let name = format!(
        "{}|{}",
        ask.required("DhcpOptionsId")?,
        ask.required("VpcId")?
    );
    Ok(vec![
        Step::new(Ec2, "AssociateDhcpOptions", given).knows(ID, Value::from(name)),
    ])
}

/// The VPC gets the options that mean none.
fn disassociate_options(ask: &Ask<'_>) -> Steps {
    let vpc = member(&Value::Object(ask.properties.clone()), "VpcId");
    let given = json!({ "DhcpOptionsId": "default", "VpcId": vpc });
    let step = Step::new(Ec2, "AssociateDhcpOptions", given).tolerates(&["InvalidVpcID.NotFound"]);
    Ok(vec![step])
}

//! Network interface operations; how an interface is shown is in
//! [`super::network_interface_view`].

use super::describe::{Kind, no_pages_of_ids, select, wanted};
use super::network_interface_view::{FILTERS, field, wire_attachment, wire_interface};
use super::security_group::wire_groups;
use super::tag::specified;
use super::{Call, Outcome};
use crate::model::network_interface::{self as interfaces, NetworkInterface, NewInterface};
use crate::model::{
    NetworkInterfaceId, Refusal, SecurityGroupId, security_group, subnet, tag, vpc,
};
use ipnet::Ipv4Net;
use std::net::Ipv4Addr;
use wire::ec2::{
    AssignPrivateIpAddressesRequest, AssignPrivateIpAddressesResult, AssignedPrivateIpAddress,
    AttachNetworkInterfaceRequest, AttachNetworkInterfaceResult, AttributeBooleanValue,
    AttributeValue, CreateNetworkInterfaceRequest, CreateNetworkInterfaceResult,
    DeleteNetworkInterfaceRequest, DescribeNetworkInterfaceAttributeRequest,
    DescribeNetworkInterfaceAttributeResult, DescribeNetworkInterfacesRequest,
    DescribeNetworkInterfacesResult, DetachNetworkInterfaceRequest, Ipv4PrefixSpecification,
    Ipv4PrefixSpecificationRequest, ModifyNetworkInterfaceAttributeRequest,
    NetworkInterfaceAttribute, ResetNetworkInterfaceAttributeRequest,
    UnassignPrivateIpAddressesRequest,
};
use wire::shape::Nothing;

pub(super) fn address(text: &str) -> Result<Ipv4Addr, Refusal> {
    text.parse().map_err(|_| {
        Refusal::invalid_value(format!(
            "Invalid value '{text}' for PrivateIpAddress. Must be an IPv4 address"
        ))
    })
}

/// How many addresses or prefixes a request wants AWS to choose.
pub(super) fn count(wanted: Option<i32>) -> Result<u32, Refusal> {
    u32::try_from(wanted.unwrap_or(0))
        .map_err(|_| Refusal::invalid_value("A count must not be negative"))
}

/// The prefixes that a request gives.
pub(super) fn prefixes(given: &[Ipv4PrefixSpecificationRequest]) -> Result<Vec<Ipv4Net>, Refusal> {
    let texts = given.iter().filter_map(|of| of.ipv4_prefix.as_deref());
    texts.map(vpc::cidr).collect()
}

/// The groups that a request names by id.
pub(super) fn group_ids(call: &Call<'_>, ids: &[String]) -> Result<Vec<SecurityGroupId>, Refusal> {
    let found = |id: &String| security_group::find(&call.state, call.context, id);
    ids.iter().map(|id| Ok(found(id)?.id.clone())).collect()
}

fn named(call: &Call<'_>, id: &str) -> Result<NetworkInterfaceId, Refusal> {
    Ok(interfaces::find(&call.state, call.context, id)?.id.clone())
}

pub(super) fn create(
    call: &mut Call<'_>,
    request: CreateNetworkInterfaceRequest,
) -> Outcome<CreateNetworkInterfaceResult> {
    let token = call.token(
        "CreateNetworkInterface",
        &request,
        request.client_token.as_deref(),
    )?;
    if let Some(made) = &token.made
        && let Ok(interface) = interfaces::find(&call.state, call.context, made)
    {
        return Ok(CreateNetworkInterfaceResult {
            client_token: request.client_token,
            network_interface: Some(wire_interface(&call.state, interface)),
        });
    }
    let tags = specified(request.tag_specifications.clone(), "network-interface")?;
    if let Some(kind) = &request.interface_type {
        let message = format!("Network interfaces of type {kind} are not implemented by Skylab");
        return Err(Refusal::unsupported(message).into());
    }
    let new = read(call, &request)?;
    let id = interfaces::create(&mut call.state, call.context, new)?;
    tag::apply(
        &mut call.state,
        call.context,
        id.as_str(),
        "network-interface",
        tags,
    )?;
    call.keep(token, id.as_str());
    let interface = interfaces::find(&call.state, call.context, id.as_str())?;
    Ok(CreateNetworkInterfaceResult {
        client_token: request.client_token,
        network_interface: Some(wire_interface(&call.state, interface)),
    })
}

fn read(call: &Call<'_>, request: &CreateNetworkInterfaceRequest) -> Result<NewInterface, Refusal> {
    let subnet = subnet::find(&call.state, call.context, &request.subnet_id)?
        .id
        .clone();
    one_of_prefixes(&request.ipv4_prefixes, request.ipv4_prefix_count)?;
    let mut primary = request
        .private_ip_address
        .as_deref()
        .map(address)
        .transpose()?;
    let mut secondary = Vec::new();
    for given in &request.private_ip_addresses {
        let Some(text) = &given.private_ip_address else {
            continue;
        };
        match (given.primary.unwrap_or(false), primary) {
            (true, Some(_)) => {
                return Err(Refusal::invalid_value(
                    "Only one primary private IP address can be specified.",
                ));
            }
            (true, None) => primary = Some(address(text)?),
            (false, _) => secondary.push(address(text)?),
        }
    }
    either(
        "privateIpAddresses",
        !secondary.is_empty(),
        "secondaryPrivateIpAddressCount",
        request.secondary_private_ip_address_count.is_some(),
    )?;
    Ok(NewInterface {
        primary,
        secondary,
        secondary_count: count(request.secondary_private_ip_address_count)?,
        prefixes: prefixes(&request.ipv4_prefixes)?,
        prefix_count: count(request.ipv4_prefix_count)?,
        groups: group_ids(call, &request.groups)?,
        description: request.description.clone().unwrap_or_default(),
        ..NewInterface::in_subnet(subnet)
    })
}

pub(super) fn delete(
    call: &mut Call<'_>,
    request: DeleteNetworkInterfaceRequest,
) -> Outcome<Nothing> {
    let interface = interfaces::find(&call.state, call.context, &request.network_interface_id)?;
    interface.changeable()?;
    let id = interface.id.clone();
    interfaces::delete(&mut call.state, &id)?;
    Ok(Nothing {})
}

pub(super) fn describe(
    call: &mut Call<'_>,
    request: DescribeNetworkInterfacesRequest,
) -> Outcome<DescribeNetworkInterfacesResult> {
    no_pages_of_ids(
        "networkInterfaceIdsSet",
        &request.network_interface_ids,
        request.max_results,
    )?;
    let wanted = wanted!(request, network_interface_ids);
    let state = &call.state;
    let kind = Kind {
        filters: FILTERS,
        id: &|interface: &NetworkInterface| interface.id.to_string(),
        field: &|interface, name| field(state, interface, name),
        not_found: &interfaces::unknown,
    };
    let here = call.context.here(&state.network_interfaces);
    let (chosen, next_token) = select(call, here, wanted, &kind)?;
    let network_interfaces = chosen
        .into_iter()
        .map(|of| wire_interface(state, of))
        .collect();
    Ok(DescribeNetworkInterfacesResult {
        network_interfaces,
        next_token,
    })
}

pub(super) fn attach(
    call: &mut Call<'_>,
    request: AttachNetworkInterfaceRequest,
) -> Outcome<AttachNetworkInterfaceResult> {
    let card = request.network_card_index.unwrap_or(0);
    if card != 0 {
        let message = format!("Network card index {card} exceeds the limit of the instance type.");
        return Err(Refusal::invalid_value(message).into());
    }
    let index = request.device_index;
    let index = u16::try_from(index)
        .map_err(|_| Refusal::invalid_value(format!("Invalid device index {index}")))?;
    let id = named(call, &request.network_interface_id)?;
    let instance = request.instance_id.into();
    let attachment =
        interfaces::attach_to_running(&mut call.state, call.context, &id, &instance, index)?;
    Ok(AttachNetworkInterfaceResult {
        attachment_id: Some(attachment.to_string()),
        network_card_index: Some(0),
    })
}

pub(super) fn detach(
    call: &mut Call<'_>,
    request: DetachNetworkInterfaceRequest,
) -> Outcome<Nothing> {
    let attached = interfaces::find_attachment(&call.state, call.context, &request.attachment_id)?;
    let id = attached.id.clone();
    interfaces::detach(&mut call.state, &id)?;
    Ok(Nothing {})
}

/// One attribute a call, as EC2 has it.
pub(super) fn modify_attribute(
    call: &mut Call<'_>,
    request: ModifyNetworkInterfaceAttributeRequest,
) -> Outcome<Nothing> {
    let id = named(call, &request.network_interface_id)?;
    let given = [
        request.attachment.is_some(),
        request.description.is_some(),
        !request.groups.is_empty(),
        request.source_dest_check.is_some(),
    ];
    match given.iter().filter(|given| **given).count() {
        1 => {}
        0 => {
            let message = "No attributes specified.";
            return Err(Refusal::new("InvalidParameterCombination", message).into());
        }
        _ => {
            let message = "Fields for multiple attribute types specified";
            return Err(Refusal::invalid_combination(message).into());
        }
    }
    if let Some(description) = request.description {
        interfaces::set_description(&mut call.state, &id, description.value.unwrap_or_default())?;
    }
    if let Some(check) = request.source_dest_check {
        let check = check
            .value
            .ok_or_else(|| Refusal::missing("SourceDestCheck.Value"))?;
        interfaces::set_source_dest_check(&mut call.state, &id, check)?;
    }
    if !request.groups.is_empty() {
        let groups = group_ids(call, &request.groups)?;
        interfaces::set_groups(&mut call.state, call.context, &id, &groups)?;
    }
    if let Some(change) = request.attachment {
        let attachment = change
            .attachment_id
            .ok_or_else(|| Refusal::missing("AttachmentId"))?;
        let delete = change
            .delete_on_termination
            .ok_or_else(|| Refusal::missing("DeleteOnTermination"))?;
        interfaces::set_delete_on_termination(&mut call.state, &id, &attachment, delete)?;
    }
    Ok(Nothing {})
}

pub(super) fn describe_attribute(
    call: &mut Call<'_>,
    request: DescribeNetworkInterfaceAttributeRequest,
) -> Outcome<DescribeNetworkInterfaceAttributeResult> {
    let interface = interfaces::find(&call.state, call.context, &request.network_interface_id)?;
    let mut result = DescribeNetworkInterfaceAttributeResult {
        network_interface_id: Some(interface.id.to_string()),
        ..Default::default()
    };
    match request.attribute {
        None => return Err(Refusal::missing("Attribute").into()),
        Some(NetworkInterfaceAttribute::Description) => {
            result.description = Some(AttributeValue {
                value: Some(interface.description.clone()),
            });
        }
        Some(NetworkInterfaceAttribute::GroupSet) => {
            result.groups = wire_groups(&call.state, &interface.groups);
        }
        Some(NetworkInterfaceAttribute::SourceDestCheck) => {
            let check = Some(interface.source_dest_check);
            result.source_dest_check = Some(AttributeBooleanValue { value: check });
        }
        Some(NetworkInterfaceAttribute::Attachment) => {
            result.attachment = wire_attachment(&call.state, interface);
        }
        Some(NetworkInterfaceAttribute::AssociatePublicIpAddress) => {
            result.associate_public_ip_address = Some(interface.public_on_start);
        }
    }
    Ok(result)
}

pub(super) fn reset_attribute(
    call: &mut Call<'_>,
    request: ResetNetworkInterfaceAttributeRequest,
) -> Outcome<Nothing> {
    let id = named(call, &request.network_interface_id)?;
    if request.source_dest_check.is_none() {
        return Err(Refusal::missing("SourceDestCheck").into());
    }
    interfaces::set_source_dest_check(&mut call.state, &id, true)?;
    Ok(Nothing {})
}

/// Refuses two parameters that say the same thing in two ways.
fn either(first: &str, has_first: bool, second: &str, has_second: bool) -> Result<(), Refusal> {
    if has_first && has_second {
        return Err(Refusal::invalid_combination(format!(
            "The parameter {first} cannot be used with the parameter {second}"
        )));
    }
    Ok(())
}

/// Prefixes are given or counted, not both.
pub(super) fn one_of_prefixes<T>(given: &[T], count: Option<i32>) -> Result<(), Refusal> {
    either(
        "ipv4Prefixes",
        !given.is_empty(),
        "ipv4PrefixCount",
        count.is_some(),
    )
}

fn parsed<T>(
    texts: &[String],
    parse: impl Fn(&str) -> Result<T, Refusal>,
) -> Result<Vec<T>, Refusal> {
    texts.iter().map(|text| parse(text)).collect()
}

pub(super) fn assign_addresses(
    call: &mut Call<'_>,
    request: AssignPrivateIpAddressesRequest,
) -> Outcome<AssignPrivateIpAddressesResult> {
    let id = named(call, &request.network_interface_id)?;
    let chosen = request.secondary_private_ip_address_count.is_some();
    let prefixes_chosen = request.ipv4_prefix_count.is_some();
    either(
        "privateIpAddresses",
        !request.private_ip_addresses.is_empty(),
        "secondaryPrivateIpAddressCount",
        chosen,
    )?;
    one_of_prefixes(&request.ipv4_prefixes, request.ipv4_prefix_count)?;
    let given = !(request.private_ip_addresses.is_empty() && request.ipv4_prefixes.is_empty());
    if !(given || chosen || prefixes_chosen) {
        let message =
            "secondaryPrivateIpAddressCount, privateIpAddresses, ipv4PrefixCount or ipv4Prefixes";
        return Err(Refusal::missing(message).into());
    }
    let wanted = interfaces::Wanted {
        addresses: parsed(&request.private_ip_addresses, address)?,
        address_count: count(request.secondary_private_ip_address_count)?,
        prefixes: parsed(&request.ipv4_prefixes, vpc::cidr)?,
        prefix_count: count(request.ipv4_prefix_count)?,
    };
    let reassign = request.allow_reassignment.unwrap_or(false);
    let assigned = interfaces::assign(&mut call.state, &id, &wanted, reassign)?;
    let addresses = assigned
        .addresses
        .iter()
        .map(|ip| AssignedPrivateIpAddress {
            private_ip_address: Some(ip.to_string()),
        });
    let prefixes = assigned
        .prefixes
        .iter()
        .map(|prefix| Ipv4PrefixSpecification {
            ipv4_prefix: Some(prefix.to_string()),
        });
    Ok(AssignPrivateIpAddressesResult {
        assigned_ipv4_prefixes: prefixes.collect(),
        assigned_private_ip_addresses: addresses.collect(),
        network_interface_id: Some(id.to_string()),
    })
}

pub(super) fn unassign_addresses(
    call: &mut Call<'_>,
    request: UnassignPrivateIpAddressesRequest,
) -> Outcome<Nothing> {
    let id = named(call, &request.network_interface_id)?;
    let addresses = parsed(&request.private_ip_addresses, address)?;
    let prefixes = parsed(&request.ipv4_prefixes, vpc::cidr)?;
    if addresses.is_empty() && prefixes.is_empty() {
        return Err(Refusal::missing("privateIpAddresses or ipv4Prefixes").into());
    }
    interfaces::unassign(&mut call.state, &id, &addresses, &prefixes)?;
    Ok(Nothing {})
}

//! Network ACL operations.

use super::describe::{Kind, one, select, wanted};
use super::tag::{specified, wire_tags};
use super::{Call, Outcome};
use crate::model::network_acl::{self as acls, FINAL_DENY, NetworkAcl, NetworkAclEntry};
use crate::model::security_group::Traffic;
use crate::model::{Refusal, State, tag};
use ipnet::{IpNet, Ipv4Net};
use wire::ec2::{
    CreateNetworkAclEntryRequest, CreateNetworkAclRequest, CreateNetworkAclResult,
    DeleteNetworkAclEntryRequest, DeleteNetworkAclRequest, DescribeNetworkAclsRequest,
    DescribeNetworkAclsResult, IcmpTypeCode, PortRange, ReplaceNetworkAclAssociationRequest,
    ReplaceNetworkAclAssociationResult, ReplaceNetworkAclEntryRequest, RuleAction,
};
use wire::shape::Nothing;

pub(super) fn create(
    call: &mut Call<'_>,
    request: CreateNetworkAclRequest,
) -> Outcome<CreateNetworkAclResult> {
    let token = call.token(
        "CreateNetworkAcl",
        &request,
        request.client_token.as_deref(),
    )?;
    if let Some(made) = &token.made
        && let Ok(acl) = acls::find(&call.state, call.context, made)
    {
        return Ok(CreateNetworkAclResult {
            client_token: request.client_token,
            network_acl: Some(wire_acl(&call.state, acl)),
        });
    }
    let tags = specified(request.tag_specifications, "network-acl")?;
    let id = acls::create(&mut call.state, call.context, &request.vpc_id.into())?;
    tag::apply(
        &mut call.state,
        call.context,
        id.as_str(),
        "network-acl",
        tags,
    )?;
    call.keep(token, id.as_str());
    let acl = acls::find(&call.state, call.context, id.as_str())?;
    Ok(CreateNetworkAclResult {
        client_token: request.client_token,
        network_acl: Some(wire_acl(&call.state, acl)),
    })
}

pub(super) fn delete(call: &mut Call<'_>, request: DeleteNetworkAclRequest) -> Outcome<Nothing> {
    let id = acls::find(&call.state, call.context, &request.network_acl_id)?
        .id
        .clone();
    acls::delete(&mut call.state, &id)?;
    Ok(Nothing {})
}

pub(super) fn create_entry(
    call: &mut Call<'_>,
    request: CreateNetworkAclEntryRequest,
) -> Outcome<Nothing> {
    let entry = NewEntry {
        number: request.rule_number,
        egress: request.egress,
        action: &request.rule_action,
        cidr: request.cidr_block.as_deref(),
        cidr_v6: request.ipv6_cidr_block.as_deref(),
        protocol: &request.protocol,
        ports: request.port_range,
        icmp: request.icmp_type_code,
    };
    let entry = entry.checked()?;
    let id = acls::find(&call.state, call.context, &request.network_acl_id)?
        .id
        .clone();
    acls::create_entry(&mut call.state, call.context, &id, entry)?;
    Ok(Nothing {})
}

pub(super) fn replace_entry(
    call: &mut Call<'_>,
    request: ReplaceNetworkAclEntryRequest,
) -> Outcome<Nothing> {
    let entry = NewEntry {
        number: request.rule_number,
        egress: request.egress,
        action: &request.rule_action,
        cidr: request.cidr_block.as_deref(),
        cidr_v6: request.ipv6_cidr_block.as_deref(),
        protocol: &request.protocol,
        ports: request.port_range,
        icmp: request.icmp_type_code,
    };
    let entry = entry.checked()?;
    let id = acls::find(&call.state, call.context, &request.network_acl_id)?
        .id
        .clone();
    acls::replace_entry(&mut call.state, &id, entry)?;
    Ok(Nothing {})
}

pub(super) fn delete_entry(
    call: &mut Call<'_>,
    request: DeleteNetworkAclEntryRequest,
) -> Outcome<Nothing> {
    let number = acls::entry_number(request.rule_number)?;
    let id = acls::find(&call.state, call.context, &request.network_acl_id)?
        .id
        .clone();
    acls::delete_entry(&mut call.state, &id, number, request.egress)?;
    Ok(Nothing {})
}

pub(super) fn replace_association(
    call: &mut Call<'_>,
    request: ReplaceNetworkAclAssociationRequest,
) -> Outcome<ReplaceNetworkAclAssociationResult> {
    let id = acls::find(&call.state, call.context, &request.network_acl_id)?
        .id
        .clone();
    let association =
        acls::replace_association(&mut call.state, call.context, &request.association_id, &id)?;
    Ok(ReplaceNetworkAclAssociationResult {
        new_association_id: Some(association.to_string()),
    })
}

/// An entry as its two operations give it.
struct NewEntry<'r> {
    number: i32,
    egress: bool,
    action: &'r RuleAction,
    cidr: Option<&'r str>,
    cidr_v6: Option<&'r str>,
    protocol: &'r str,
    ports: Option<PortRange>,
    icmp: Option<IcmpTypeCode>,
}

impl NewEntry<'_> {
    fn checked(self) -> Result<NetworkAclEntry, Refusal> {
        let traffic = Traffic::of_entry(
            self.protocol,
            self.ports.as_ref().map(|range| (range.from, range.to)),
            self.icmp.as_ref().map(|icmp| (icmp.type_, icmp.code)),
        )?;
        Ok(NetworkAclEntry {
            number: acls::entry_number(self.number)?,
            egress: self.egress,
            allow: *self.action == RuleAction::Allow,
            cidr: self.range()?,
            traffic,
        })
    }

    /// Its range; AWS clears the bits after the prefix.
    fn range(&self) -> Result<IpNet, Refusal> {
        let malformed = |text: &str, parameter: &str| {
            Refusal::invalid_value(format!(
                "Value ({text}) for parameter {parameter} is invalid. This is not a valid CIDR block."
            ))
        };
        let range: IpNet = match (self.cidr, self.cidr_v6) {
            (Some(_), Some(_)) => {
                return Err(Refusal::invalid_combination(
                    "The parameter cidrBlock cannot be used with the parameter ipv6CidrBlock",
                ));
            }
            (Some(text), None) => {
                IpNet::V4(text.parse().map_err(|_| malformed(text, "cidrBlock"))?)
            }
            (None, Some(text)) => {
                IpNet::V6(text.parse().map_err(|_| malformed(text, "ipv6CidrBlock"))?)
            }
            (None, None) => return Err(Refusal::missing("cidrBlock or ipv6CidrBlock")),
        };
        Ok(range.trunc())
    }
}

pub(super) fn describe(
    call: &mut Call<'_>,
    request: DescribeNetworkAclsRequest,
) -> Outcome<DescribeNetworkAclsResult> {
    let wanted = wanted!(request, network_acl_ids);
    let state = &call.state;
    let kind = Kind {
        filters: FILTERS,
        id: &|acl: &NetworkAcl| acl.id.to_string(),
        field: &|acl, name| field(state, acl, name),
        not_found: &acls::unknown,
    };
    let here = call.context.here(&state.network_acls);
    let (chosen, next_token) = select(call, here, wanted, &kind)?;
    let network_acls = chosen.into_iter().map(|acl| wire_acl(state, acl)).collect();
    Ok(DescribeNetworkAclsResult {
        network_acls,
        next_token,
    })
}

/// <https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_DescribeNetworkAcls.html>
const FILTERS: &[&str] = &[
    "association.association-id",
    "association.network-acl-id",
    "association.subnet-id",
    "default",
    "entry.cidr",
    "entry.egress",
    "entry.icmp.code",
    "entry.icmp.type",
    "entry.ipv6-cidr",
    "entry.port-range.from",
    "entry.port-range.to",
    "entry.protocol",
    "entry.rule-action",
    "entry.rule-number",
    "network-acl-id",
    "owner-id",
    "vpc-id",
];

fn field(state: &State, acl: &NetworkAcl, name: &str) -> Vec<String> {
    if let Some(name) = name.strip_prefix("entry.") {
        return shown_entries(acl)
            .iter()
            .filter_map(|entry| entry_field(entry, name))
            .collect();
    }
    let associations = acl.associations.iter();
    match name {
        "association.association-id" => associations
            .map(|association| association.id.to_string())
            .collect(),
        "association.network-acl-id" => associations.map(|_| acl.id.to_string()).collect(),
        "association.subnet-id" => associations
            .map(|association| association.subnet.to_string())
            .collect(),
        "default" => one(acl.is_default),
        "network-acl-id" => one(&acl.id),
        "owner-id" => one(&state.settings.account),
        "vpc-id" => one(&acl.vpc),
        _ => Vec::new(),
    }
}

fn entry_field(entry: &wire::ec2::NetworkAclEntry, name: &str) -> Option<String> {
    let ports = || entry.port_range.as_ref();
    let icmp = || entry.icmp_type_code.as_ref();
    match name {
        "cidr" => entry.cidr_block.clone(),
        "ipv6-cidr" => entry.ipv6_cidr_block.clone(),
        "egress" => entry.egress.map(|egress| egress.to_string()),
        "icmp.code" => Some(icmp()?.code?.to_string()),
        "icmp.type" => Some(icmp()?.type_?.to_string()),
        "port-range.from" => Some(ports()?.from?.to_string()),
        "port-range.to" => Some(ports()?.to?.to_string()),
        "protocol" => entry.protocol.clone(),
        "rule-action" => entry.rule_action.as_ref().map(ToString::to_string),
        "rule-number" => entry.rule_number.map(|number| number.to_string()),
        _ => None,
    }
}

/// An ACL's entries by number, those out first, each direction's final deny included.
fn shown_entries(acl: &NetworkAcl) -> Vec<wire::ec2::NetworkAclEntry> {
    let final_deny = |egress| NetworkAclEntry {
        number: FINAL_DENY,
        egress,
        allow: false,
        cidr: IpNet::V4(Ipv4Net::default()),
        traffic: Traffic::All,
    };
    let mut entries: Vec<_> = acl
        .entries
        .iter()
        .cloned()
        .chain([true, false].map(final_deny))
        .collect();
    entries.sort_by_key(|entry| (!entry.egress, entry.number));
    entries.iter().map(wire_entry).collect()
}

fn wire_entry(entry: &NetworkAclEntry) -> wire::ec2::NetworkAclEntry {
    let numbers = entry.traffic.from_and_to();
    let is_icmp = matches!(entry.traffic, Traffic::Icmp { .. });
    let (cidr_block, ipv6_cidr_block) = match entry.cidr {
        IpNet::V4(cidr) => (Some(cidr.to_string()), None),
        IpNet::V6(cidr) => (None, Some(cidr.to_string())),
    };
    wire::ec2::NetworkAclEntry {
        cidr_block,
        ipv6_cidr_block,
        egress: Some(entry.egress),
        icmp_type_code: numbers
            .filter(|_| is_icmp)
            .map(|(kind, code)| IcmpTypeCode {
                type_: Some(kind),
                code: Some(code),
            }),
        port_range: numbers.filter(|_| !is_icmp).map(|(from, to)| PortRange {
            from: Some(from),
            to: Some(to),
        }),
        protocol: Some(entry.traffic.protocol_number().to_string()),
        rule_action: Some(if entry.allow {
            RuleAction::Allow
        } else {
            RuleAction::Deny
        }),
        rule_number: Some(entry.number.into()),
    }
}

fn wire_acl(state: &State, acl: &NetworkAcl) -> wire::ec2::NetworkAcl {
    let associations =
        acl.associations
            .iter()
            .map(|association| wire::ec2::NetworkAclAssociation {
                network_acl_association_id: Some(association.id.to_string()),
                network_acl_id: Some(acl.id.to_string()),
                subnet_id: Some(association.subnet.to_string()),
            });
    wire::ec2::NetworkAcl {
        associations: associations.collect(),
        entries: shown_entries(acl),
        is_default: Some(acl.is_default),
        network_acl_id: Some(acl.id.to_string()),
        owner_id: Some(state.settings.account.clone()),
        tags: wire_tags(state, acl.id.as_str()),
        vpc_id: Some(acl.vpc.to_string()),
    }
}

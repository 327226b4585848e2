//! Network ACLs.
//!
//! <https://docs.aws.amazon.com/vpc/latest/userguide/vpc-network-acls.html>

use super::quota::{self, Quota};
use super::*;
use serde::{Deserialize, Serialize};

use ipnet::{IpNet, Ipv4Net};
use std::sync::Arc;

/// The highest number an entry can have; the final deny comes after it.
pub const LAST_NUMBER: u16 = 32766;
/// The number that AWS shows for the final deny.
pub const FINAL_DENY: u16 = 32767;
/// The number of the entries that a default ACL begins with.
const FIRST_NUMBER: u16 = 100;

/// A network ACL.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct NetworkAcl {
    /// Its id.
    pub id: NetworkAclId,
    /// The region.
    pub region: String,
    /// Its VPC.
    pub vpc: VpcId,
    /// Whether it is the VPC's default one.
    pub is_default: bool,
    /// Its numbered entries, in any order; the final deny (32767) is not among them.
    pub entries: Vec<NetworkAclEntry>,
    /// The subnets it guards.
    pub associations: Vec<NetworkAclAssociation>,
}

/// An entry.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NetworkAclEntry {
    /// Its number, 1 to 32766; the lowest is asked first.
    pub number: u16,
    /// Whether it is for what leaves the subnet.
    pub egress: bool,
    /// Whether it allows.
    pub allow: bool,
    /// The source of what enters, the destination of what leaves.
    pub cidr: IpNet,
    /// Protocols, ports, ICMP types.
    pub traffic: security_group::Traffic,
}

/// The association of a network ACL with a subnet.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NetworkAclAssociation {
    /// Its id.
    pub id: NetworkAclAssociationId,
    /// The subnet.
    pub subnet: SubnetId,
}

/// An unknown or malformed id.
pub(crate) fn unknown(id: &str) -> Refusal {
    if NetworkAclId::well_formed(id) {
        Refusal::new(
            "InvalidNetworkAclID.NotFound",
            format!("The networkAcl ID '{id}' does not exist"),
        )
    } else {
        Refusal::new(
            "InvalidNetworkAclId.Malformed",
            format!("Invalid id: \"{id}\" (expecting \"acl-...\")"),
        )
    }
}

/// The ACL of that id in the region asked.
///
/// # Errors
/// `InvalidNetworkAclID.NotFound`, `InvalidNetworkAclId.Malformed`.
pub fn find<'s>(state: &'s State, context: &Context, id: &str) -> Result<&'s NetworkAcl, Refusal> {
    context
        .find(&state.network_acls, id)
        .ok_or_else(|| unknown(id))
}

fn edit<'s>(state: &'s mut State, id: &NetworkAclId) -> Result<&'s mut NetworkAcl, Refusal> {
    state
        .network_acls
        .get_mut(id)
        .map(Arc::make_mut)
        .ok_or_else(|| unknown(id.as_str()))
}

/// The ACL that guards a subnet.
pub fn of_subnet<'s>(state: &'s State, subnet: &SubnetId) -> Option<&'s NetworkAcl> {
    state.network_acls.values().map(Arc::as_ref).find(|acl| {
        let mut associations = acl.associations.iter();
        associations.any(|association| association.subnet == *subnet)
    })
}

fn default_of(state: &State, vpc: &VpcId) -> Option<NetworkAclId> {
    state
        .network_acls
        .values()
        .find(|acl| acl.is_default && acl.vpc == *vpc)
        .map(|acl| acl.id.clone())
}

/// Makes an ACL without entries: it denies everything until told.
///
/// # Errors
/// `InvalidVpcID.NotFound`, `NetworkAclLimitExceeded`.
pub fn create(state: &mut State, context: &Context, vpc: &VpcId) -> Result<NetworkAclId, Refusal> {
    vpc::find(state, context, vpc.as_str())?;
    let of_vpc = state.network_acls.values().filter(|acl| acl.vpc == *vpc);
    quota::check(context, Quota::AclsPerVpc, of_vpc.count(), 1)?;
    Ok(insert(state, context, vpc, false, Vec::new()))
}

/// Makes a new VPC's default ACL, which allows everything.
pub fn create_default(state: &mut State, context: &Context, vpc: &VpcId) -> NetworkAclId {
    let everything = |egress| NetworkAclEntry {
        number: FIRST_NUMBER,
        egress,
        allow: true,
        cidr: IpNet::V4(Ipv4Net::default()),
        traffic: security_group::Traffic::All,
    };
    insert(
        state,
        context,
        vpc,
        true,
        vec![everything(true), everything(false)],
    )
}

fn insert(
    state: &mut State,
    context: &Context,
    vpc: &VpcId,
    is_default: bool,
    entries: Vec<NetworkAclEntry>,
) -> NetworkAclId {
    let id = NetworkAclId::fresh(&state.digits());
    let acl = NetworkAcl {
        id: id.clone(),
        region: context.region.clone(),
        vpc: vpc.clone(),
        is_default,
        entries,
        associations: Vec::new(),
    };
    state.network_acls.insert(id.clone(), Arc::new(acl));
    id
}

/// Deletes an ACL; its tags go.
///
/// # Errors
/// `InvalidParameterValue` for a default one, `DependencyViolation` while it guards a subnet.
pub fn delete(state: &mut State, id: &NetworkAclId) -> Result<(), Refusal> {
    let acl = edit(state, id)?;
    if acl.is_default {
        return Err(Refusal::invalid_value(format!(
            "cannot delete default network ACL {id}"
        )));
    }
    if !acl.associations.is_empty() {
        return Err(Refusal::dependency("networkAcl", id));
    }
    forget(state, id);
    Ok(())
}

/// Removes an ACL without asking: its VPC is going.
pub fn forget(state: &mut State, id: &NetworkAclId) {
    state.network_acls.remove(id);
    tag::remove_all(state, id.as_str());
}

/// Puts a new subnet behind its VPC's default ACL.
pub fn associate_new_subnet(state: &mut State, subnet: &SubnetId) {
    let vpc = state.subnets.get(subnet).map(|subnet| subnet.vpc.clone());
    if let Some(acl) = vpc.and_then(|vpc| default_of(state, &vpc)) {
        associate(state, &acl, subnet);
    }
}

fn associate(state: &mut State, acl: &NetworkAclId, subnet: &SubnetId) -> NetworkAclAssociationId {
    let id = NetworkAclAssociationId::fresh(&state.digits());
    if let Ok(acl) = edit(state, acl) {
        acl.associations.push(NetworkAclAssociation {
            id: id.clone(),
            subnet: subnet.clone(),
        });
    }
    id
}

/// A subnet is gone: nothing guards it any longer.
pub fn forget_subnet(state: &mut State, subnet: &SubnetId) {
    let Some(id) = of_subnet(state, subnet).map(|acl| acl.id.clone()) else {
        return;
    };
    if let Ok(acl) = edit(state, &id) {
        acl.associations
            .retain(|association| association.subnet != *subnet);
    }
}

/// Puts the subnet of an association behind another ACL of its VPC.
///
/// # Errors
/// `InvalidAssociationID.NotFound`, `InvalidParameterValue` for an ACL of another VPC.
pub fn replace_association(
    state: &mut State,
    context: &Context,
    association: &str,
    acl: &NetworkAclId,
) -> Result<NetworkAclAssociationId, Refusal> {
    let (present, subnet) = find_association(state, context, association)?;
    let (vpc, subnet) = (present.vpc.clone(), subnet.clone());
    if find(state, context, acl.as_str())?.vpc != vpc {
        return Err(Refusal::invalid_value(format!(
            "network ACL {acl} and subnet {subnet} belong to different networks"
        )));
    }
    forget_subnet(state, &subnet);
    Ok(associate(state, acl, &subnet))
}

fn find_association<'s>(
    state: &'s State,
    context: &Context,
    id: &str,
) -> Result<(&'s NetworkAcl, &'s SubnetId), Refusal> {
    let acls = state.network_acls.values().map(Arc::as_ref);
    acls.filter(|acl| acl.region == context.region)
        .flat_map(|acl| {
            acl.associations
                .iter()
                .map(move |association| (acl, association))
        })
        .find(|(_, association)| association.id.as_str() == id)
        .map(|(acl, association)| (acl, &association.subnet))
        .ok_or_else(|| {
            Refusal::new(
                "InvalidAssociationID.NotFound",
                format!("The association ID '{id}' does not exist"),
            )
        })
}

/// An entry's number as a request gives it.
///
/// # Errors
/// `InvalidParameterValue` outside 1 to 32766.
pub fn entry_number(number: i32) -> Result<u16, Refusal> {
    u16::try_from(number)
        .ok()
        .filter(|number| (1..=LAST_NUMBER).contains(number))
        .ok_or_else(|| {
            Refusal::invalid_value(format!(
                "Value ({number}) for parameter ruleNumber is invalid. Rule number must be between 1 and {LAST_NUMBER}."
            ))
        })
}

fn missing_entry(number: u16) -> Refusal {
    Refusal::new(
        "InvalidNetworkAclEntry.NotFound",
        format!("The network acl entry identified by {number} does not exist."),
    )
}

fn position_of(acl: &NetworkAcl, number: u16, egress: bool) -> Option<usize> {
    let mut entries = acl.entries.iter();
    entries.position(|entry| (entry.number, entry.egress) == (number, egress))
}

/// Adds an entry.
///
/// # Errors
/// `NetworkAclEntryAlreadyExists` for a number taken in that direction,
/// `NetworkAclEntryLimitExceeded`.
pub fn create_entry(
    state: &mut State,
    context: &Context,
    id: &NetworkAclId,
    entry: NetworkAclEntry,
) -> Result<(), Refusal> {
    let acl = edit(state, id)?;
    if position_of(acl, entry.number, entry.egress).is_some() {
        return Err(Refusal::new(
            "NetworkAclEntryAlreadyExists",
            format!(
                "The network acl entry identified by {} already exists.",
                entry.number
            ),
        ));
    }
    let same_direction = acl
        .entries
        .iter()
        .filter(|other| other.egress == entry.egress);
    quota::check(context, Quota::EntriesPerAcl, same_direction.count(), 1)?;
    acl.entries.push(entry);
    Ok(())
}

/// Puts an entry in the place of the one with its number and direction.
///
/// # Errors
/// `InvalidNetworkAclEntry.NotFound`.
pub fn replace_entry(
    state: &mut State,
    id: &NetworkAclId,
    entry: NetworkAclEntry,
) -> Result<(), Refusal> {
    let acl = edit(state, id)?;
    let position =
        position_of(acl, entry.number, entry.egress).ok_or_else(|| missing_entry(entry.number))?;
    acl.entries[position] = entry;
    Ok(())
}

/// Removes an entry.
///
/// # Errors
/// `InvalidNetworkAclEntry.NotFound`.
pub fn delete_entry(
    state: &mut State,
    id: &NetworkAclId,
    number: u16,
    egress: bool,
) -> Result<(), Refusal> {
    let acl = edit(state, id)?;
    let position = position_of(acl, number, egress).ok_or_else(|| missing_entry(number))?;
    acl.entries.remove(position);
    Ok(())
}

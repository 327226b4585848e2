//! DHCP option sets.

use super::*;
use crate::model::quota::{Quota, check};
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// The options that a set may have.
const NAMES: [&str; 6] = [
    "domain-name",
    "domain-name-servers",
    "ntp-servers",
    "netbios-name-servers",
    "netbios-node-type",
    "ipv6-address-preferred-lease-time",
];

/// A DHCP option set.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct DhcpOptions {
    /// Its id.
    pub id: DhcpOptionsId,
    /// The region.
    pub region: String,
    /// Its options: name (`domain-name`, `domain-name-servers`, …) and values.
    pub options: Vec<(String, Vec<String>)>,
    /// Whether it is the one that the region made for its VPCs.
    pub is_default: bool,
}

pub(crate) fn unknown(id: &str) -> Refusal {
    if DhcpOptionsId::well_formed(id) {
        Refusal::new(
            "InvalidDhcpOptionID.NotFound",
            format!("The dhcpOption ID '{id}' does not exist"),
        )
    } else {
        Refusal::new(
            "InvalidDhcpOptionsId.Malformed",
            format!("Invalid id: \"{id}\" (expecting \"dopt-...\")"),
        )
    }
}

/// An option set of the request's region.
///
/// # Errors
/// `InvalidDhcpOptionID.NotFound` or `InvalidDhcpOptionsId.Malformed`.
pub fn find<'s>(state: &'s State, context: &Context, id: &str) -> Result<&'s DhcpOptions, Refusal> {
    context
        .find(&state.dhcp_options, id)
        .ok_or_else(|| unknown(id))
}

/// The region's default set, made if it isn't there.
pub fn default_of(state: &mut State, region: &str) -> DhcpOptionsId {
    let existing = state
        .dhcp_options
        .values()
        .find(|options| options.is_default && options.region == region);
    if let Some(options) = existing {
        return options.id.clone();
    }
    let id = DhcpOptionsId::fresh(&state.digits());
    let options = vec![
        (
            "domain-name".to_owned(),
            vec![hostname::private_domain(region)],
        ),
        (
            "domain-name-servers".to_owned(),
            vec!["AmazonProvidedDNS".to_owned()],
        ),
    ];
    let options = DhcpOptions {
        id: id.clone(),
        region: region.to_owned(),
        options,
        is_default: true,
    };
    state.dhcp_options.insert(id.clone(), Arc::new(options));
    id
}

/// Makes an option set.
///
/// # Errors
/// `InvalidParameterValue` for an option that DHCP or AWS doesn't have.
pub fn create(
    state: &mut State,
    context: &Context,
    options: Vec<(String, Vec<String>)>,
) -> Result<DhcpOptionsId, Refusal> {
    let own = context.here(&state.dhcp_options).count();
    check(context, Quota::DhcpOptions, own, 1)?;
    if options.is_empty() {
        return Err(Refusal::missing("dhcpConfiguration"));
    }
    if let Some((name, _)) = options
        .iter()
        .find(|(name, _)| !NAMES.contains(&name.as_str()))
    {
        return Err(Refusal::invalid_value(format!(
            "Value ({name}) for parameter dhcpConfiguration.key is invalid. Valid values: {}",
            NAMES.join(", ")
        )));
    }
    for (name, values) in &options {
        check_values(name, values)?;
    }
    let id = DhcpOptionsId::fresh(&state.digits());
    let options = DhcpOptions {
        id: id.clone(),
        region: context.region.clone(),
        options,
        is_default: false,
    };
    state.dhcp_options.insert(id.clone(), Arc::new(options));
    Ok(id)
}

/// Checks the values of an option: servers are addresses, at most four, and the node types those of
/// RFC 2132.
/// <https://docs.aws.amazon.com/vpc/latest/userguide/DHCPOptionSetConcepts.html>
fn check_values(name: &str, values: &[String]) -> Result<(), Refusal> {
    const MOST_SERVERS: usize = 4;
    let invalid = |value: &str, why: &str| {
        Err(Refusal::invalid_value(format!(
            "Value ({value}) for parameter {name} is invalid. {why}"
        )))
    };
    if values.is_empty() || values.iter().any(String::is_empty) {
        return invalid("", "An option needs a value.");
    }
    let servers = name.ends_with("-servers");
    if servers && values.len() > MOST_SERVERS {
        return invalid(&values.join(","), "At most four servers may be given.");
    }
    for value in values {
        let address = value.parse::<std::net::IpAddr>().is_ok();
        let amazons = name == "domain-name-servers" && value == "AmazonProvidedDNS";
        if servers && !address && !amazons {
            return invalid(value, "It is not an IP address.");
        }
        if name == "netbios-node-type" && !["1", "2", "4", "8"].contains(&value.as_str()) {
            return invalid(value, "Valid values: 1, 2, 4, 8.");
        }
    }
    Ok(())
}

/// Deletes an option set.
///
/// # Errors
/// `DependencyViolation` while a VPC uses it.
pub fn delete(state: &mut State, context: &Context, id: &str) -> Result<(), Refusal> {
    let options = find(state, context, id)?.id.clone();
    if state
        .vpcs
        .values()
        .any(|vpc| vpc.dhcp_options.as_ref() == Some(&options))
    {
        return Err(Refusal::dependency("dhcpOptions", &id));
    }
    state.dhcp_options.remove(&options);
    tag::remove_all(state, id);
    Ok(())
}

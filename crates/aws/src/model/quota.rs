//! AWS's default quotas.
//!
//! <https://docs.aws.amazon.com/vpc/latest/userguide/amazon-vpc-limits.html>

use super::{Context, Refusal};

/// Something whose number is limited.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Quota {
    /// VPCs in a region.
    Vpcs,
    /// IPv4 CIDRs of a VPC.
    CidrsPerVpc,
    /// Subnets of a VPC.
    SubnetsPerVpc,
    /// Route tables of a VPC.
    RouteTablesPerVpc,
    /// Routes of a route table, the local ones apart.
    RoutesPerTable,
    /// Internet gateways in a region.
    InternetGateways,
    /// NAT gateways in a zone.
    NatGatewaysPerZone,
    /// Network interfaces in a region.
    NetworkInterfaces,
    /// Elastic IPs in a region.
    ElasticIps,
    /// Security groups in a region.
    SecurityGroups,
    /// Rules of a security group in one direction.
    RulesPerGroup,
    /// Security groups of a network interface.
    GroupsPerInterface,
    /// Network ACLs of a VPC.
    AclsPerVpc,
    /// Entries of a network ACL in one direction.
    EntriesPerAcl,
    /// DHCP option sets in a region.
    DhcpOptions,
}

/// Its number.
pub fn limit(quota: Quota) -> usize {
    match quota {
        Quota::Vpcs | Quota::CidrsPerVpc | Quota::InternetGateways | Quota::NatGatewaysPerZone => 5,
        Quota::ElasticIps | Quota::GroupsPerInterface => 5,
        Quota::SubnetsPerVpc | Quota::RouteTablesPerVpc | Quota::AclsPerVpc => 200,
        Quota::RoutesPerTable => 50,
        Quota::NetworkInterfaces => 5000,
        Quota::SecurityGroups => 2500,
        Quota::RulesPerGroup => 60,
        Quota::EntriesPerAcl => 20,
        Quota::DhcpOptions => 100,
    }
}

fn code(quota: Quota) -> &'static str {
    match quota {
        Quota::Vpcs => "VpcLimitExceeded",
        Quota::CidrsPerVpc => "CidrLimitExceeded",
        Quota::SubnetsPerVpc => "SubnetLimitExceeded",
        Quota::RouteTablesPerVpc => "RouteTableLimitExceeded",
        Quota::RoutesPerTable => "RouteLimitExceeded",
        Quota::InternetGateways => "InternetGatewayLimitExceeded",
        Quota::NatGatewaysPerZone => "NatGatewayLimitExceeded",
        Quota::NetworkInterfaces => "NetworkInterfaceLimitExceeded",
        Quota::ElasticIps => "AddressLimitExceeded",
        Quota::SecurityGroups => "SecurityGroupLimitExceeded",
        Quota::RulesPerGroup => "RulesPerSecurityGroupLimitExceeded",
        Quota::GroupsPerInterface => "SecurityGroupsPerInterfaceLimitExceeded",
        Quota::AclsPerVpc => "NetworkAclLimitExceeded",
        Quota::EntriesPerAcl => "NetworkAclEntryLimitExceeded",
        Quota::DhcpOptions => "DhcpOptionsLimitExceeded",
    }
}

/// Refuses one more than the quota, where quotas hold.
///
/// # Errors
/// The quota's own code.
pub fn check(
    context: &Context,
    quota: Quota,
    already: usize,
    adding: usize,
) -> Result<(), Refusal> {
    let limit = limit(quota);
    if !context.quotas || already + adding <= limit {
        return Ok(());
    }
    let message = match quota {
        Quota::Vpcs => "The maximum number of VPCs has been reached.".to_owned(),
        Quota::ElasticIps => "The maximum number of addresses has been reached.".to_owned(),
        Quota::InternetGateways => {
            "The maximum number of internet gateways has been reached.".to_owned()
        }
        Quota::RulesPerGroup => {
            "The maximum number of rules per security group has been reached.".to_owned()
        }
        _ => format!("The maximum number has been reached: {limit}"),
    };
    Err(Refusal::new(code(quota), message))
}

//! The operations on the wire: generated requests into calls of the model, and the model into
//! generated responses. One file a resource, the same name as in [`crate::model`].

mod account;
pub(crate) mod auto_scaling;
mod certificate;
pub mod classic_load_balancer;
pub mod cloudformation;
mod describe;
mod dhcp_options;
pub mod ecr;
pub mod eks;
mod elastic_ip;
pub mod iam;
mod image;
mod instance;
mod instance_attribute;
mod instance_credit;
mod instance_profile_association;
mod instance_view;
mod internet_gateway;
mod key_pair;
mod launch;
mod launch_template;
mod launch_template_data;
pub mod load_balancer;
mod nat_gateway;
mod network_acl;
mod network_interface;
mod network_interface_view;
mod prefix_list;
mod region;
mod route_table;
mod security_group;
mod security_group_permission;
mod security_group_rule;
pub mod ssm;
pub mod sts;
mod subnet;
mod tag;
mod volume;
mod vpc;

pub use auto_scaling::auto_scaling;
pub use certificate::certificate;

use crate::model::client_token::Token;
use crate::model::{Context, InstanceId, Refusal, State};
use std::fmt;
use wire::ec2::Request;
use wire::error::ApiError;

/// An answer.
#[derive(Clone, Debug)]
pub struct Answer {
    /// The response document.
    pub body: String,
    /// The new state, if the operation was one that changes it.
    pub state: Option<State>,
}

/// What a guest wrote to its console, by its instance.
pub type Console<'a> = &'a dyn Fn(&InstanceId) -> Option<Vec<u8>>;

/// A call under way: it works on a copy of the state, which is kept only if the call succeeds.
struct Call<'a> {
    state: State,
    context: &'a Context,
    console: Console<'a>,
}

impl From<Refusal> for ApiError {
    fn from(refusal: Refusal) -> Self {
        Self::new(refusal.code, refusal.message)
    }
}

/// What operations answer with when they refuse.
type Outcome<T> = Result<T, ApiError>;

/// Carries out whatever operation a request is: gives the call to the function that stands beside the operation's
/// name, and its output, with that name, to the service's own way of answering.
macro_rules! dispatch {
    ($call:expr, $request:ident, |$name:ident, $output:ident| $answer:expr,
     { $($operation:ident => $($function:ident)::+,)* }) => {
        match $request {
            $(Request::$operation(input) => {
                let $name = stringify!($operation);
                let $output = $($function)::+($call, *input)?;
                $answer
            })*
        }
    };
}
use dispatch;

/// Carries out an operation on a copy of the state, which is kept unless the operation only reads.
fn answered(
    state: &State,
    context: &Context,
    operation: &str,
    carry_out: impl FnOnce(&mut Call<'_>) -> Outcome<String>,
) -> Outcome<Answer> {
    let mut call = Call {
        state: state.clone(),
        context,
        console: &|_| None,
    };
    let body = carry_out(&mut call)?;
    Ok(Answer {
        body,
        state: (!reads_only(operation)).then_some(call.state),
    })
}

impl Call<'_> {
    /// A request's idempotency token.
    fn token(
        &self,
        operation: &str,
        request: &impl fmt::Debug,
        token: Option<&str>,
    ) -> Result<Token, Refusal> {
        // 128 where the operation's documentation says so.
        let longest = if operation.contains("LaunchTemplate") {
            128
        } else {
            64
        };
        Token::of(
            &self.state,
            self.context,
            operation,
            request,
            token,
            longest,
        )
    }

    /// Remembers what a request with a token made.
    fn keep(&mut self, token: Token, made: &str) {
        token.keep(&mut self.state, self.context, made);
    }
}

/// Whether an operation only reads.
pub fn reads_only(operation: &str) -> bool {
    ["Describe", "Get", "List"]
        .iter()
        .any(|verb| operation.starts_with(verb))
}

/// Carries out an EC2 operation.
///
/// # Errors
/// EC2's own; the state is as it was.
pub fn ec2(
    state: &State,
    context: &Context,
    request: Request,
    request_id: &str,
    console: Console<'_>,
) -> Result<Answer, ApiError> {
    let (dry_run, reads) = (request.dry_run(), reads_only(request.name()));
    let mut call = Call {
        state: state.clone(),
        context,
        console,
    };
    let body = dispatch!(&mut call, request, |operation, output| wire::ec2::respond(operation, &output, request_id), {
        CreateVpc => vpc::create,
        DeleteVpc => vpc::delete,
        DescribeVpcs => vpc::describe,
        ModifyVpcAttribute => vpc::modify_attribute,
        DescribeVpcAttribute => vpc::describe_attribute,
        AssociateVpcCidrBlock => vpc::associate_cidr,
        DisassociateVpcCidrBlock => vpc::disassociate_cidr,
        CreateDefaultVpc => vpc::create_default,
        CreateDhcpOptions => dhcp_options::create,
        DeleteDhcpOptions => dhcp_options::delete,
        DescribeDhcpOptions => dhcp_options::describe,
        AssociateDhcpOptions => dhcp_options::associate,
        CreateSubnet => subnet::create,
        CreateDefaultSubnet => subnet::create_default,
        DeleteSubnet => subnet::delete,
        DescribeSubnets => subnet::describe,
        ModifySubnetAttribute => subnet::modify_attribute,
        CreateRouteTable => route_table::create,
        DeleteRouteTable => route_table::delete,
        DescribeRouteTables => route_table::describe,
        AssociateRouteTable => route_table::associate,
        DisassociateRouteTable => route_table::disassociate,
        ReplaceRouteTableAssociation => route_table::replace_association,
        CreateRoute => route_table::create_route,
        DeleteRoute => route_table::delete_route,
        ReplaceRoute => route_table::replace_route,
        CreateInternetGateway => internet_gateway::create,
        DeleteInternetGateway => internet_gateway::delete,
        DescribeInternetGateways => internet_gateway::describe,
        AttachInternetGateway => internet_gateway::attach,
        DetachInternetGateway => internet_gateway::detach,
        CreateNatGateway => nat_gateway::create,
        DeleteNatGateway => nat_gateway::delete,
        DescribeNatGateways => nat_gateway::describe,
        CreateNetworkInterface => network_interface::create,
        DeleteNetworkInterface => network_interface::delete,
        DescribeNetworkInterfaces => network_interface::describe,
        AttachNetworkInterface => network_interface::attach,
        DetachNetworkInterface => network_interface::detach,
        ModifyNetworkInterfaceAttribute => network_interface::modify_attribute,
        DescribeNetworkInterfaceAttribute => network_interface::describe_attribute,
        ResetNetworkInterfaceAttribute => network_interface::reset_attribute,
        AssignPrivateIpAddresses => network_interface::assign_addresses,
        UnassignPrivateIpAddresses => network_interface::unassign_addresses,
        AllocateAddress => elastic_ip::allocate,
        ReleaseAddress => elastic_ip::release,
        DescribeAddresses => elastic_ip::describe,
        AssociateAddress => elastic_ip::associate,
        DisassociateAddress => elastic_ip::disassociate,
        DescribeAddressesAttribute => elastic_ip::describe_attribute,
        CreateSecurityGroup => security_group::create,
        DeleteSecurityGroup => security_group::delete,
        DescribeSecurityGroups => security_group::describe,
        AuthorizeSecurityGroupIngress => security_group_rule::authorize_ingress,
        AuthorizeSecurityGroupEgress => security_group_rule::authorize_egress,
        RevokeSecurityGroupIngress => security_group_rule::revoke_ingress,
        RevokeSecurityGroupEgress => security_group_rule::revoke_egress,
        DescribeSecurityGroupRules => security_group_rule::describe,
        ModifySecurityGroupRules => security_group_rule::modify,
        UpdateSecurityGroupRuleDescriptionsIngress => security_group_rule::describe_ingress_anew,
        UpdateSecurityGroupRuleDescriptionsEgress => security_group_rule::describe_egress_anew,
        DescribeSecurityGroupReferences => security_group::describe_references,
        CreateManagedPrefixList => prefix_list::create,
        ModifyManagedPrefixList => prefix_list::modify,
        DeleteManagedPrefixList => prefix_list::delete,
        DescribeManagedPrefixLists => prefix_list::describe,
        GetManagedPrefixListEntries => prefix_list::entries_of,
        DescribePrefixLists => prefix_list::describe_of_services,
        CreateNetworkAcl => network_acl::create,
        DeleteNetworkAcl => network_acl::delete,
        DescribeNetworkAcls => network_acl::describe,
        CreateNetworkAclEntry => network_acl::create_entry,
        DeleteNetworkAclEntry => network_acl::delete_entry,
        ReplaceNetworkAclEntry => network_acl::replace_entry,
        ReplaceNetworkAclAssociation => network_acl::replace_association,
        RunInstances => launch::run,
        DescribeInstances => instance::describe,
        TerminateInstances => instance::terminate,
        StartInstances => instance::start,
        StopInstances => instance::stop,
        RebootInstances => instance::reboot,
        DescribeInstanceStatus => instance::describe_status,
        DescribeInstanceAttribute => instance_attribute::describe,
        ModifyInstanceAttribute => instance_attribute::modify,
        ModifyInstanceMetadataOptions => instance_attribute::modify_metadata,
        GetConsoleOutput => instance::console_output,
        DescribeInstanceTypes => image::describe_types,
        DescribeInstanceTypeOfferings => image::describe_type_offerings,
        DescribeImages => image::describe,
        DescribeInstanceCreditSpecifications => instance_credit::describe,
        ModifyInstanceCreditSpecification => instance_credit::modify,
        AssociateIamInstanceProfile => instance_profile_association::associate,
        DisassociateIamInstanceProfile => instance_profile_association::disassociate,
        ReplaceIamInstanceProfileAssociation => instance_profile_association::replace,
        DescribeIamInstanceProfileAssociations => instance_profile_association::describe,
        CreateLaunchTemplate => launch_template::create,
        CreateLaunchTemplateVersion => launch_template::create_version,
        DescribeLaunchTemplates => launch_template::describe,
        DescribeLaunchTemplateVersions => launch_template::describe_versions,
        DeleteLaunchTemplate => launch_template::delete,
        DeleteLaunchTemplateVersions => launch_template::delete_versions,
        ModifyLaunchTemplate => launch_template::modify,
        CreateKeyPair => key_pair::create,
        ImportKeyPair => key_pair::import,
        DeleteKeyPair => key_pair::delete,
        DescribeKeyPairs => key_pair::describe,
        CreateVolume => volume::create,
        DeleteVolume => volume::delete,
        AttachVolume => volume::attach,
        DetachVolume => volume::detach,
        DescribeVolumes => volume::describe,
        CreateTags => tag::create,
        DeleteTags => tag::delete,
        DescribeTags => tag::describe,
        DescribeRegions => region::describe_regions,
        DescribeAvailabilityZones => region::describe_zones,
        DescribeAccountAttributes => account::describe_attributes,
    });
    if dry_run {
        let message = "Request would have succeeded, but DryRun flag is set.";
        return Err(ApiError::new("DryRunOperation", message));
    }
    Ok(Answer {
        body,
        state: (!reads).then_some(call.state),
    })
}

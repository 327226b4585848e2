//! Classic balancers' policies on the wire.

use super::super::{Call, Outcome};
use crate::model::Refusal;
use crate::model::classic_load_balancer::policy::{self, APP_COOKIE, LB_COOKIE, PolicyType, TYPES};
use crate::model::classic_load_balancer::{self as classic, ClassicLoadBalancer, Policy};
use wire::elb::{
    AppCookieStickinessPolicy, CreateAppCookieStickinessPolicyInput,
    CreateAppCookieStickinessPolicyOutput, CreateLBCookieStickinessPolicyInput,
    CreateLBCookieStickinessPolicyOutput, CreateLoadBalancerPolicyInput,
    CreateLoadBalancerPolicyOutput, DeleteLoadBalancerPolicyInput, DeleteLoadBalancerPolicyOutput,
    DescribeLoadBalancerPoliciesInput, DescribeLoadBalancerPoliciesOutput,
    DescribeLoadBalancerPolicyTypesInput, DescribeLoadBalancerPolicyTypesOutput,
    LBCookieStickinessPolicy, Policies, PolicyAttributeDescription, PolicyAttributeTypeDescription,
    PolicyDescription, PolicyTypeDescription, SetLoadBalancerPoliciesForBackendServerInput,
    SetLoadBalancerPoliciesForBackendServerOutput, SetLoadBalancerPoliciesOfListenerInput,
    SetLoadBalancerPoliciesOfListenerOutput,
};

fn attribute(policy: &Policy, name: &str) -> Option<String> {
    let mut attributes = policy.attributes.iter();
    let found = attributes.find(|(key, _)| key == name);
    found.map(|(_, value)| value.clone())
}

/// A balancer's policies as its description has them.
pub(super) fn view_all(balancer: &ClassicLoadBalancer) -> Policies {
    let mut view = Policies::default();
    for policy in balancer.policies.values() {
        let name = Some(policy.name.clone());
        match policy.kind.as_str() {
            APP_COOKIE => view
                .app_cookie_stickiness_policies
                .push(AppCookieStickinessPolicy {
                    cookie_name: attribute(policy, "CookieName"),
                    policy_name: name,
                }),
            LB_COOKIE => view
                .lb_cookie_stickiness_policies
                .push(LBCookieStickinessPolicy {
                    cookie_expiration_period: attribute(policy, "CookieExpirationPeriod")
                        .and_then(|seconds| seconds.parse().ok()),
                    policy_name: name,
                }),
            _ => view.other_policies.extend(name),
        }
    }
    view
}

pub(super) fn create_app_cookie(
    call: &mut Call<'_>,
    request: CreateAppCookieStickinessPolicyInput,
) -> Outcome<CreateAppCookieStickinessPolicyOutput> {
    let policy = Policy {
        name: request.policy_name,
        kind: APP_COOKIE.to_owned(),
        attributes: vec![("CookieName".to_owned(), request.cookie_name)],
    };
    policy::create(
        &mut call.state,
        call.context,
        &request.load_balancer_name,
        policy,
    )?;
    Ok(CreateAppCookieStickinessPolicyOutput {})
}

pub(super) fn create_lb_cookie(
    call: &mut Call<'_>,
    request: CreateLBCookieStickinessPolicyInput,
) -> Outcome<CreateLBCookieStickinessPolicyOutput> {
    let seconds = request.cookie_expiration_period;
    let attribute = |seconds: i64| ("CookieExpirationPeriod".to_owned(), seconds.to_string());
    let policy = Policy {
        name: request.policy_name,
        kind: LB_COOKIE.to_owned(),
        attributes: seconds.map(attribute).into_iter().collect(),
    };
    policy::create(
        &mut call.state,
        call.context,
        &request.load_balancer_name,
        policy,
    )?;
    Ok(CreateLBCookieStickinessPolicyOutput {})
}

pub(super) fn create(
    call: &mut Call<'_>,
    request: CreateLoadBalancerPolicyInput,
) -> Outcome<CreateLoadBalancerPolicyOutput> {
    let attributes = request.policy_attributes.into_iter().map(|of| {
        let value = of.attribute_value.unwrap_or_default();
        (of.attribute_name.unwrap_or_default(), value)
    });
    let policy = Policy {
        name: request.policy_name,
        kind: request.policy_type_name,
        attributes: attributes.collect(),
    };
    policy::create(
        &mut call.state,
        call.context,
        &request.load_balancer_name,
        policy,
    )?;
    Ok(CreateLoadBalancerPolicyOutput {})
}

pub(super) fn delete(
    call: &mut Call<'_>,
    request: DeleteLoadBalancerPolicyInput,
) -> Outcome<DeleteLoadBalancerPolicyOutput> {
    let (name, policy) = (&request.load_balancer_name, &request.policy_name);
    policy::delete(&mut call.state, call.context, name, policy)?;
    Ok(DeleteLoadBalancerPolicyOutput {})
}

fn view(policy: &Policy) -> PolicyDescription {
    let attribute = |(key, value): &(String, String)| PolicyAttributeDescription {
        attribute_name: Some(key.clone()),
        attribute_value: Some(value.clone()),
    };
    PolicyDescription {
        policy_attribute_descriptions: policy.attributes.iter().map(attribute).collect(),
        policy_name: Some(policy.name.clone()),
        policy_type_name: Some(policy.kind.clone()),
    }
}

/// Without a balancer, AWS's own policies are told.
pub(super) fn describe(
    call: &mut Call<'_>,
    request: DescribeLoadBalancerPoliciesInput,
) -> Outcome<DescribeLoadBalancerPoliciesOutput> {
    let all: Vec<Policy> = match &request.load_balancer_name {
        Some(name) => {
            let balancer = classic::find(&call.state, call.context, name)?;
            balancer.policies.values().cloned().collect()
        }
        None => policy::predefined().collect(),
    };
    let names = &request.policy_names;
    if let Some(missing) = names
        .iter()
        .find(|name| !all.iter().any(|of| of.name == **name))
    {
        let message = format!("There is no policy with name {missing}");
        return Err(Refusal::new("PolicyNotFound", message).into());
    }
    let wanted = |of: &&Policy| names.is_empty() || names.contains(&of.name);
    Ok(DescribeLoadBalancerPoliciesOutput {
        policy_descriptions: all.iter().filter(wanted).map(view).collect(),
    })
}

pub(super) fn describe_types(
    _: &mut Call<'_>,
    request: DescribeLoadBalancerPolicyTypesInput,
) -> Outcome<DescribeLoadBalancerPolicyTypesOutput> {
    let names = &request.policy_type_names;
    if let Some(missing) = names
        .iter()
        .find(|name| !TYPES.iter().any(|of| of.name == **name))
    {
        let message = format!("Policy type {missing} not found");
        return Err(Refusal::new("PolicyTypeNotFound", message).into());
    }
    let attribute = |(name, kind, count): &(&str, &str, &str)| PolicyAttributeTypeDescription {
        attribute_name: Some((*name).to_owned()),
        attribute_type: Some((*kind).to_owned()),
        cardinality: Some((*count).to_owned()),
        ..Default::default()
    };
    let view = |of: &PolicyType| PolicyTypeDescription {
        description: Some(of.description.to_owned()),
        policy_attribute_type_descriptions: of.attributes.iter().map(attribute).collect(),
        policy_type_name: Some(of.name.to_owned()),
    };
    let wanted = |of: &&PolicyType| names.is_empty() || names.iter().any(|name| name == of.name);
    Ok(DescribeLoadBalancerPolicyTypesOutput {
        policy_type_descriptions: TYPES.iter().filter(wanted).map(view).collect(),
    })
}

pub(super) fn set_of_listener(
    call: &mut Call<'_>,
    request: SetLoadBalancerPoliciesOfListenerInput,
) -> Outcome<SetLoadBalancerPoliciesOfListenerOutput> {
    let (name, port) = (&request.load_balancer_name, request.load_balancer_port);
    let wanted = &request.policy_names;
    policy::set_of_listener(&mut call.state, call.context, name, port, wanted)?;
    Ok(SetLoadBalancerPoliciesOfListenerOutput {})
}

pub(super) fn set_of_backend(
    call: &mut Call<'_>,
    request: SetLoadBalancerPoliciesForBackendServerInput,
) -> Outcome<SetLoadBalancerPoliciesForBackendServerOutput> {
    let (name, port) = (&request.load_balancer_name, request.instance_port);
    let wanted = &request.policy_names;
    policy::set_of_backend(&mut call.state, call.context, name, port, wanted)?;
    Ok(SetLoadBalancerPoliciesForBackendServerOutput {})
}

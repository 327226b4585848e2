//! Quotas and security policies on the wire: what is the same for everybody.

use super::super::{Call, Outcome};
use super::page;
use crate::model::load_balancer::limit;
use crate::model::load_balancer::ssl_policy::{self, SslPolicy};
use wire::elbv2::{
    Cipher, DescribeAccountLimitsInput, DescribeAccountLimitsOutput, DescribeSSLPoliciesInput,
    DescribeSSLPoliciesOutput, Limit, LoadBalancerTypeEnum, SslPolicy as View,
};

pub(super) fn describe_account_limits(
    _: &mut Call<'_>,
    request: DescribeAccountLimitsInput,
) -> Outcome<DescribeAccountLimitsOutput> {
    let limit = |(name, max): &(&str, usize)| Limit {
        max: Some(max.to_string()),
        name: Some((*name).to_owned()),
    };
    let all = limit::LIMITS.iter().map(limit).collect();
    let (limits, next_marker) = page(all, request.page_size, request.marker.as_deref())?;
    Ok(DescribeAccountLimitsOutput {
        limits,
        next_marker,
    })
}

pub(super) fn describe_ssl_policies(
    _: &mut Call<'_>,
    request: DescribeSSLPoliciesInput,
) -> Outcome<DescribeSSLPoliciesOutput> {
    let gateway = request.load_balancer_type == Some(LoadBalancerTypeEnum::Gateway);
    let chosen: Vec<&SslPolicy> = match request.names.as_slice() {
        _ if gateway => Vec::new(),
        [] => ssl_policy::ALL.iter().collect(),
        names => names
            .iter()
            .map(|name| ssl_policy::find(name))
            .collect::<Result<_, _>>()?,
    };
    let (chosen, next_marker) = page(chosen, request.page_size, request.marker.as_deref())?;
    Ok(DescribeSSLPoliciesOutput {
        ssl_policies: chosen.into_iter().map(view).collect(),
        next_marker,
    })
}

fn view(policy: &SslPolicy) -> View {
    let owned = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect();
    let cipher = |(priority, name): (i32, &str)| Cipher {
        name: Some(name.to_owned()),
        priority: Some(priority),
    };
    View {
        ciphers: (1..).zip(policy.ciphers()).map(cipher).collect(),
        name: Some(policy.name.to_owned()),
        ssl_protocols: owned(policy.protocols),
        supported_load_balancer_types: owned(&["application", "network"]),
    }
}

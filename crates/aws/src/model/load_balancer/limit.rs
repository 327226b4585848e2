//! Quotas.
//!
//! <https://docs.aws.amazon.com/elasticloadbalancing/latest/application/load-balancer-limits.html>

use super::*;

/// What DescribeAccountLimits answers: names and numbers.
pub const LIMITS: [(&str, usize); 24] = [
    ("application-load-balancers", 50),
    ("certificates-per-application-load-balancer", 25),
    ("certificates-per-network-load-balancer", 25),
    ("condition-values-per-alb-rule", 5),
    ("condition-wildcards-per-alb-rule", 6),
    ("gateway-load-balancers", 100),
    ("gateway-load-balancers-per-vpc", 100),
    ("geneve-target-groups", 100),
    ("listeners-per-application-load-balancer", 50),
    ("listeners-per-network-load-balancer", 50),
    ("network-load-balancer-enis-per-vpc", 1200),
    ("network-load-balancers", 50),
    ("rules-per-application-load-balancer", 100),
    ("target-groups", 3000),
    ("target-groups-per-action-on-application-load-balancer", 5),
    ("target-groups-per-action-on-network-load-balancer", 1),
    ("target-groups-per-application-load-balancer", 100),
    (
        "target-id-registrations-per-application-load-balancer",
        1000,
    ),
    ("targets-per-application-load-balancer", 1000),
    (
        "targets-per-availability-zone-per-gateway-load-balancer",
        300,
    ),
    (
        "targets-per-availability-zone-per-network-load-balancer",
        500,
    ),
    ("targets-per-gateway-load-balancer", 300),
    ("targets-per-network-load-balancer", 3000),
    ("targets-per-target-group", 1000),
];

/// A quota's number.
pub(crate) fn of(name: &str) -> usize {
    LIMITS
        .iter()
        .find(|(of, _)| *of == name)
        .map_or(usize::MAX, |(_, limit)| *limit)
}

/// Refuses more than a quota, where quotas hold.
///
/// # Errors
/// The code given.
pub(crate) fn check(
    context: &Context,
    name: &str,
    count: usize,
    code: &'static str,
    message: &str,
) -> Result<(), Refusal> {
    if context.quotas && count > of(name) {
        return Err(Refusal::new(code, message));
    }
    Ok(())
}

//! Names, ARNs, DNS names and hosted zones.
//!
//! <https://docs.aws.amazon.com/service-authorization/latest/reference/list_awselasticloadbalancingv2.html>

use super::*;

/// The longest name of a balancer or target group.
const LONGEST: usize = 32;

/// A region's canonical hosted zones: those of application and classic balancers, and of network ones.
/// <https://docs.aws.amazon.com/general/latest/gr/elb.html>
const HOSTED_ZONES: [(&str, &str, &str); 8] = [
    ("us-east-1", "Z35SXDOTRQ7X7K", "Z26RNL4JYFTOTI"),
    ("us-east-2", "Z3AADJGX6KTTL2", "ZLMOA37VPKANP"),
    ("us-west-1", "Z368ELLRRE2KJ0", "Z24FKFUX50B4VW"),
    ("us-west-2", "Z1H1FL5HABSF5", "Z18D5FSROUN65G"),
    ("eu-west-1", "Z32O12XQLNTSW2", "Z2IFOLAFXWLO4F"),
    ("eu-central-1", "Z215JYRZR1TBD5", "Z3F0SRJ5LGBH90"),
    ("ap-northeast-1", "Z14GRHDCWA56QT", "Z31USIVHYNEOWT"),
    ("ap-southeast-1", "Z1LMS91P8CMLE5", "ZKVM4W9LS7TM"),
];

/// The hosted zone of a kind's DNS names in a region; gateway load balancers have none.
pub fn hosted_zone(region: &str, kind: Kind) -> Option<&'static str> {
    let (_, application, network) = HOSTED_ZONES.iter().find(|(name, ..)| *name == region)?;
    match kind {
        Kind::Application => Some(application),
        Kind::Network => Some(network),
        Kind::Gateway => None,
    }
}

/// Sixteen hexadecimal digits, the unique part of an ARN.
pub(crate) fn hash(state: &mut State) -> String {
    // Ids have seventeen, the first of them always 0.
    state.digits().split_off(1)
}

/// A DNS name's number: nine or ten digits.
pub(crate) fn number(state: &mut State) -> u32 {
    let bytes = state.bytes();
    let drawn = u32::from_be_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]);
    100_000_000 + drawn % 2_000_000_000
}

/// A balancer's DNS name.
pub(crate) fn dns_name(
    state: &mut State,
    region: &str,
    (kind, scheme): (Kind, Scheme),
    name: &str,
    hash: &str,
) -> String {
    match (kind, scheme) {
        (Kind::Application, Scheme::InternetFacing) => {
            format!("{name}-{}.{region}.elb.amazonaws.com", number(state))
        }
        (Kind::Application, Scheme::Internal) => {
            format!(
                "internal-{name}-{}.{region}.elb.amazonaws.com",
                number(state)
            )
        }
        _ => format!("{name}-{hash}.elb.{region}.amazonaws.com"),
    }
}

fn prefix(region: &str, account: &str) -> String {
    format!("arn:aws:elasticloadbalancing:{region}:{account}")
}

/// A balancer's ARN.
pub(crate) fn balancer(region: &str, account: &str, kind: Kind, name: &str, hash: &str) -> String {
    let (prefix, kind) = (prefix(region, account), kind.short());
    format!("{prefix}:loadbalancer/{kind}/{name}/{hash}")
}

/// A target group's ARN.
pub(crate) fn target_group(region: &str, account: &str, name: &str, hash: &str) -> String {
    format!("{}:targetgroup/{name}/{hash}", prefix(region, account))
}

/// The ARN of a balancer's listener.
pub(crate) fn listener(balancer: &str, hash: &str) -> String {
    let of = balancer.replacen(":loadbalancer/", ":listener/", 1);
    format!("{of}/{hash}")
}

/// The ARN of a listener's rule.
pub(crate) fn rule(listener: &str, hash: &str) -> String {
    let of = listener.replacen(":listener/", ":listener-rule/", 1);
    format!("{of}/{hash}")
}

/// Whether a text has the form of the ARN of a kind of resource.
pub(crate) fn is_arn(text: &str, resource: &str) -> bool {
    let mut parts = text.splitn(6, ':');
    let head = [parts.next(), parts.next(), parts.next()];
    let last = parts.nth(2).unwrap_or_default();
    head == [Some("arn"), Some("aws"), Some("elasticloadbalancing")]
        && last.split('/').next() == Some(resource)
        && last.contains('/')
}

/// Refuses a name that can't be: `what` is `Load balancer` or `Target group`.
///
/// # Errors
/// `ValidationError`.
pub(crate) fn check(what: &str, name: &str) -> Result<(), Refusal> {
    let problem = if name.is_empty() {
        "must not be empty"
    } else if name.chars().count() > LONGEST {
        "cannot be longer than '32' characters"
    } else if !name.chars().all(|c| c.is_ascii_alphanumeric() || c == '-') {
        "can only contain characters that are alphanumeric characters and hyphens(-)"
    } else if name.starts_with('-') || name.ends_with('-') {
        "cannot begin or end with '-'"
    } else if what == "Load balancer" && name.starts_with("internal-") {
        "cannot begin with 'internal-'"
    } else {
        return Ok(());
    };
    let lower = if what == "Load balancer" {
        "The load balancer name"
    } else {
        "Target group name"
    };
    Err(invalid(format!("{lower} '{name}' {problem}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// AWS-ALB, AWS-NLB: ARNs nest as AWS's do.
    #[test]
    fn arns_nest() {
        let of = balancer(
            "us-west-2",
            "123456789012",
            Kind::Network,
            "n",
            "0123456789abcdef",
        );
        assert_eq!(
            of,
            "arn:aws:elasticloadbalancing:us-west-2:123456789012:loadbalancer/net/n/0123456789abcdef"
        );
        let listener = listener(&of, "1");
        assert!(listener.ends_with(":listener/net/n/0123456789abcdef/1"));
        let rule = rule(&listener, "2");
        assert!(rule.ends_with(":listener-rule/net/n/0123456789abcdef/1/2"));
        assert!(is_arn(&of, "loadbalancer") && is_arn(&rule, "listener-rule"));
        assert!(!is_arn(&rule, "listener") && !is_arn("app", "loadbalancer"));
    }
}

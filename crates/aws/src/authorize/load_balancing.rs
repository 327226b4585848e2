//! What Elastic Load Balancing's operations ask.
//!
//! Tags that come with a creation ask for nothing more, as in accounts that made such calls before AWS began to ask
//! for `elasticloadbalancing:AddTags`: the policies that controllers of that time came with don't have it.
//! <https://docs.aws.amazon.com/service-authorization/latest/reference/list_awselasticloadbalancingv2.html>

use super::parameters::{tags, text, texts};
use super::{Place, Question, request_tags, resource_tags};
use crate::model::load_balancer;
use crate::policy::Keys;

/// The parameters that name what an operation is about, the closest first.
const NAMED: [&str; 5] = [
    "ResourceArns",
    "RuleArn",
    "ListenerArn",
    "TargetGroupArn",
    "LoadBalancerArn",
];

impl Place<'_> {
    pub(super) fn load_balancing(&self) -> Vec<Question> {
        let operation = self.asking.operation;
        if operation.starts_with("Describe") {
            return Vec::new();
        }
        let given = tags(self.asking.parameters, "Tags");
        self.resources()
            .into_iter()
            .map(|arn| {
                let mut keys = self.own_tags(&arn);
                request_tags(&mut keys, &given);
                self.on(arn, keys)
            })
            .collect()
    }

    fn resources(&self) -> Vec<String> {
        let parameters = self.asking.parameters;
        if let Some(made) = self.made() {
            return vec![made];
        }
        for name in NAMED {
            let arns = texts(parameters, name);
            if !arns.is_empty() {
                return arns.into_iter().map(str::to_owned).collect();
            }
        }
        if self.asking.operation == "SetRulePriorities" {
            let rules = super::parameters::items(parameters, "RulePriorities");
            let arns = rules.into_iter().filter_map(|rule| text(rule, "RuleArn"));
            return arns.map(str::to_owned).collect();
        }
        // The first generation names balancers.
        let one = texts(parameters, "LoadBalancerName").into_iter();
        let several = texts(parameters, "LoadBalancerNames").into_iter();
        one.chain(several)
            .map(|name| self.arn(&format!("loadbalancer/{name}")))
            .collect()
    }

    /// What is about to be made under a name of its own.
    fn made(&self) -> Option<String> {
        let parameters = self.asking.parameters;
        let name = text(parameters, "Name")?;
        match self.asking.operation {
            "CreateLoadBalancer" => {
                let kind = match text(parameters, "Type") {
                    Some("network") => "net",
                    Some("gateway") => "gwy",
                    _ => "app",
                };
                Some(self.arn(&format!("loadbalancer/{kind}/{name}/*")))
            }
            "CreateTargetGroup" => Some(self.arn(&format!("targetgroup/{name}/*"))),
            _ => None,
        }
    }

    /// The tags that a balancer, a listener, a rule or a target group has.
    fn own_tags(&self, arn: &str) -> Keys {
        let mut keys = Keys::default();
        if let Ok(own) = load_balancer::tags::of(self.state, self.context, arn) {
            resource_tags(&mut keys, "elasticloadbalancing", &own);
            return keys;
        }
        let classic = arn.rsplit_once(":loadbalancer/").map(|(_, name)| name);
        let mut balancers = self.state.classic_load_balancers.values();
        let found = balancers
            .find(|of| of.region == self.context.region && Some(of.name.as_str()) == classic);
        if let Some(found) = found {
            resource_tags(&mut keys, "elasticloadbalancing", &found.tags);
        }
        keys
    }
}

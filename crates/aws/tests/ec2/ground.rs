//! Where load balancers stand: a VPC that reaches the internet.

use crate::account::{Account, Document};

/// An account with a VPC that reaches the internet and a subnet in each of two zones.
pub(crate) struct Ground {
    pub(crate) account: Account,
    pub(crate) vpc: String,
    pub(crate) subnets: [String; 2],
}

impl Ground {
    pub(crate) fn new() -> Self {
        let mut account = Account::new();
        let vpc = account.vpc("10.0.0.0/16");
        account.internet_gateway(&vpc);
        let mut subnet = |cidr, zone| {
            let asked = [
                ("VpcId", vpc.as_str()),
                ("CidrBlock", cidr),
                ("AvailabilityZone", zone),
            ];
            account.make("subnetId", "CreateSubnet", &asked)
        };
        let subnets = [
            subnet("10.0.1.0/24", "us-west-2a"),
            subnet("10.0.2.0/24", "us-west-2b"),
        ];
        Self {
            account,
            vpc,
            subnets,
        }
    }

    pub(crate) fn ok(&mut self, action: &str, asked: &[(&str, &str)]) -> Document {
        self.account
            .balancing(action, asked)
            .unwrap_or_else(|(code, message)| panic!("{action} {asked:?}: {code}: {message}"))
    }

    /// Calls what must be refused: the code and the words. Nothing may have changed.
    pub(crate) fn refusal(&mut self, action: &str, asked: &[(&str, &str)]) -> (String, String) {
        let before = self.account.state.clone();
        match self.account.balancing(action, asked) {
            Ok(document) => panic!("{action} {asked:?} succeeded: {}", document.0),
            Err(refusal) => {
                assert!(self.account.state.changes(&before).is_empty(), "{action}");
                refusal
            }
        }
    }

    pub(crate) fn refused(&mut self, action: &str, asked: &[(&str, &str)]) -> String {
        self.refusal(action, asked).0
    }

    /// A balancer in both subnets: its ARN.
    pub(crate) fn balancer(&mut self, name: &str, more: &[(&str, &str)]) -> String {
        let subnets = self.subnets.clone();
        let mut asked = vec![
            ("Name", name),
            ("Subnets.member.1", subnets[0].as_str()),
            ("Subnets.member.2", subnets[1].as_str()),
        ];
        asked.extend(more);
        self.ok("CreateLoadBalancer", &asked).one("LoadBalancerArn")
    }

    /// A target group of instances: its ARN.
    pub(crate) fn group(&mut self, name: &str, protocol: &str, more: &[(&str, &str)]) -> String {
        let vpc = self.vpc.clone();
        let mut asked = vec![
            ("Name", name),
            ("Protocol", protocol),
            ("Port", "80"),
            ("VpcId", vpc.as_str()),
        ];
        asked.extend(more);
        self.ok("CreateTargetGroup", &asked).one("TargetGroupArn")
    }

    /// A listener that forwards to a group: its ARN.
    pub(crate) fn listener(
        &mut self,
        balancer: &str,
        protocol: &str,
        port: &str,
        group: &str,
    ) -> String {
        let asked = [
            ("LoadBalancerArn", balancer),
            ("Protocol", protocol),
            ("Port", port),
            ("DefaultActions.member.1.Type", "forward"),
            ("DefaultActions.member.1.TargetGroupArn", group),
        ];
        self.ok("CreateListener", &asked).one("ListenerArn")
    }

    /// The interfaces that a service made with such a description.
    pub(crate) fn interfaces(&mut self, description: &str) -> Document {
        let asked = [
            ("Filter.1.Name", "description"),
            ("Filter.1.Value.1", description),
        ];
        self.account.ok("DescribeNetworkInterfaces", &asked)
    }
}

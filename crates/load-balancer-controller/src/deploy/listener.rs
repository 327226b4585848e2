//! Listeners.

use super::{Deployer, tags};
use crate::failure::Failure;
use crate::model::action::{self, TargetRef};
use crate::model::stack::{Balancer, Listener, Stack};
use aws_client::Aws;
use aws_client::answer::{list, text, texts};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};

/// The ARNs of a stack's target groups, by name.
pub(super) type Arns = BTreeMap<String, String>;

/// The ARN of a target group.
pub(super) fn resolve(arns: &Arns) -> impl Fn(&TargetRef) -> String + '_ {
    |of| match of {
        TargetRef::Own(name) => arns.get(name).cloned().unwrap_or_default(),
        TargetRef::Arn(arn) => arn.clone(),
    }
}

impl<A: Aws> Deployer<A> {
    /// Makes a load balancer's listeners as they should be, with their rules.
    pub(super) async fn listeners(
        &self,
        stack: &Stack,
        balancer: (&str, &Balancer),
        arns: &Arns,
        fresh: bool,
    ) -> Result<(), Failure> {
        let (arn, wanted) = balancer;
        let there = match fresh {
            true => Vec::new(),
            false => {
                let asked = json!({"LoadBalancerArn": arn});
                self.calls
                    .all("DescribeListeners", asked, "Listeners")
                    .await?
            }
        };
        for gone in &there {
            let port = text(gone, "Port");
            if !wanted
                .listeners
                .iter()
                .any(|of| of.port.to_string() == port)
            {
                let asked = json!({"ListenerArn": gone["ListenerArn"]});
                self.calls.elb("DeleteListener", asked).await?;
            }
        }
        for listener in &wanted.listeners {
            let port = listener.port.to_string();
            let found = there.iter().find(|of| text(of, "Port") == port);
            self.listener(stack, arn, listener, found, arns).await?;
        }
        Ok(())
    }

    async fn listener(
        &self,
        stack: &Stack,
        balancer: &str,
        wanted: &Listener,
        found: Option<&Value>,
        arns: &Arns,
    ) -> Result<(), Failure> {
        let resolve = resolve(arns);
        let first = wanted.certificates.first();
        let first = first.map(|arn| json!([{"CertificateArn": arn}]));
        let asked = json!({
            "Port": wanted.port, "Protocol": wanted.protocol, "SslPolicy": wanted.policy,
            "Certificates": first,
            "AlpnPolicy": wanted.alpn.as_ref().map(|of| json!([of])),
            "DefaultActions": action::wire(&wanted.default, &resolve),
        });
        let resource = wanted.port.to_string();
        let all = self.tags(stack, &resource, &wanted.tags);
        let arn = match found {
            Some(found) => {
                let arn = text(found, "ListenerArn").to_owned();
                if !is(wanted, found, &resolve) {
                    let mut asked = asked;
                    asked["ListenerArn"] = json!(arn);
                    self.calls.elb("ModifyListener", asked).await?;
                    tracing::info!(arn, "modified listener");
                }
                let has = self.tags_of(&arn).await?;
                tags::bring(&self.calls, &arn, &has, &all).await?;
                arn
            }
            None => {
                let mut asked = asked;
                asked["LoadBalancerArn"] = json!(balancer);
                asked["Tags"] = tags::wire(&all);
                let made = self.calls.elb("CreateListener", asked).await?;
                let made = list(&made, "Listeners").first();
                let arn = made.map(|of| text(of, "ListenerArn").to_owned());
                let arn = arn.unwrap_or_default();
                tracing::info!(arn, "created listener");
                arn
            }
        };
        self.certificates(&arn, wanted, found.is_some()).await?;
        self.listener_attributes(&arn, wanted).await?;
        self.rules(stack, &arn, wanted, arns, found.is_none()).await
    }

    /// The tags of a listener.
    async fn tags_of(&self, arn: &str) -> Result<crate::model::stack::Pairs, Failure> {
        let asked = json!({"ResourceArns": [arn]});
        let answer = self.calls.elb("DescribeTags", asked).await?;
        let told = list(&answer, "TagDescriptions").first();
        let tags = told
            .map(|told| list(told, "Tags"))
            .unwrap_or_default()
            .iter();
        Ok(tags
            .map(|tag| (text(tag, "Key").to_owned(), text(tag, "Value").to_owned()))
            .collect())
    }

    /// Gives a listener its certificates beyond the default one.
    async fn certificates(&self, arn: &str, wanted: &Listener, look: bool) -> Result<(), Failure> {
        if wanted.policy.is_none() {
            return Ok(());
        }
        let more: BTreeSet<&String> = wanted.certificates.iter().skip(1).collect();
        let there = match look {
            false => Vec::new(),
            true => {
                let asked = json!({"ListenerArn": arn});
                let operation = "DescribeListenerCertificates";
                self.calls.all(operation, asked, "Certificates").await?
            }
        };
        let there: BTreeSet<String> = there
            .iter()
            .filter(|of| text(of, "IsDefault") != "true")
            .map(|of| text(of, "CertificateArn").to_owned())
            .collect();
        let asked = |all: Vec<&String>| {
            let all = all.into_iter().map(|arn| json!({"CertificateArn": arn}));
            json!({"ListenerArn": arn, "Certificates": all.collect::<Vec<_>>()})
        };
        let new: Vec<&String> = more
            .iter()
            .copied()
            .filter(|of| !there.contains(*of))
            .collect();
        if !new.is_empty() {
            self.calls
                .elb("AddListenerCertificates", asked(new))
                .await?;
        }
        let first = wanted.certificates.first();
        let gone = there
            .iter()
            .filter(|of| !more.contains(of) && Some(*of) != first);
        let gone: Vec<&String> = gone.collect();
        if !gone.is_empty() {
            self.calls
                .elb("RemoveListenerCertificates", asked(gone))
                .await?;
        }
        Ok(())
    }

    async fn listener_attributes(&self, arn: &str, wanted: &Listener) -> Result<(), Failure> {
        if wanted.attributes.is_empty() {
            return Ok(());
        }
        let asked = json!({"ListenerArn": arn});
        let answer = self.calls.elb("DescribeListenerAttributes", asked).await?;
        if let Some(changed) = super::differing(&wanted.attributes, list(&answer, "Attributes")) {
            let asked = json!({"ListenerArn": arn, "Attributes": tags::attributes(&changed)});
            self.calls.elb("ModifyListenerAttributes", asked).await?;
        }
        Ok(())
    }
}

/// Whether a listener that was described is the wanted one, but for its rules.
fn is(wanted: &Listener, described: &Value, resolve: action::Resolve<'_>) -> bool {
    let certificates = list(described, "Certificates").first();
    let first = certificates.map(|of| text(of, "CertificateArn"));
    let alpn = texts(described, "AlpnPolicy");
    text(described, "Protocol") == wanted.protocol
        && text(described, "SslPolicy") == wanted.policy.as_deref().unwrap_or_default()
        && first == wanted.certificates.first().map(String::as_str)
        && wanted.alpn.as_ref().is_none_or(|of| alpn.contains(of))
        && action::are(&wanted.default, list(described, "DefaultActions"), resolve)
}

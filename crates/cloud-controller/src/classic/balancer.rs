//! The load balancer itself: made, or brought up to date.

use super::Classic;
use crate::aws::{Aws, list, text, texts};
use crate::failure::Failure;
use crate::listener::Listener;
use crate::service::Service;
use crate::settings::Settings;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};

/// The policy of node ports that are told callers' addresses.
const PROXY_PROTOCOL: &str = "k8s-proxyprotocol-enabled";
/// What names of policies of ciphers begin with.
const NEGOTIATION: &str = "k8s-SSLNegotiationPolicy-";
/// The tag with the service's name.
const SERVICE_TAG: &str = "kubernetes.io/service-name";

impl<A: Aws> Classic<'_, A> {
    /// The load balancer with listeners, subnets, groups and attributes as they are to be.
    pub(super) async fn balancer(
        &self,
        service: &Service,
        settings: &Settings,
        listeners: &[Listener],
        subnets: &[String],
        groups: &[String],
    ) -> Result<Value, Failure> {
        let name = service.balancer();
        let found = self.find(&name).await?;
        let mut changed = found.is_none();
        match &found {
            None => {
                let made = self.request(service, settings, listeners, subnets, groups);
                let doing = "error creating load balancer";
                self.calls
                    .classic(doing, "CreateLoadBalancer", made)
                    .await?;
            }
            Some(balancer) => {
                changed |= self.sync_subnets(&name, balancer, subnets).await?;
                changed |= self.sync_groups(&name, balancer, groups).await?;
                changed |= self.sync_listeners(&name, balancer, listeners).await?;
                self.sync_tags(&name, settings).await?;
            }
        }
        let before = found.unwrap_or(Value::Null);
        changed |= self
            .sync_proxy_protocol(&name, &before, listeners, settings.proxy_protocol)
            .await?;
        changed |= self.sync_attributes(&name, settings).await?;
        changed |= self
            .sync_negotiation(&name, &before, listeners, settings)
            .await?;
        if !changed {
            return Ok(before);
        }
        let now = self.find(&name).await?;
        now.ok_or_else(|| Failure::service("the load balancer is gone again"))
    }

    fn request(
        &self,
        service: &Service,
        settings: &Settings,
        listeners: &[Listener],
        subnets: &[String],
        groups: &[String],
    ) -> Value {
        let mut tags: BTreeMap<&str, &str> = settings
            .tags
            .iter()
            .map(|(key, value)| (key.as_str(), value.as_str()))
            .collect();
        let (path, own) = (service.path(), self.home.tag());
        tags.insert(SERVICE_TAG, &path);
        tags.insert(&own, "owned");
        let tags = tags.iter();
        json!({
            "LoadBalancerName": service.balancer(),
            "Listeners": listeners.iter().map(Listener::wire).collect::<Vec<_>>(),
            "Subnets": subnets, "SecurityGroups": groups,
            "Scheme": settings.internal.then_some("internal"),
            "Tags": tags.map(|(key, value)| json!({"Key": key, "Value": value})).collect::<Vec<_>>(),
        })
    }

    async fn sync_subnets(
        &self,
        name: &str,
        balancer: &Value,
        wanted: &[String],
    ) -> Result<bool, Failure> {
        let has: BTreeSet<String> = texts(balancer, "Subnets").into_iter().collect();
        let wanted: BTreeSet<String> = wanted.iter().cloned().collect();
        let gone: Vec<&String> = has.difference(&wanted).collect();
        let new: Vec<&String> = wanted.difference(&has).collect();
        let asked = |subnets: &[&String]| json!({"LoadBalancerName": name, "Subnets": subnets});
        if !gone.is_empty() {
            let doing = "error detaching AWS loadbalancer from subnets";
            let operation = "DetachLoadBalancerFromSubnets";
            self.calls.classic(doing, operation, asked(&gone)).await?;
        }
        if !new.is_empty() {
            let doing = "error attaching AWS loadbalancer to subnets";
            let operation = "AttachLoadBalancerToSubnets";
            self.calls.classic(doing, operation, asked(&new)).await?;
        }
        Ok(!gone.is_empty() || !new.is_empty())
    }

    async fn sync_groups(
        &self,
        name: &str,
        balancer: &Value,
        wanted: &[String],
    ) -> Result<bool, Failure> {
        let has: BTreeSet<String> = texts(balancer, "SecurityGroups").into_iter().collect();
        if has == wanted.iter().cloned().collect() {
            return Ok(false);
        }
        let doing = "error applying AWS loadbalancer security groups";
        let asked = json!({"LoadBalancerName": name, "SecurityGroups": wanted});
        let operation = "ApplySecurityGroupsToLoadBalancer";
        self.calls.classic(doing, operation, asked).await?;
        Ok(true)
    }

    async fn sync_listeners(
        &self,
        name: &str,
        balancer: &Value,
        wanted: &[Listener],
    ) -> Result<bool, Failure> {
        let has: Vec<&Value> = listeners_of(balancer).collect();
        let gone = has
            .iter()
            .filter(|listener| !wanted.iter().any(|of| of.is(listener)));
        let gone: Vec<&str> = gone.map(|of| text(of, "LoadBalancerPort")).collect();
        let new = wanted
            .iter()
            .filter(|of| !has.iter().any(|listener| of.is(listener)));
        let new: Vec<Value> = new.map(Listener::wire).collect();
        if !gone.is_empty() {
            let doing = "error deleting AWS loadbalancer listeners";
            let asked = json!({"LoadBalancerName": name, "LoadBalancerPorts": gone});
            let operation = "DeleteLoadBalancerListeners";
            self.calls.classic(doing, operation, asked).await?;
        }
        let changed = !gone.is_empty() || !new.is_empty();
        if !new.is_empty() {
            let doing = "error creating AWS loadbalancer listeners";
            let asked = json!({"LoadBalancerName": name, "Listeners": new});
            let operation = "CreateLoadBalancerListeners";
            self.calls.classic(doing, operation, asked).await?;
        }
        Ok(changed)
    }

    /// Adds the tags that the service asks for; which there are, the role needn't be able to see.
    async fn sync_tags(&self, name: &str, settings: &Settings) -> Result<(), Failure> {
        if settings.tags.is_empty() {
            return Ok(());
        }
        let tags = settings.tags.iter();
        let tags: Vec<Value> = tags
            .map(|(key, value)| json!({"Key": key, "Value": value}))
            .collect();
        let asked = json!({"LoadBalancerNames": [name], "Tags": tags});
        let doing = "unable to create additional load balancer tags";
        self.calls.classic(doing, "AddTags", asked).await?;
        Ok(())
    }

    /// Tells node ports callers' addresses, or no longer.
    async fn sync_proxy_protocol(
        &self,
        name: &str,
        balancer: &Value,
        listeners: &[Listener],
        on: bool,
    ) -> Result<bool, Failure> {
        let mut has: BTreeMap<u16, bool> = BTreeMap::new();
        for backend in list(balancer, "BackendServerDescriptions") {
            let enabled = texts(backend, "PolicyNames")
                .iter()
                .any(|policy| policy == PROXY_PROTOCOL);
            if let Ok(port) = text(backend, "InstancePort").parse() {
                has.insert(port, enabled);
            }
        }
        let mut wanted: BTreeMap<u16, bool> = has.keys().map(|port| (*port, false)).collect();
        wanted.extend(listeners.iter().map(|of| (of.instance_port, on)));
        let differing: Vec<(u16, bool)> = wanted
            .into_iter()
            .filter(|(port, on)| has.get(port).copied().unwrap_or(false) != *on)
            .collect();
        if differing.iter().any(|(_, on)| *on) {
            self.policy(
                name,
                PROXY_PROTOCOL,
                "ProxyProtocolPolicyType",
                ("ProxyProtocol", "true"),
            )
            .await?;
        }
        for (port, on) in &differing {
            let policies: &[&str] = if *on { &[PROXY_PROTOCOL] } else { &[] };
            let asked = json!({
                "LoadBalancerName": name, "InstancePort": port, "PolicyNames": policies,
            });
            let doing = "error adjusting AWS loadbalancer backend policies";
            let operation = "SetLoadBalancerPoliciesForBackendServer";
            self.calls.classic(doing, operation, asked).await?;
        }
        Ok(!differing.is_empty())
    }

    /// Gives listeners with TLS the policy of ciphers that the service asks for.
    async fn sync_negotiation(
        &self,
        name: &str,
        balancer: &Value,
        listeners: &[Listener],
        settings: &Settings,
    ) -> Result<bool, Failure> {
        let Some(said) = &settings.negotiation else {
            return Ok(false);
        };
        let policy = format!("{NEGOTIATION}{said}");
        let descriptions = list(balancer, "ListenerDescriptions").iter();
        let done: Vec<&str> = descriptions
            .filter(|of| texts(of, "PolicyNames").contains(&policy))
            .map(|of| text(&of["Listener"], "LoadBalancerPort"))
            .collect();
        let with_tls = listeners
            .iter()
            .filter(|of| ["SSL", "HTTPS"].contains(&of.protocol));
        let ports: Vec<u16> = with_tls
            .map(|of| of.port)
            .filter(|port| !done.contains(&port.to_string().as_str()))
            .collect();
        if ports.is_empty() {
            return Ok(false);
        }
        let kind = "SSLNegotiationPolicyType";
        self.policy(name, &policy, kind, ("Reference-Security-Policy", said))
            .await?;
        for port in ports {
            let asked = json!({
                "LoadBalancerName": name, "LoadBalancerPort": port, "PolicyNames": [policy],
            });
            let doing = "error setting SSL negotiation policy on load balancer";
            let operation = "SetLoadBalancerPoliciesOfListener";
            self.calls.classic(doing, operation, asked).await?;
        }
        Ok(true)
    }

    /// Makes a policy unless there is one of that name.
    async fn policy(
        &self,
        balancer: &str,
        name: &str,
        kind: &str,
        (attribute, value): (&str, &str),
    ) -> Result<(), Failure> {
        let asked = json!({
            "LoadBalancerName": balancer, "PolicyName": name, "PolicyTypeName": kind,
            "PolicyAttributes": [{"AttributeName": attribute, "AttributeValue": value}],
        });
        let doing = "error creating policy on load balancer";
        let operation = "CreateLoadBalancerPolicy";
        match self.calls.classic(doing, operation, asked).await {
            Err(error) if error.code() != Some("DuplicatePolicyName") => Err(error),
            _ => Ok(()),
        }
    }

    async fn sync_attributes(&self, name: &str, settings: &Settings) -> Result<bool, Failure> {
        let doing = "Unable to retrieve load balancer attributes during attribute sync";
        let asked = json!({"LoadBalancerName": name});
        let operation = "DescribeLoadBalancerAttributes";
        let answer = self.calls.classic(doing, operation, asked).await?;
        if has_attributes(&answer["LoadBalancerAttributes"], settings) {
            return Ok(false);
        }
        let (draining, within) = settings.draining;
        let asked = json!({"LoadBalancerName": name, "LoadBalancerAttributes": {
            "AccessLog": {"Enabled": false},
            "ConnectionDraining": {"Enabled": draining, "Timeout": within},
            "ConnectionSettings": {"IdleTimeout": settings.idle_timeout},
            "CrossZoneLoadBalancing": {"Enabled": settings.cross_zone},
        }});
        let doing = "Unable to update load balancer attributes during attribute sync";
        let operation = "ModifyLoadBalancerAttributes";
        self.calls.classic(doing, operation, asked).await?;
        Ok(true)
    }
}

fn listeners_of(balancer: &Value) -> impl Iterator<Item = &Value> {
    list(balancer, "ListenerDescriptions")
        .iter()
        .map(|of| &of["Listener"])
}

/// Whether a load balancer's attributes are those that are asked for.
fn has_attributes(has: &Value, settings: &Settings) -> bool {
    let (draining, within) = settings.draining;
    let timeout = text(&has["ConnectionDraining"], "Timeout");
    text(&has["CrossZoneLoadBalancing"], "Enabled") == settings.cross_zone.to_string()
        && text(&has["ConnectionSettings"], "IdleTimeout") == settings.idle_timeout.to_string()
        && text(&has["ConnectionDraining"], "Enabled") == draining.to_string()
        && within.is_none_or(|within| !draining || timeout == within.to_string())
}

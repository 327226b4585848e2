//! A pod's resolver.
//! <https://kubernetes.io/docs/concepts/services-networking/dns-pod-service/>

use crate::config::KubeletConfig;
use crate::pod::Pod;
use cri::Dns;

/// A resolver takes so many servers (`MAXNS`).
const SERVERS: usize = 3;
/// And so many domains, with so many characters in all.
const SEARCHES: usize = 32;
const CHARACTERS: usize = 2048;

/// The resolver's configuration; and whether the pod wanted the cluster's and there is none.
pub(crate) fn of(pod: &Pod, config: &KubeletConfig) -> (Dns, bool) {
    let spec = &pod.spec;
    let of_cluster = match spec.dns_policy.as_str() {
        "ClusterFirstWithHostNet" => true,
        "None" | "Default" => false,
        _ => !spec.host_network,
    };
    let missing = of_cluster && config.cluster_dns.is_empty();
    let mut dns = match spec.dns_policy.as_str() {
        "None" => Dns::default(),
        _ if of_cluster && !missing => cluster(pod, config),
        _ => config.node_dns.clone(),
    };
    let own = &spec.dns_config;
    add(&mut dns.servers, &own.nameservers);
    add(&mut dns.searches, &own.searches);
    for option in &own.options {
        dns.options
            .retain(|known| known.split(':').next() != Some(option.name.as_str()));
        dns.options.push(match &option.value {
            Some(value) => format!("{}:{value}", option.name),
            None => option.name.clone(),
        });
    }
    fit(&mut dns);
    (dns, missing)
}

fn cluster(pod: &Pod, config: &KubeletConfig) -> Dns {
    let domain = &config.cluster_domain;
    let namespace = &pod.metadata.namespace;
    let mut searches = Vec::new();
    if !domain.is_empty() {
        searches = vec![
            format!("{namespace}.svc.{domain}"),
            format!("svc.{domain}"),
            domain.clone(),
        ];
    }
    add(&mut searches, &config.node_dns.searches);
    Dns {
        servers: config.cluster_dns.iter().map(ToString::to_string).collect(),
        searches,
        options: vec!["ndots:5".to_owned()],
    }
}

fn add(list: &mut Vec<String>, more: &[String]) {
    for item in more {
        if !list.contains(item) {
            list.push(item.clone());
        }
    }
}

fn fit(dns: &mut Dns) {
    dns.servers.truncate(SERVERS);
    dns.searches.truncate(SEARCHES);
    while dns.searches.join(" ").len() > CHARACTERS {
        dns.searches.pop();
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::testing::config;
    use serde_json::{Value, json};

    fn dns(spec: Value) -> Dns {
        let pod = json!({"metadata": {"namespace": "shop"}, "spec": spec});
        let mut config = config();
        config.cluster_dns = vec!["10.96.0.10".parse().unwrap()];
        config.node_dns = Dns {
            servers: vec!["10.0.0.2".into()],
            searches: vec!["us-west-2.compute.internal".into()],
            options: Vec::new(),
        };
        of(&Pod::read(&pod).unwrap(), &config).0
    }

    /// K8S-RUN: the documented policies.
    #[test]
    fn policies() {
        let cluster = dns(json!({"dnsPolicy": "ClusterFirst"}));
        assert_eq!(cluster.servers, ["10.96.0.10"]);
        assert_eq!(
            cluster.searches,
            [
                "shop.svc.cluster.local",
                "svc.cluster.local",
                "cluster.local",
                "us-west-2.compute.internal",
            ]
        );
        assert_eq!(cluster.options, ["ndots:5"]);
        for spec in [
            json!({"dnsPolicy": "Default"}),
            json!({"dnsPolicy": "ClusterFirst", "hostNetwork": true}),
        ] {
            assert_eq!(dns(spec).servers, ["10.0.0.2"]);
        }
        let host = dns(json!({"dnsPolicy": "ClusterFirstWithHostNet", "hostNetwork": true}));
        assert_eq!(host.servers, ["10.96.0.10"]);
        let none = dns(json!({"dnsPolicy": "None", "dnsConfig": {
            "nameservers": ["192.0.2.1", "192.0.2.2", "192.0.2.3", "192.0.2.4"],
            "searches": ["a"], "options": [{"name": "ndots", "value": "2"}, {"name": "edns0"}]}}));
        assert_eq!(none.servers, ["192.0.2.1", "192.0.2.2", "192.0.2.3"]);
        assert_eq!(none.options, ["ndots:2", "edns0"]);
    }

    #[test]
    fn a_pods_own_words_are_added() {
        let own = dns(json!({"dnsConfig": {"searches": ["svc.cluster.local", "x"],
            "options": [{"name": "ndots", "value": "1"}]}}));
        assert_eq!(own.options, ["ndots:1"]);
        assert_eq!(own.searches.len(), 5);
    }
}

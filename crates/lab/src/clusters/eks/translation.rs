//! Under which address what the pods of an EKS node send leaves the VPC, as the VPC CNI has it.
//!
//! <https://docs.aws.amazon.com/eks/latest/userguide/external-snat.html>

use aws::model::State;
use fabric::{HostId, SourceNat};
use ipnet::Ipv4Net;
use kube::object;
use kube::store::{Key, Store};
use serde_json::Value;

/// What a node translates; nothing where the plugin is told not to, or isn't there.
pub(in crate::clusters) fn of(state: &State, host: &HostId, store: &Store) -> Option<SourceNat> {
    let plugin = store.get(&Key::new("daemonsets.apps", "kube-system", "aws-node"))?;
    if variable(plugin, "AWS_VPC_K8S_CNI_EXTERNALSNAT") == "true" {
        return None;
    }
    let instance = state.instances.get(host.as_str())?;
    let vpc = state.vpcs.get(&instance.vpc)?;
    let primary = state.network_interfaces.get(instance.interfaces.first()?)?;
    let own: Vec<Ipv4Net> = vpc.cidrs.iter().map(|of| of.cidr).collect();
    let excluded = variable(plugin, "AWS_VPC_K8S_CNI_EXCLUDE_SNAT_CIDRS");
    let excluded = excluded
        .split(',')
        .filter_map(|range| range.trim().parse().ok());
    Some(SourceNat {
        sources: own.clone(),
        except: own.into_iter().chain(excluded).collect(),
        address: primary.addresses.first().map(|address| address.ip),
    })
}

/// A variable of the plugin's program.
fn variable<'p>(plugin: &'p Value, name: &str) -> &'p str {
    let containers = object::list(plugin, &["spec", "template", "spec", "containers"]);
    let mut variables = containers.iter().flat_map(|of| object::list(of, &["env"]));
    let found = variables.find(|of| of["name"] == name);
    found.map_or("", |of| object::text(of, &["value"]))
}

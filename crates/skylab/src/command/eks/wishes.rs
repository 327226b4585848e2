//! Flags and files as a ClusterConfig.

use super::means::Host;
use crate::args::{CreateCluster, CreateGroup, Group};
use crate::failure::Failure;
use eksctl::config::{ClusterConfig, NatGateways, NodeGroup, generated_group, generated_name};
use eksctl::{Means, create};
use lab::paths::StateDir;
use std::io::Read;

pub(super) fn create_cluster(state: &StateDir, wanted: &CreateCluster) -> Result<(), Failure> {
    let mut place = wanted.place.clone();
    let from_file = wanted.config_file.as_deref().map(file).transpose()?;
    if let Some(config) = &from_file {
        place.region.clone_from(&config.metadata.region);
    }
    let host = Host::open(state, &place)?;
    let mut config = match from_file {
        Some(config) => config,
        None => by_flags(&host, wanted)?,
    };
    if wanted.dry_run {
        host.print(&config.file());
        return Ok(());
    }
    Ok(create::cluster(&host, &mut config)?)
}

fn file(path: &str) -> Result<ClusterConfig, Failure> {
    let mut text = String::new();
    let read = if path == "-" {
        std::io::stdin().read_to_string(&mut text).map(drop)
    } else {
        std::fs::read_to_string(path).map(|read| text = read)
    };
    read.map_err(|error| Failure::new(1, format!("{path} can't be read: {error}")))?;
    Ok(ClusterConfig::read(&text)?)
}

fn by_flags(host: &Host, wanted: &CreateCluster) -> Result<ClusterConfig, Failure> {
    let name = wanted.name.clone().or_else(|| wanted.positional.clone());
    let name = name.unwrap_or_else(|| generated_name(host.chance(), host.now()));
    let mut config = ClusterConfig::named(name);
    config.metadata.region.clone_from(&wanted.place.region);
    config.metadata.version.clone_from(&wanted.version);
    for tag in &wanted.tags {
        let (key, value) = tag.split_once('=').ok_or_else(|| {
            Failure::new(
                crate::failure::USAGE,
                format!("--tags: {tag:?} is not KEY=VALUE"),
            )
        })?;
        config
            .metadata
            .tags
            .insert(key.to_owned(), value.to_owned());
    }
    config.availability_zones.clone_from(&wanted.zones);
    config.vpc.cidr.clone_from(&wanted.vpc_cidr);
    config.vpc.nat.gateway = match wanted.vpc_nat_mode.as_str() {
        "HighlyAvailable" => NatGateways::HighlyAvailable,
        "Disable" => NatGateways::Disable,
        _ => NatGateways::Single,
    };
    config.iam.with_oidc = wanted.with_oidc;
    if !wanted.without_nodegroup {
        let of = group(host, &wanted.group, None);
        if wanted.group.managed {
            config.managed_node_groups.push(of);
        } else {
            config.node_groups.push(of);
        }
    }
    Ok(config)
}

fn group(host: &Host, wanted: &Group, name: Option<&String>) -> NodeGroup {
    let name = name.or(wanted.nodegroup_name.as_ref()).cloned();
    let mut group = NodeGroup::named(name.unwrap_or_else(|| generated_group(host.chance())));
    group.desired_capacity = wanted.nodes;
    group.min_size = wanted.nodes_min;
    group.max_size = wanted.nodes_max;
    group.instance_type.clone_from(&wanted.node_type);
    group.volume_size = wanted.node_volume_size;
    group.private_networking = wanted.node_private_networking;
    group.availability_zones.clone_from(&wanted.node_zones);
    group
}

pub(super) fn create_groups(state: &StateDir, wanted: &CreateGroup) -> Result<(), Failure> {
    let mut place = wanted.place.clone();
    let from_file = wanted.config_file.as_deref().map(file).transpose()?;
    if let Some(config) = &from_file {
        place.region.clone_from(&config.metadata.region);
    }
    let host = Host::open(state, &place)?;
    let (cluster, groups) = match from_file {
        Some(config) => {
            let groups: Vec<(NodeGroup, bool)> = config
                .groups()
                .map(|(group, managed)| (group.clone(), managed))
                .collect();
            (config.metadata.name, groups)
        }
        None => {
            let of = group(&host, &wanted.group, wanted.name.as_ref());
            (
                wanted.cluster.clone().unwrap_or_default(),
                vec![(of, wanted.group.managed)],
            )
        }
    };
    Ok(create::node_groups(&host, &cluster, &groups)?)
}

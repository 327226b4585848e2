//! Flags and files as a ClusterConfig.

use super::means::Host;
use crate::args::{Create, CreateCluster, CreateGroup, Group};
use crate::failure::Failure;
use eksctl::config::{
    ClusterConfig, FargateProfile, FargateSelector, NatGateways, NodeGroup, Subnet,
    generated_group, generated_name,
};
use eksctl::{Means, create, fargate};
use lab::paths::StateDir;
use std::collections::BTreeMap;
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
    config.metadata.tags = pairs("--tags", &wanted.tags)?;
    config.availability_zones.clone_from(&wanted.zones);
    config.vpc.cidr.clone_from(&wanted.vpc_cidr);
    let there = |ids: &[String]| {
        let ids = ids.iter().map(|id| (id.clone(), Subnet::default()));
        ids.collect()
    };
    config.vpc.subnets.public = there(&wanted.vpc_public_subnets);
    config.vpc.subnets.private = there(&wanted.vpc_private_subnets);
    config.vpc.nat.gateway = match wanted.vpc_nat_mode.as_str() {
        "HighlyAvailable" => NatGateways::HighlyAvailable,
        "Disable" => NatGateways::Disable,
        _ => NatGateways::Single,
    };
    config.iam.with_oidc = wanted.with_oidc;
    if wanted.fargate {
        config.fargate_profiles.push(eksctl::fargate::usual());
    }
    if !wanted.without_nodegroup && !wanted.fargate {
        let of = group(host, &wanted.group, None);
        if wanted.group.managed {
            config.managed_node_groups.push(of);
        } else {
            config.node_groups.push(of);
        }
    }
    Ok(config)
}

/// Words of the form KEY=VALUE.
fn pairs(flag: &str, words: &[String]) -> Result<BTreeMap<String, String>, Failure> {
    let pair = |word: &String| {
        let pair = word.split_once('=');
        let pair = pair.map(|(key, value)| (key.to_owned(), value.to_owned()));
        let message = format!("{flag}: {word:?} is not KEY=VALUE");
        pair.ok_or_else(|| Failure::new(crate::failure::USAGE, message))
    };
    words.iter().map(pair).collect()
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

/// Makes the profile that flags tell of, or those of a file that aren't there.
pub(super) fn create_profiles(state: &StateDir, wanted: Create) -> Result<(), Failure> {
    let Create::Fargateprofile {
        cluster,
        name,
        namespace,
        labels,
        config_file,
        mut place,
    } = wanted
    else {
        return Ok(());
    };
    if let Some(path) = config_file {
        let config = file(&path)?;
        place.region.clone_from(&config.metadata.region);
        let host = Host::open(state, &place)?;
        let cluster = &config.metadata.name;
        return Ok(fargate::create_missing(
            &host,
            cluster,
            &config.fargate_profiles,
        )?);
    }
    let host = Host::open(state, &place)?;
    let name = name.unwrap_or_else(|| format!("fp-{:08x}", host.chance() & 0xffff_ffff));
    let profile = FargateProfile {
        name,
        selectors: vec![FargateSelector {
            namespace: namespace.unwrap_or_default(),
            labels: pairs("--labels", &labels)?,
        }],
        ..FargateProfile::default()
    };
    let cluster = cluster.unwrap_or_default();
    Ok(fargate::create(&host, &cluster, &[profile])?)
}

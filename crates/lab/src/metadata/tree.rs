//! What the metadata service tells, as a tree of paths.
//!
//! <https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/ec2-instance-metadata.html>

use crate::names::private_name;
use aws::model::instance::Instance;
use aws::model::network_interface::{NetworkInterface, PublicAddress};
use aws::model::{State, region};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;
use std::net::Ipv4Addr;

/// Answers a path: a leaf's value, or a directory's names. Any version's date is `latest`.
/// `more` are leaves whose values are made for this answer.
pub(super) fn look_up(
    state: &State,
    instance: &Instance,
    path: &str,
    more: Vec<(String, String)>,
) -> Option<Vec<u8>> {
    let path = path.trim_start_matches('/');
    let (version, rest) = path.split_once('/').unwrap_or((path, ""));
    match version {
        "" => return Some(b"latest".to_vec()),
        "latest" => {}
        dated if dated.len() == 10 && dated.starts_with("20") => {}
        _ => return None,
    }
    let asked = rest.trim_end_matches('/');
    if asked == "user-data" {
        return instance.user_data.clone();
    }
    let mut leaves = leaves(state, instance);
    leaves.extend(more);
    match leaves.get(asked) {
        Some(value) => Some(value.clone().into_bytes()),
        None => list(&leaves, asked, instance.user_data.is_some()),
    }
}

/// The names below a directory, one a line; directories end in a slash.
fn list(leaves: &BTreeMap<String, String>, directory: &str, user_data: bool) -> Option<Vec<u8>> {
    let prefix = if directory.is_empty() {
        String::new()
    } else {
        format!("{directory}/")
    };
    let mut names: BTreeSet<String> = leaves
        .keys()
        .filter_map(|path| path.strip_prefix(&prefix))
        .map(|rest| match rest.split_once('/') {
            Some((name, _)) if directory.is_empty() => name.to_owned(),
            Some((name, _)) => format!("{name}/"),
            None => rest.to_owned(),
        })
        .collect();
    if names.is_empty() {
        return None;
    }
    if directory.is_empty() && user_data {
        names.insert("user-data".to_owned());
    }
    let text: Vec<String> = names.into_iter().collect();
    Some(text.join("\n").into_bytes())
}

fn leaves(state: &State, instance: &Instance) -> BTreeMap<String, String> {
    let mut leaves = BTreeMap::new();
    let mut put = |path: &str, value: String| {
        leaves.insert(format!("meta-data/{path}"), value);
    };
    put("ami-id", instance.image.to_string());
    put("ami-launch-index", instance.launch_index.to_string());
    put("ami-manifest-path", "(unknown)".to_owned());
    put("instance-id", instance.id.to_string());
    put("instance-type", instance.instance_type.clone());
    put("instance-life-cycle", "on-demand".to_owned());
    put("instance-action", "none".to_owned());
    put("profile", "default-hvm".to_owned());
    put("reservation-id", instance.reservation.to_string());
    put("placement/region", instance.region.clone());
    put("services/domain", "amazonaws.com".to_owned());
    put("services/partition", "aws".to_owned());
    if let Some(subnet) = state.subnets.get(&instance.subnet) {
        put("placement/availability-zone", subnet.zone.clone());
        put(
            "placement/availability-zone-id",
            region::zone_id(&subnet.zone),
        );
    }
    key(state, instance, &mut put);
    if instance.metadata.instance_tags
        && let Some(tags) = state.tags.get(instance.id.as_str())
    {
        for (name, value) in &tags.tags {
            put(&format!("tags/instance/{name}"), value.clone());
        }
    }
    let interfaces: Vec<&NetworkInterface> = instance
        .interfaces
        .iter()
        .filter_map(|id| state.network_interfaces.get(id))
        .map(AsRef::as_ref)
        .collect();
    if let Some(primary) = interfaces.first() {
        identity(state, primary, &mut put);
    }
    for interface in &interfaces {
        network(state, interface, &mut put);
    }
    let document = document(state, instance, interfaces.first().copied());
    leaves.insert("dynamic/instance-identity/document".to_owned(), document);
    leaves
}

fn key(state: &State, instance: &Instance, put: &mut impl FnMut(&str, String)) {
    let Some(name) = &instance.key_name else {
        return;
    };
    let pair = state
        .key_pairs
        .values()
        .find(|pair| pair.name == *name && pair.region == instance.region);
    if let Some(pair) = pair {
        put("public-keys/0/openssh-key", pair.public_key.clone());
    }
}

/// Who the instance is, by its primary interface.
fn identity(state: &State, primary: &NetworkInterface, put: &mut impl FnMut(&str, String)) {
    put("mac", mac(primary));
    put("security-groups", group_names(state, primary));
    let Some(address) = primary.addresses.first() else {
        return;
    };
    let name = private_name(&primary.region, address.ip);
    put("local-ipv4", address.ip.to_string());
    put("hostname", name.clone());
    put("local-hostname", name);
    if let Some(public) = public(state, address.public.as_ref()) {
        put("public-ipv4", public.to_string());
    }
}

/// One interface, below its MAC address.
fn network(state: &State, interface: &NetworkInterface, put: &mut impl FnMut(&str, String)) {
    let below = format!("network/interfaces/macs/{}", mac(interface));
    let mut put = |name: &str, value: String| put(&format!("{below}/{name}"), value);
    put("mac", mac(interface));
    put("interface-id", interface.id.to_string());
    put("owner-id", state.settings.account.clone());
    put("subnet-id", interface.subnet.to_string());
    put("vpc-id", interface.vpc.to_string());
    put("security-groups", group_names(state, interface));
    put("security-group-ids", lines(&interface.groups));
    if let Some(attachment) = &interface.attachment {
        put("device-number", attachment.device_index.to_string());
    }
    put(
        "local-ipv4s",
        lines(interface.addresses.iter().map(|address| address.ip)),
    );
    if let Some(primary) = interface.addresses.first() {
        put(
            "local-hostname",
            private_name(&interface.region, primary.ip),
        );
    }
    let publics: Vec<(Ipv4Addr, Ipv4Addr)> = interface
        .addresses
        .iter()
        .filter_map(|own| Some((public(state, own.public.as_ref())?, own.ip)))
        .collect();
    if !publics.is_empty() {
        put(
            "public-ipv4s",
            lines(publics.iter().map(|(public, _)| public)),
        );
    }
    for (public, private) in &publics {
        put(&format!("ipv4-associations/{public}"), private.to_string());
    }
    if !interface.prefixes.is_empty() {
        put("ipv4-prefix", lines(&interface.prefixes));
    }
    if let Some(subnet) = state.subnets.get(&interface.subnet) {
        put("subnet-ipv4-cidr-block", subnet.cidr.to_string());
    }
    if let Some(vpc) = state.vpcs.get(&interface.vpc) {
        let blocks: Vec<_> = vpc.cidrs.iter().map(|block| block.cidr).collect();
        put("vpc-ipv4-cidr-blocks", lines(&blocks));
        if let Some(first) = blocks.first() {
            put("vpc-ipv4-cidr-block", first.to_string());
        }
    }
}

fn mac(interface: &NetworkInterface) -> String {
    fabric::Mac(interface.mac).to_string()
}

fn public(state: &State, mapped: Option<&PublicAddress>) -> Option<Ipv4Addr> {
    match mapped? {
        PublicAddress::Automatic(address) => Some(*address),
        PublicAddress::Elastic(allocation) => {
            state.elastic_ips.get(allocation).map(|ip| ip.public_ip)
        }
    }
}

fn group_names(state: &State, interface: &NetworkInterface) -> String {
    lines(
        interface
            .groups
            .iter()
            .filter_map(|id| state.security_groups.get(id))
            .map(|group| group.name.as_str()),
    )
}

fn lines(items: impl IntoIterator<Item = impl std::fmt::Display>) -> String {
    let mut text = String::new();
    for item in items {
        if !text.is_empty() {
            text.push('\n');
        }
        // Writing to a string can't fail.
        let _ = write!(text, "{item}");
    }
    text
}

/// <https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/retrieve-iid.html>
fn document(state: &State, instance: &Instance, primary: Option<&NetworkInterface>) -> String {
    let zone = state
        .subnets
        .get(&instance.subnet)
        .map(|subnet| &subnet.zone);
    let private = primary.and_then(|interface| interface.addresses.first());
    let image = aws::model::image::find(instance.image.as_str());
    let document = serde_json::json!({
        "accountId": state.settings.account,
        "architecture": image.map(|image| image.architecture.clone()),
        "availabilityZone": zone,
        "billingProducts": null,
        "devpayProductCodes": null,
        "marketplaceProductCodes": null,
        "imageId": instance.image,
        "instanceId": instance.id,
        "instanceType": instance.instance_type,
        "kernelId": null,
        "pendingTime": wire::Timestamp(instance.launched).iso(),
        "privateIp": private.map(|address| address.ip),
        "ramdiskId": null,
        "region": instance.region,
        "version": "2017-09-30",
    });
    format!("{document:#}")
}

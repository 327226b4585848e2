//! Security groups of load balancers.

use super::annotation::Annotations;
use super::error::BuildError;
use super::listener::Port;
use super::stack::{Permission, Source};
use aws_client::answer::{tag, text};
use serde_json::Value;
use std::collections::BTreeMap;

/// Whom a load balancer's own group lets in.
pub(super) fn permissions(ports: &BTreeMap<u16, Port>) -> Vec<Permission> {
    let mut all = Vec::new();
    for (number, port) in ports {
        let ranges = port.ranges.iter().cloned().map(Source::Range);
        let lists = port.lists.iter().cloned().map(Source::PrefixList);
        all.extend(ranges.chain(lists).map(|from| Permission {
            protocol: "tcp",
            port: *number,
            from,
        }));
    }
    all
}

/// The groups that an annotation names, by ids or names.
///
/// # Errors
/// One is not there.
pub(super) fn named(
    annotations: &Annotations<'_>,
    suffix: &str,
    all: &[Value],
) -> Result<Option<Vec<String>>, BuildError> {
    let Some(wanted) = annotations.texts(suffix) else {
        return Ok(None);
    };
    let find = |called: &String| {
        let found = all
            .iter()
            .find(|of| text(of, "groupId") == called || tag(of, "Name") == Some(called.as_str()));
        found.map(|of| text(of, "groupId").to_owned())
    };
    let found: Vec<String> = wanted.iter().filter_map(find).collect();
    if found.len() != wanted.len() {
        return Err(BuildError::new(format!(
            "couldn't find all securityGroups, nameOrIDs: [{}], found: [{}]",
            wanted.join(" "),
            found.join(" ")
        )));
    }
    Ok(Some(found))
}

//! What the plugin answers, and reads again when a pod goes. Upstream keeps numbers in fields that mean
//! something else: the pod's link has the routing table's number for its link-layer address, and a third
//! interface, which isn't there, has the device index for its sandbox.

use crate::rpc::message::Assignment;
use serde_json::{Value, json};

/// A pod's attachment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Attached {
    /// The name of the node's end.
    pub(super) node_end: String,
    /// The name of the pod's end.
    pub(super) pod_end: String,
    /// The pod's network namespace.
    pub(super) netns: String,
    /// The name of the interface that isn't there.
    pub(super) dummy: String,
    /// The address.
    pub(super) assignment: Assignment,
}

impl Attached {
    /// The result in the form of a version: before 1.0.0 addresses said which IP they are of.
    pub(super) fn document(&self, version: &str) -> Value {
        let mut address = json!({
            "address": format!("{}/32", self.assignment.address), "interface": 1,
        });
        if version.starts_with("0.") {
            address["version"] = json!("4");
        }
        json!({
            "cniVersion": version,
            "interfaces": [
                {"name": self.node_end},
                {"name": self.pod_end, "sandbox": self.netns, "mac": self.assignment.table.to_string()},
                {"name": self.dummy, "mac": "0", "sandbox": self.assignment.device.to_string()},
            ],
            "ips": [address],
            "dns": {},
        })
    }
}

/// The address that an earlier result gave, with its table and device index.
pub(super) fn read(result: &Value) -> Option<Assignment> {
    let interfaces = result["interfaces"].as_array()?;
    let dummy = interfaces.iter().find(|one| {
        one["name"]
            .as_str()
            .is_some_and(|name| name.starts_with("dummy"))
    })?;
    let ip = result["ips"].as_array()?.first()?;
    let index = usize::try_from(ip["interface"].as_u64()?).ok()?;
    let address = ip["address"].as_str()?.split('/').next()?;
    Some(Assignment {
        address: address.parse().ok()?,
        device: dummy["sandbox"].as_str()?.parse().ok()?,
        table: interfaces.get(index)?["mac"].as_str()?.parse().ok()?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// AWS-CNI: the encoding that DEL depends on.
    #[test]
    fn numbers_stand_where_upstream_has_them() {
        let attached = Attached {
            node_end: "eni1".to_owned(),
            pod_end: "eth0".to_owned(),
            netns: "/run/netns/x".to_owned(),
            dummy: "dummy1".to_owned(),
            assignment: Assignment {
                address: [10, 0, 1, 7].into(),
                device: 1,
                table: 2,
            },
        };
        let result = attached.document("0.4.0");
        let expected = json!({
            "cniVersion": "0.4.0",
            "interfaces": [
                {"name": "eni1"},
                {"name": "eth0", "sandbox": "/run/netns/x", "mac": "2"},
                {"name": "dummy1", "mac": "0", "sandbox": "1"},
            ],
            "ips": [{"version": "4", "address": "10.0.1.7/32", "interface": 1}],
            "dns": {},
        });
        assert_eq!(result, expected);
        assert_eq!(read(&result), Some(attached.assignment));
        assert_eq!(read(&json!({"ips": []})), None);
    }
}

//! Volumes, claims, classes.

use super::{Printer, age, col, wide};
use crate::object::{list, text};
use serde_json::{Value, json};

/// Access modes in short: `RWO,ROX`.
fn modes(value: &[Value]) -> Value {
    let short: Vec<&str> = value
        .iter()
        .filter_map(|mode| {
            Some(match mode.as_str()? {
                "ReadWriteOnce" => "RWO",
                "ReadOnlyMany" => "ROX",
                "ReadWriteMany" => "RWX",
                "ReadWriteOncePod" => "RWOP",
                _ => return None,
            })
        })
        .collect();
    json!(short.join(","))
}

/// The name of a volume attributes class, where one is named.
fn attributes_class(object: &Value) -> Value {
    let class = text(object, &["spec", "volumeAttributesClassName"]);
    json!(if class.is_empty() { "<unset>" } else { class })
}

fn status(object: &Value) -> Value {
    if crate::object::is_terminating(object) {
        return json!("Terminating");
    }
    json!(text(object, &["status", "phase"]))
}

pub(super) const VOLUME: Printer = Printer {
    columns: &[
        col("Capacity"),
        col("Access Modes"),
        col("Reclaim Policy"),
        col("Status"),
        col("Claim"),
        col("StorageClass"),
        col("VolumeAttributesClass"),
        col("Reason"),
        col("Age"),
        wide("VolumeMode"),
    ],
    cells: |object, now| {
        let claim = &object["spec"]["claimRef"];
        let claim = if claim.is_null() {
            String::new()
        } else {
            format!("{}/{}", text(claim, &["namespace"]), text(claim, &["name"]))
        };
        vec![
            json!(text(object, &["spec", "capacity", "storage"])),
            modes(list(object, &["spec", "accessModes"])),
            json!(text(object, &["spec", "persistentVolumeReclaimPolicy"])),
            status(object),
            json!(claim),
            json!(text(object, &["spec", "storageClassName"])),
            attributes_class(object),
            json!(text(object, &["status", "reason"])),
            age::of(object, now),
            json!(text(object, &["spec", "volumeMode"])),
        ]
    },
};

pub(super) const CLAIM: Printer = Printer {
    columns: &[
        col("Status"),
        col("Volume"),
        col("Capacity"),
        col("Access Modes"),
        col("StorageClass"),
        col("VolumeAttributesClass"),
        col("Age"),
        wide("VolumeMode"),
    ],
    cells: |object, now| {
        let bound = !text(object, &["spec", "volumeName"]).is_empty();
        vec![
            status(object),
            json!(text(object, &["spec", "volumeName"])),
            json!(if bound {
                text(object, &["status", "capacity", "storage"])
            } else {
                ""
            }),
            if bound {
                modes(list(object, &["status", "accessModes"]))
            } else {
                json!("")
            },
            json!(text(object, &["spec", "storageClassName"])),
            attributes_class(object),
            age::of(object, now),
            json!(text(object, &["spec", "volumeMode"])),
        ]
    },
};

pub(super) const CLASS: Printer = Printer {
    columns: &[
        col("Provisioner"),
        col("ReclaimPolicy"),
        col("VolumeBindingMode"),
        ("AllowVolumeExpansion", "boolean", false),
        col("Age"),
    ],
    cells: |object, now| {
        vec![
            json!(text(object, &["provisioner"])),
            json!(text(object, &["reclaimPolicy"])),
            json!(text(object, &["volumeBindingMode"])),
            json!(object["allowVolumeExpansion"] == true),
            age::of(object, now),
        ]
    },
};

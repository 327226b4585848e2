//! The parameters that AWS publishes for images: which one is the newest.
//!
//! <https://docs.aws.amazon.com/systems-manager/latest/userguide/parameter-store-public-parameters-ami.html>
//! <https://docs.aws.amazon.com/eks/latest/userguide/retrieve-ami-id.html>

use crate::model::image::eks_optimized::{System, recommended, release};
use crate::model::image::{self, Image};
use std::collections::BTreeMap;
use std::sync::OnceLock;

/// When they were set, in seconds since 1970: as the images were made.
pub(super) const PUBLISHED: i64 = 1_763_661_600;

/// A published value.
pub(super) struct Value {
    pub(super) text: String,
    /// Whether it is an image's id.
    pub(super) is_image: bool,
}

/// Names of parameters, and what the names of the images begin and end with.
const LATEST: [(&str, &str, &str); 6] = [
    (
        "ami-amazon-linux-latest/al2023-ami-kernel-default-x86_64",
        "al2023-ami-2023",
        "kernel-6.1-x86_64",
    ),
    (
        "ami-amazon-linux-latest/al2023-ami-kernel-6.1-x86_64",
        "al2023-ami-2023",
        "kernel-6.1-x86_64",
    ),
    (
        "ami-amazon-linux-latest/al2023-ami-kernel-default-arm64",
        "al2023-ami-2023",
        "kernel-6.1-arm64",
    ),
    (
        "ami-amazon-linux-latest/al2023-ami-kernel-6.1-arm64",
        "al2023-ami-2023",
        "kernel-6.1-arm64",
    ),
    (
        "ami-amazon-linux-latest/amzn2-ami-hvm-x86_64-gp2",
        "amzn2-ami-hvm-2.0",
        "x86_64-gp2",
    ),
    (
        "canonical/ubuntu/server/24.04/stable/current/amd64/hvm/ebs-gp3/ami-id",
        "ubuntu/images/hvm-ssd-gp3/ubuntu-noble-24.04-amd64",
        "",
    ),
];

/// All published parameters by name.
pub(super) fn all() -> &'static BTreeMap<String, Value> {
    static ALL: OnceLock<BTreeMap<String, Value>> = OnceLock::new();
    ALL.get_or_init(|| {
        let mut all = BTreeMap::new();
        for (name, begin, end) in LATEST {
            let fits = |of: &&Image| of.name.starts_with(begin) && of.name.ends_with(end);
            if let Some(found) = image::all().iter().find(fits) {
                all.insert(format!("/aws/service/{name}"), id(found));
            }
        }
        for system in [System::AmazonLinux2, System::AmazonLinux2023] {
            for minor in system.versions() {
                for architecture in ["x86_64", "arm64"] {
                    node(&mut all, system, &format!("1.{minor}"), architecture);
                }
            }
        }
        all
    })
}

fn id(of: &Image) -> Value {
    Value {
        text: of.id.to_string(),
        is_image: true,
    }
}

/// The parameters for a node's image.
fn node(all: &mut BTreeMap<String, Value>, system: System, version: &str, architecture: &str) {
    let Some(image) = recommended(system, version, architecture) else {
        return;
    };
    let system = match (system, architecture) {
        (System::AmazonLinux2, "arm64") => "amazon-linux-2-arm64".to_owned(),
        (System::AmazonLinux2, _) => "amazon-linux-2".to_owned(),
        (System::AmazonLinux2023, _) => format!("amazon-linux-2023/{architecture}/standard"),
    };
    let base = format!("/aws/service/eks/optimized-ami/{version}/{system}/recommended");
    let text = |text: String| Value {
        text,
        is_image: false,
    };
    let whole = serde_json::json!({
        "schema_version": "2",
        "image_id": image.id.as_str(),
        "image_name": image.name,
        "release_version": release(version),
    });
    all.insert(format!("{base}/image_id"), id(image));
    all.insert(format!("{base}/image_name"), text(image.name.clone()));
    all.insert(format!("{base}/release_version"), text(release(version)));
    all.insert(base, text(whole.to_string()));
}

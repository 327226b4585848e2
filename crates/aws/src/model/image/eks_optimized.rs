//! Images for nodes of EKS clusters: one for each Kubernetes version, operating system and architecture.
//!
//! <https://docs.aws.amazon.com/eks/latest/userguide/eks-optimized-amis.html>
//! Amazon publishes many releases of each; here is one, with the name that such a release has.

use super::{EKS, Image};
use std::ops::RangeInclusive;

/// The release of all images: a date.
const RELEASE: &str = "20251120";
const CREATED: &str = "2025-11-20T18:00:00.000Z";

/// The operating system of a node image.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum System {
    /// Amazon Linux 2.
    AmazonLinux2,
    /// Amazon Linux 2023.
    AmazonLinux2023,
}

impl System {
    /// The minor versions of Kubernetes 1 that it has images for. Retired ones stay, for clusters of their day.
    pub fn versions(self) -> RangeInclusive<u32> {
        match self {
            Self::AmazonLinux2 => 14..=32,
            Self::AmazonLinux2023 => 23..=35,
        }
    }

    /// Its number in ids of images.
    fn number(self) -> u32 {
        match self {
            Self::AmazonLinux2 => 2,
            Self::AmazonLinux2023 => 3,
        }
    }

    fn name(self, minor: u32, architecture: &str) -> String {
        match (self, architecture) {
            (Self::AmazonLinux2, "arm64") => {
                format!("amazon-eks-arm64-node-1.{minor}-v{RELEASE}")
            }
            (Self::AmazonLinux2, _) => format!("amazon-eks-node-1.{minor}-v{RELEASE}"),
            (Self::AmazonLinux2023, _) => {
                format!("amazon-eks-node-al2023-{architecture}-standard-1.{minor}-v{RELEASE}")
            }
        }
    }

    fn description(self, minor: u32) -> String {
        match self {
            Self::AmazonLinux2 => {
                format!("EKS Kubernetes Worker AMI with AmazonLinux2 image, (k8s: 1.{minor})")
            }
            Self::AmazonLinux2023 => format!(
                "EKS-optimized Kubernetes node based on Amazon Linux 2023, (k8s: 1.{minor})"
            ),
        }
    }
}

const ARCHITECTURES: [&str; 2] = ["x86_64", "arm64"];

fn image(system: System, minor: u32, architecture: &str) -> Image {
    let number = system.number() * 1000 + minor * 10 + u32::from(architecture == "arm64");
    let mut image = Image::new(
        &format!("ami-0e5a1b2c3d4e{number:05}"),
        &system.name(minor, architecture),
        &system.description(minor),
        architecture,
        CREATED,
    );
    image.kubernetes_node = true;
    image.owner = EKS.to_owned();
    image
}

/// All of them.
pub(super) fn all() -> impl Iterator<Item = Image> {
    [System::AmazonLinux2, System::AmazonLinux2023]
        .into_iter()
        .flat_map(|system| system.versions().map(move |minor| (system, minor)))
        .flat_map(|(system, minor)| {
            ARCHITECTURES.map(|architecture| image(system, minor, architecture))
        })
}

/// The image that EKS recommends for a Kubernetes version (`1.34`), if there is one.
pub fn recommended(system: System, version: &str, architecture: &str) -> Option<&'static Image> {
    let minor: u32 = version.strip_prefix("1.")?.parse().ok()?;
    let name = system.name(minor, architecture);
    super::all().iter().find(|image| image.name == name)
}

/// What EKS calls an image's release: `1.34-20251120`.
pub fn release(version: &str) -> String {
    format!("{version}-{RELEASE}")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// AWS-EKS: every version has its image, under Amazon's name and another id.
    #[test]
    fn images_are_found_by_version() {
        let newest = recommended(System::AmazonLinux2023, "1.34", "x86_64");
        let name = newest.map(|image| image.name.as_str());
        assert_eq!(
            name,
            Some("amazon-eks-node-al2023-x86_64-standard-1.34-v20251120")
        );
        assert!(newest.is_some_and(|image| image.kubernetes_node && image.owner == EKS));
        let old = recommended(System::AmazonLinux2, "1.20", "x86_64");
        assert!(old.is_some_and(|image| image.name == "amazon-eks-node-1.20-v20251120"));
        assert_eq!(recommended(System::AmazonLinux2, "1.34", "x86_64"), None);
        let mut ids: Vec<_> = super::super::all().iter().map(|image| &image.id).collect();
        let count = ids.len();
        ids.sort();
        ids.dedup();
        assert_eq!(ids.len(), count);
    }
}

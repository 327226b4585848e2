//! The types of images that nodes have.
//!
//! <https://docs.aws.amazon.com/eks/latest/userguide/eks-optimized-amis.html>

use super::*;
use crate::model::image::{self, Image};

/// A type of image.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum AmiType {
    /// Amazon Linux 2023 for x86.
    Al2023X86,
    /// Amazon Linux 2023 for ARM.
    Al2023Arm,
    /// Amazon Linux 2 for x86.
    Al2X86,
    /// Amazon Linux 2 for ARM.
    Al2Arm,
    /// The user's launch template has it.
    Custom,
}

impl AmiType {
    /// AWS's word.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Al2023X86 => "AL2023_x86_64_STANDARD",
            Self::Al2023Arm => "AL2023_ARM_64_STANDARD",
            Self::Al2X86 => "AL2_x86_64",
            Self::Al2Arm => "AL2_ARM_64",
            Self::Custom => "CUSTOM",
        }
    }

    /// Reads AWS's word.
    ///
    /// # Errors
    /// `UnsupportedOperation` for what Skylab has no images of.
    pub fn read(text: &str) -> Result<Self, Refusal> {
        let all = [
            Self::Al2023X86,
            Self::Al2023Arm,
            Self::Al2X86,
            Self::Al2Arm,
            Self::Custom,
        ];
        all.into_iter()
            .find(|kind| kind.as_str() == text)
            .ok_or_else(|| {
                Refusal::unsupported(format!("The AMI type {text} is not implemented by Skylab"))
            })
    }

    /// The architecture of instances that run it; any for a custom one.
    pub fn architecture(self) -> Option<&'static str> {
        match self {
            Self::Al2023X86 | Self::Al2X86 => Some("x86_64"),
            Self::Al2023Arm | Self::Al2Arm => Some("arm64"),
            Self::Custom => None,
        }
    }

    /// Whether its nodes are set up by nodeadm, and not by Amazon Linux 2's script.
    pub fn has_nodeadm(self) -> bool {
        !matches!(self, Self::Al2X86 | Self::Al2Arm)
    }

    /// What nodes of a version of Kubernetes have where nobody chose it.
    pub fn usual(version: Version) -> Self {
        match Self::Al2023X86.image(version) {
            Some(_) => Self::Al2023X86,
            None => Self::Al2X86,
        }
    }

    /// EKS's own image of this type for a version of Kubernetes.
    pub fn image(self, version: Version) -> Option<&'static Image> {
        let name = match self {
            Self::Custom => return None,
            Self::Al2023X86 => format!("amazon-eks-node-al2023-x86_64-standard-{version}-v"),
            Self::Al2023Arm => format!("amazon-eks-node-al2023-arm64-standard-{version}-v"),
            Self::Al2X86 => format!("amazon-eks-node-{version}-v"),
            Self::Al2Arm => format!("amazon-eks-arm64-node-{version}-v"),
        };
        let mut all = image::all().iter();
        all.find(|image| image.name.starts_with(&name))
    }
}

/// What EKS calls the release of an image: `1.34.1-20251103`.
pub(super) fn release(version: Version, image: &Image) -> String {
    let date = image.name.rsplit_once("-v").map_or("", |(_, date)| date);
    format!("{}-{date}", version.patched())
}

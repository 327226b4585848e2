//! Machine images.

pub mod eks_optimized;

use super::ImageId;
use serde::{Deserialize, Serialize};

/// A machine image that Skylab offers. All show the machine's own files, copy on write; they differ
/// in name, in how their network is set up, and in what AWS calls them.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Image {
    /// Its id, the same in every region.
    pub id: ImageId,
    /// Its name.
    pub name: String,
    /// Its description.
    pub description: String,
    /// `x86_64` or `arm64`.
    pub architecture: String,
    /// Whether it is set up as a NAT instance: it forwards, and writes its own address over the
    /// source.
    pub nat_instance: bool,
    /// Whether it is set up as a node of a Kubernetes cluster: it forwards, and leaves interfaces beyond
    /// the first, and secondary addresses, to the cluster's network plugin.
    /// <https://docs.aws.amazon.com/eks/latest/userguide/eks-optimized-amis.html>
    #[serde(default)]
    pub kubernetes_node: bool,
    /// The account that owns it.
    #[serde(default = "amazon")]
    pub owner: String,
    /// When it was made, ISO 8601.
    pub created: String,
}

/// Amazon's account, which owns the images for everybody.
const AMAZON: &str = "137112412989";
/// EKS's account, which owns the images for nodes.
pub const EKS: &str = "602401143452";

fn amazon() -> String {
    AMAZON.to_owned()
}

impl Image {
    fn new(id: &str, name: &str, description: &str, architecture: &str, created: &str) -> Self {
        Self {
            id: ImageId::from(id),
            name: name.to_owned(),
            description: description.to_owned(),
            architecture: architecture.to_owned(),
            nat_instance: name.starts_with("amzn-ami-vpc-nat"),
            kubernetes_node: false,
            owner: amazon(),
            created: created.to_owned(),
        }
    }
}

/// The images, named as AWS names those they stand for.
pub fn all() -> &'static [Image] {
    static IMAGES: std::sync::OnceLock<Vec<Image>> = std::sync::OnceLock::new();
    IMAGES.get_or_init(|| {
        let image = Image::new;
        let mut images = vec![
            image(
                "ami-0a1b2c3d4e5f60001",
                "al2023-ami-2023.9.20251027.0-kernel-6.1-x86_64",
                "Amazon Linux 2023 AMI 2023.9.20251027.0 x86_64 HVM kernel-6.1",
                "x86_64",
                "2025-10-27T18:00:00.000Z",
            ),
            image(
                "ami-0a1b2c3d4e5f60002",
                "al2023-ami-2023.9.20251027.0-kernel-6.1-arm64",
                "Amazon Linux 2023 AMI 2023.9.20251027.0 arm64 HVM kernel-6.1",
                "arm64",
                "2025-10-27T18:00:00.000Z",
            ),
            image(
                "ami-0a1b2c3d4e5f60003",
                "amzn2-ami-hvm-2.0.20251014.0-x86_64-gp2",
                "Amazon Linux 2 AMI 2.0.20251014.0 x86_64 HVM gp2",
                "x86_64",
                "2025-10-14T18:00:00.000Z",
            ),
            image(
                "ami-0a1b2c3d4e5f60004",
                "ubuntu/images/hvm-ssd-gp3/ubuntu-noble-24.04-amd64-server-20251022",
                "Canonical, Ubuntu, 24.04, amd64 noble image",
                "x86_64",
                "2025-10-22T10:00:00.000Z",
            ),
            image(
                "ami-0a1b2c3d4e5f60005",
                "amzn-ami-vpc-nat-2018.03.0.20231024.0-x86_64-ebs",
                "Amazon Linux AMI 2018.03.0.20231024.0 x86_64 VPC NAT HVM EBS",
                "x86_64",
                "2023-10-24T18:00:00.000Z",
            ),
        ];
        images.extend(eks_optimized::all());
        images
    })
}

/// The image with an id.
pub fn find(id: &str) -> Option<&'static Image> {
    all().iter().find(|image| image.id.as_str() == id)
}

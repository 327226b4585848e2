//! What nodes run: Amazon Linux 2023, or 2 for Kubernetes versions that never had the newer one.
//!
//! <https://docs.aws.amazon.com/eks/latest/userguide/eks-optimized-ami.html>

/// The oldest minor version of Kubernetes 1 with images of Amazon Linux 2023.
const FIRST: u32 = 23;

/// A family of images.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Family {
    /// Amazon Linux 2.
    AmazonLinux2,
    /// Amazon Linux 2023.
    AmazonLinux2023,
}

impl Family {
    /// The one for a Kubernetes version that names none.
    pub fn of(version: &str) -> Self {
        let minor = version
            .split('.')
            .nth(1)
            .and_then(|minor| minor.parse::<u32>().ok());
        match minor {
            Some(minor) if minor < FIRST => Self::AmazonLinux2,
            _ => Self::AmazonLinux2023,
        }
    }

    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Self::AmazonLinux2 => "AmazonLinux2",
            Self::AmazonLinux2023 => "AmazonLinux2023",
        }
    }

    /// What EKS calls its images for ordinary nodes.
    pub(crate) fn ami_type(self) -> &'static str {
        match self {
            Self::AmazonLinux2 => "AL2_x86_64",
            Self::AmazonLinux2023 => "AL2023_x86_64_STANDARD",
        }
    }

    /// The parameter of Systems Manager that has the id of its newest image.
    pub(crate) fn parameter(self, version: &str) -> String {
        let path = match self {
            Self::AmazonLinux2 => "amazon-linux-2",
            Self::AmazonLinux2023 => "amazon-linux-2023/x86_64/standard",
        };
        format!("/aws/service/eks/optimized-ami/{version}/{path}/recommended/image_id")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// AWS-WALK: the chapter's 1.20 gets the images that it had.
    #[test]
    fn old_versions_have_the_older_images() {
        assert_eq!(Family::of("1.20"), Family::AmazonLinux2);
        assert_eq!(Family::of("1.23"), Family::AmazonLinux2023);
        let path = "/aws/service/eks/optimized-ami/1.20/amazon-linux-2/recommended/image_id";
        assert_eq!(Family::AmazonLinux2.parameter("1.20"), path);
    }
}

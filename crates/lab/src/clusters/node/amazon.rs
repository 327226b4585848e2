//! Amazon's own images for nodes: the add-ons' programs, which here are this one.
//!
//! They come from the region's registry: a node that can't reach it has none of them. Their files are this machine's
//! own, so all that is taken from the registry is that it answers.
//! <https://docs.aws.amazon.com/eks/latest/userguide/add-ons-images.html>

/// The account that has them in most regions.
const ACCOUNT: &str = "602401143452";

/// What there is in its registries.
const REPOSITORIES: [&str; 6] = [
    "amazon-k8s-cni",
    "amazon-k8s-cni-init",
    "amazon/aws-network-policy-agent",
    "eks/coredns",
    "eks/kube-proxy",
    "eks/pause",
];

/// The registry of one of these images; `None` for any other.
pub(super) fn registry(reference: &str) -> Option<&str> {
    let (registry, rest) = reference.split_once('/')?;
    let own = registry.strip_prefix(ACCOUNT)?.strip_prefix(".dkr.ecr.")?;
    let region = own.strip_suffix(".amazonaws.com")?;
    let repository = rest.split([':', '@']).next().unwrap_or_default();
    let known = !region.is_empty() && REPOSITORIES.contains(&repository);
    known.then_some(registry)
}

#[cfg(test)]
mod tests {

    /// AWS-EKS: the add-ons' images are those of Amazon's registry and no others.
    #[test]
    fn only_amazons_own_are_known() {
        let registry = "602401143452.dkr.ecr.us-west-2.amazonaws.com";
        for known in [
            "amazon-k8s-cni:v1.20.4",
            "eks/coredns:v1.12.1-eksbuild.2",
            "eks/pause",
        ] {
            let reference = format!("{registry}/{known}");
            assert_eq!(super::registry(&reference), Some(registry), "{known}");
        }
        for other in [
            "602401143452.dkr.ecr.us-west-2.amazonaws.com/eks/other:1",
            "111122223333.dkr.ecr.us-west-2.amazonaws.com/eks/coredns:1",
            "602401143452.dkr.ecr.amazonaws.com/eks/coredns",
            "eks/coredns",
        ] {
            assert_eq!(super::registry(other), None, "{other}");
        }
    }
}

//! The versions of Kubernetes.

use super::{Call, Outcome, page};
use crate::model::eks::invalid;
use crate::model::eks::version::{DEFAULT, RELEASES, Release, Support};
use wire::Timestamp;
use wire::eks::*;

pub(super) fn describe(
    _: &mut Call<'_>,
    request: DescribeClusterVersionsRequest,
) -> Outcome<DescribeClusterVersionsResponse> {
    if let Some(kind) = request
        .cluster_type
        .as_deref()
        .filter(|kind| *kind != "eks")
    {
        return Err(invalid(format!("The cluster type {kind} is not supported")).into());
    }
    let versions = &request.cluster_versions;
    let named = |of: &Release| versions.is_empty() || versions.contains(&of.version.to_string());
    let all = request.include_all == Some(true) || !versions.is_empty();
    let passes = |of: &&Release| {
        named(of)
            && (all || of.support != Support::Unsupported)
            && (request.default_only != Some(true) || of.version == DEFAULT)
            && request
                .version_status
                .is_none_or(|asked| asked == status(of))
            && request.status.is_none_or(|asked| asked == old_status(of))
    };
    let chosen = RELEASES.iter().filter(passes).map(information).collect();
    let token = request.next_token.as_deref();
    let (cluster_versions, next_token) = page(chosen, request.max_results, token)?;
    Ok(DescribeClusterVersionsResponse {
        next_token,
        cluster_versions,
    })
}

fn status(of: &Release) -> VersionStatus {
    match of.support {
        Support::Standard => VersionStatus::STANDARDSUPPORT,
        Support::Extended => VersionStatus::EXTENDEDSUPPORT,
        Support::Unsupported => VersionStatus::UNSUPPORTED,
    }
}

fn old_status(of: &Release) -> ClusterVersionStatus {
    match of.support {
        Support::Standard => ClusterVersionStatus::StandardSupport,
        Support::Extended => ClusterVersionStatus::ExtendedSupport,
        Support::Unsupported => ClusterVersionStatus::Unsupported,
    }
}

fn information(of: &Release) -> ClusterVersionInformation {
    ClusterVersionInformation {
        cluster_version: Some(of.version.to_string()),
        cluster_type: Some("eks".to_owned()),
        default_platform_version: Some(of.version.platform()),
        default_version: Some(of.version == DEFAULT),
        release_date: Some(Timestamp(of.released)),
        end_of_standard_support_date: Some(Timestamp(of.standard_until)),
        end_of_extended_support_date: Some(Timestamp(of.extended_until)),
        status: Some(old_status(of)),
        version_status: Some(status(of)),
        kubernetes_patch_version: Some(of.version.patched()),
    }
}

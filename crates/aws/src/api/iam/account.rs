//! What the account has and may have.

use super::super::{Call, Outcome};
use std::collections::BTreeMap;
use wire::iam::{GetAccountSummaryResponse, SummaryKeyType as Key};
use wire::shape::Nothing;

pub(super) fn summary(call: &mut Call<'_>, _: Nothing) -> Outcome<GetAccountSummaryResponse> {
    let state = &call.state;
    let count = |count: usize| i32::try_from(count).unwrap_or(i32::MAX);
    let versions = state.iam_policies.values().map(|of| of.versions.len());
    let summary_map = BTreeMap::from([
        (Key::Users, count(state.iam_users.len())),
        (Key::UsersQuota, 5000),
        (Key::Groups, 0),
        (Key::GroupsQuota, 300),
        (Key::Roles, count(state.iam_roles.len())),
        (Key::RolesQuota, 1000),
        (Key::Policies, count(state.iam_policies.len())),
        (Key::PoliciesQuota, 1500),
        (Key::PolicyVersionsInUse, count(versions.sum())),
        (Key::PolicyVersionsInUseQuota, 10_000),
        (Key::VersionsPerPolicyQuota, 5),
        (Key::PolicySizeQuota, 6144),
        (Key::AttachedPoliciesPerRoleQuota, 10),
        (Key::AttachedPoliciesPerUserQuota, 10),
        (Key::AccessKeysPerUserQuota, 2),
        (Key::AssumeRolePolicySizeQuota, 2048),
        (Key::RolePolicySizeQuota, 10_240),
        (Key::UserPolicySizeQuota, 2048),
        (
            Key::InstanceProfiles,
            count(state.iam_instance_profiles.len()),
        ),
        (Key::InstanceProfilesQuota, 1000),
        (Key::Providers, count(state.iam_oidc_providers.len())),
        (Key::AccountAccessKeysPresent, 1),
        (Key::AccountMFAEnabled, 0),
        (Key::MFADevices, 0),
        (Key::MFADevicesInUse, 0),
    ]);
    Ok(GetAccountSummaryResponse { summary_map })
}

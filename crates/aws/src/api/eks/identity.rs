//! Identity providers beside IAM: there are none, as none can be associated.

use super::{Call, Outcome};
use crate::model::eks::{find, not_found};
use wire::eks::*;

pub(super) fn list(
    call: &mut Call<'_>,
    request: ListIdentityProviderConfigsRequest,
) -> Outcome<ListIdentityProviderConfigsResponse> {
    find(&call.state, call.context, &request.cluster_name)?;
    Ok(ListIdentityProviderConfigsResponse::default())
}

pub(super) fn describe(
    call: &mut Call<'_>,
    request: DescribeIdentityProviderConfigRequest,
) -> Outcome<DescribeIdentityProviderConfigResponse> {
    find(&call.state, call.context, &request.cluster_name)?;
    let name = request.identity_provider_config.name.unwrap_or_default();
    Err(not_found(format!("Identity provider config {name} is not found")).into())
}

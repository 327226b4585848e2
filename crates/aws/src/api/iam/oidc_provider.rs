//! OpenID Connect providers on the wire.

use super::super::{Call, Outcome};
use super::{pairs, told};
use crate::model::iam::{oidc_provider, tags};
use wire::Timestamp;
use wire::iam::*;
use wire::shape::Nothing;

pub(super) fn create(
    call: &mut Call<'_>,
    request: CreateOpenIDConnectProviderRequest,
) -> Outcome<CreateOpenIDConnectProviderResponse> {
    let tags = tags::read(pairs(request.tags))?;
    let made = oidc_provider::create(
        &mut call.state,
        call.context,
        &request.url,
        request.client_id_list,
        request.thumbprint_list,
        tags,
    )?;
    Ok(CreateOpenIDConnectProviderResponse {
        open_id_connect_provider_arn: Some(made.arn),
        tags: told(&made.tags),
    })
}

pub(super) fn get(
    call: &mut Call<'_>,
    request: GetOpenIDConnectProviderRequest,
) -> Outcome<GetOpenIDConnectProviderResponse> {
    let found = oidc_provider::find(&call.state, &request.open_id_connect_provider_arn)?;
    Ok(GetOpenIDConnectProviderResponse {
        client_id_list: found.clients.clone(),
        create_date: Some(Timestamp(found.created)),
        tags: told(&found.tags),
        thumbprint_list: found.thumbprints.clone(),
        url: Some(found.issuer.clone()),
    })
}

pub(super) fn list(
    call: &mut Call<'_>,
    _: ListOpenIDConnectProvidersRequest,
) -> Outcome<ListOpenIDConnectProvidersResponse> {
    let entry = |arn: &String| OpenIDConnectProviderListEntry {
        arn: Some(arn.clone()),
    };
    Ok(ListOpenIDConnectProvidersResponse {
        open_id_connect_provider_list: call.state.iam_oidc_providers.keys().map(entry).collect(),
    })
}

pub(super) fn delete(
    call: &mut Call<'_>,
    request: DeleteOpenIDConnectProviderRequest,
) -> Outcome<Nothing> {
    oidc_provider::delete(&mut call.state, &request.open_id_connect_provider_arn);
    Ok(Nothing {})
}

pub(super) fn update_thumbprint(
    call: &mut Call<'_>,
    request: UpdateOpenIDConnectProviderThumbprintRequest,
) -> Outcome<Nothing> {
    let arn = &request.open_id_connect_provider_arn;
    oidc_provider::set_thumbprints(&mut call.state, arn, request.thumbprint_list)?;
    Ok(Nothing {})
}

pub(super) fn add_client(
    call: &mut Call<'_>,
    request: AddClientIDToOpenIDConnectProviderRequest,
) -> Outcome<Nothing> {
    let arn = &request.open_id_connect_provider_arn;
    oidc_provider::add_client(&mut call.state, arn, request.client_id)?;
    Ok(Nothing {})
}

pub(super) fn remove_client(
    call: &mut Call<'_>,
    request: RemoveClientIDFromOpenIDConnectProviderRequest,
) -> Outcome<Nothing> {
    let arn = &request.open_id_connect_provider_arn;
    oidc_provider::remove_client(&mut call.state, arn, &request.client_id)?;
    Ok(Nothing {})
}

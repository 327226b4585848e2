//! The API of Elastic Container Registry.
//!
//! <https://docs.aws.amazon.com/AmazonECR/latest/APIReference/Welcome.html>

use super::{Answer, Call, Outcome, answered};
use crate::identity::{Party, Seal, Session};
use crate::model::ecr as model;
use crate::model::{Context, Refusal, State};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use std::sync::Arc;
use wire::Timestamp;
use wire::ecr::*;
use wire::error::ApiError;

/// How long a registry's password holds, in seconds.
/// <https://docs.aws.amazon.com/AmazonECR/latest/APIReference/API_GetAuthorizationToken.html>
const LIFE: i64 = 12 * 3600;
/// The name that all use with their password.
pub const USER: &str = "AWS";

/// Carries out an operation.
///
/// # Errors
/// The registry's own; the state is as it was.
pub fn answer(
    state: &State,
    context: &Context,
    party: Party<'_>,
    request: Request,
) -> Result<Answer, ApiError> {
    answered(state, context, request.name(), |call| {
        Ok(match request {
            Request::CreateRepository(asked) => respond(&create(call, *asked)?),
            Request::DescribeRepositories(asked) => respond(&describe(call, &asked)?),
            Request::DeleteRepository(asked) => respond(&delete(call, &asked)?),
            Request::ListTagsForResource(asked) => respond(&list_tags(call, &asked)?),
            Request::TagResource(asked) => respond(&tag(call, *asked)?),
            Request::UntagResource(asked) => respond(&untag(call, &asked)?),
            Request::GetAuthorizationToken(_) => respond(&token(call, party)?),
        })
    })
}

fn told(call: &Call<'_>, of: &model::Repository) -> Repository {
    let account = &call.state.settings.account;
    Repository {
        created_at: Some(Timestamp(of.created)),
        encryption_configuration: Some(EncryptionConfiguration {
            encryption_type: Some(EncryptionType::AES256),
            kms_key: None,
        }),
        image_scanning_configuration: Some(ImageScanningConfiguration {
            scan_on_push: Some(of.scan_on_push),
        }),
        image_tag_mutability: Some(match of.mutable_tags {
            true => ImageTagMutability::MUTABLE,
            false => ImageTagMutability::IMMUTABLE,
        }),
        registry_id: Some(account.clone()),
        repository_arn: Some(of.arn(account)),
        repository_name: Some(of.name.clone()),
        repository_uri: Some(of.uri(account)),
        ..Default::default()
    }
}

fn create(
    call: &mut Call<'_>,
    asked: CreateRepositoryRequest,
) -> Outcome<CreateRepositoryResponse> {
    let encryption = asked.encryption_configuration.unwrap_or_default();
    if encryption
        .encryption_type
        .is_some_and(|of| of != EncryptionType::AES256)
    {
        let message = "Encryption other than AES256 is not implemented by Skylab";
        return Err(Refusal::unsupported(message).into());
    }
    let mutability = asked.image_tag_mutability;
    let scanning = asked.image_scanning_configuration.unwrap_or_default();
    let new = model::Repository {
        region: call.context.region.clone(),
        name: asked.repository_name,
        created: call.context.now,
        mutable_tags: mutability.is_none_or(|of| of == ImageTagMutability::MUTABLE),
        scan_on_push: scanning.scan_on_push.unwrap_or(false),
        tags: asked.tags.into_iter().map(pair).collect(),
    };
    let made = model::create(&mut call.state, new)?;
    Ok(CreateRepositoryResponse {
        repository: Some(told(call, &made)),
    })
}

fn describe(
    call: &Call<'_>,
    asked: &DescribeRepositoriesRequest,
) -> Outcome<DescribeRepositoriesResponse> {
    let found = match asked.repository_names.as_slice() {
        [] => {
            let all = call.state.ecr_repositories.values().map(Arc::as_ref);
            all.filter(|of| of.region == call.context.region).collect()
        }
        names => names
            .iter()
            .map(|name| model::find(&call.state, call.context, name))
            .collect::<Result<Vec<_>, _>>()?,
    };
    let size = Some(asked.max_results.unwrap_or(100));
    let token = asked.next_token.as_deref();
    let (page, next_token) = wire::pagination::page(found, size, token, 1..=1000)
        .map_err(|error| ApiError::new("InvalidParameterException", error.message))?;
    Ok(DescribeRepositoriesResponse {
        next_token,
        repositories: page.into_iter().map(|of| told(call, of)).collect(),
    })
}

fn delete(
    call: &mut Call<'_>,
    asked: &DeleteRepositoryRequest,
) -> Outcome<DeleteRepositoryResponse> {
    let gone = model::delete(&mut call.state, call.context, &asked.repository_name)?;
    Ok(DeleteRepositoryResponse {
        repository: Some(told(call, &gone)),
    })
}

fn pair(tag: Tag) -> (String, String) {
    (tag.key.unwrap_or_default(), tag.value.unwrap_or_default())
}

fn list_tags(
    call: &Call<'_>,
    asked: &ListTagsForResourceRequest,
) -> Outcome<ListTagsForResourceResponse> {
    let found = model::by_arn(&call.state, call.context, &asked.resource_arn)?;
    let tag = |(key, value): (&String, &String)| Tag {
        key: Some(key.clone()),
        value: Some(value.clone()),
    };
    Ok(ListTagsForResourceResponse {
        tags: found.tags.iter().map(tag).collect(),
    })
}

fn tag(call: &mut Call<'_>, asked: TagResourceRequest) -> Outcome<TagResourceResponse> {
    let more = asked.tags.into_iter().map(pair);
    let arn = &asked.resource_arn;
    model::change_tags(&mut call.state, call.context, arn, |tags| tags.extend(more))?;
    Ok(TagResourceResponse {})
}

fn untag(call: &mut Call<'_>, asked: &UntagResourceRequest) -> Outcome<UntagResourceResponse> {
    let arn = &asked.resource_arn;
    model::change_tags(&mut call.state, call.context, arn, |tags| {
        tags.retain(|key, _| !asked.tag_keys.contains(key));
    })?;
    Ok(UntagResourceResponse {})
}

fn token(call: &Call<'_>, party: Party<'_>) -> Outcome<GetAuthorizationTokenResponse> {
    let caller = party.caller.ok_or_else(|| {
        let message = "Request is missing Authentication Token";
        ApiError::new("MissingAuthenticationToken", message)
    })?;
    let expires = call.context.now + LIFE;
    let session = Session {
        principal: caller.principal.clone(),
        expires,
        nonce: "registry".to_owned(),
    };
    let password = password(party.seal, &session);
    let registry = model::registry(&call.state.settings.account, &call.context.region);
    Ok(GetAuthorizationTokenResponse {
        authorization_data: vec![AuthorizationData {
            authorization_token: Some(STANDARD.encode(format!("{USER}:{password}"))),
            expires_at: Some(Timestamp(expires)),
            proxy_endpoint: Some(format!("https://{registry}")),
        }],
    })
}

/// A registry's password: a session's key and token in one text.
fn password(seal: &Seal, session: &Session) -> String {
    let made = seal.issue(session);
    STANDARD.encode(format!("{}:{}", made.access_key_id, made.token))
}

/// The session that a registry's password stands for, if it still holds.
pub fn session_of(seal: &Seal, password: &str, now: i64) -> Option<Session> {
    let text = String::from_utf8(STANDARD.decode(password).ok()?).ok()?;
    let (id, token) = text.split_once(':')?;
    seal.open(id, token, now).ok().map(|(session, _)| session)
}

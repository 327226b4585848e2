//! The API of AWS Systems Manager's Parameter Store.
//!
//! <https://docs.aws.amazon.com/systems-manager/latest/APIReference/Welcome.html>

use super::{Answer, Call, Outcome, answered};
use crate::model::ssm::{self as model, Kind, NewParameter};
use crate::model::{Context, Refusal, State};
use wire::Timestamp;
use wire::error::ApiError;
use wire::ssm::*;

/// The most names of a request.
const MOST_NAMES: usize = 10;

/// Carries out an operation.
///
/// # Errors
/// Systems Manager's own; the state is as it was.
pub fn answer(state: &State, context: &Context, request: Request) -> Result<Answer, ApiError> {
    answered(state, context, request.name(), |call| {
        Ok(match request {
            Request::GetParameter(asked) => respond(&get(call, &asked)?),
            Request::GetParameters(asked) => respond(&get_several(call, *asked)?),
            Request::GetParametersByPath(asked) => respond(&get_by_path(call, &asked)?),
            Request::PutParameter(asked) => respond(&put(call, *asked)?),
            Request::DescribeParameters(asked) => respond(&describe(call, &asked)?),
            Request::ListTagsForResource(asked) => respond(&list_tags(call, &asked)?),
            Request::AddTagsToResource(asked) => respond(&add_tags(call, *asked)?),
            Request::RemoveTagsFromResource(asked) => respond(&remove_tags(call, &asked)?),
            Request::DeleteParameter(asked) => respond(&delete(call, &asked)?),
            Request::DeleteParameters(asked) => respond(&delete_several(call, *asked)?),
        })
    })
}

fn told(call: &Call<'_>, of: &model::Parameter) -> Parameter {
    Parameter {
        arn: Some(of.arn(&call.state.settings.account)),
        data_type: Some(of.data_type.clone()),
        last_modified_date: Some(Timestamp(of.modified)),
        name: Some(of.name.clone()),
        type_: Some(match of.kind {
            Kind::String => ParameterType::String,
            Kind::StringList => ParameterType::StringList,
        }),
        value: Some(of.value.clone()),
        version: Some(of.version),
        ..Default::default()
    }
}

/// A parameter may be named by its ARN.
fn bare(name: &str) -> String {
    match name.strip_prefix("arn:aws:ssm:") {
        Some(rest) => match rest.split_once(":parameter/") {
            Some((_, name)) => format!("/{name}"),
            None => name.to_owned(),
        },
        None => name.to_owned(),
    }
}

fn get(call: &Call<'_>, asked: &GetParameterRequest) -> Outcome<GetParameterResult> {
    let found = model::find(&call.state, call.context, &bare(&asked.name))?;
    Ok(GetParameterResult {
        parameter: Some(told(call, &found)),
    })
}

fn check_count(names: &[String]) -> Outcome<()> {
    if names.is_empty() || names.len() > MOST_NAMES {
        let message = format!(
            "1 validation error detected: Value at 'names' failed to satisfy constraint: Member must have length between 1 and {MOST_NAMES}"
        );
        return Err(model::invalid(message).into());
    }
    Ok(())
}

fn get_several(call: &Call<'_>, asked: GetParametersRequest) -> Outcome<GetParametersResult> {
    check_count(&asked.names)?;
    let mut result = GetParametersResult::default();
    for name in asked.names {
        match model::lookup(&call.state, call.context, &bare(&name)) {
            Some(found) => result.parameters.push(told(call, &found)),
            None => result.invalid_parameters.push(name),
        }
    }
    Ok(result)
}

fn get_by_path(
    call: &Call<'_>,
    asked: &GetParametersByPathRequest,
) -> Outcome<GetParametersByPathResult> {
    let recursive = asked.recursive.unwrap_or(false);
    let all = model::below(&call.state, call.context, &asked.path, recursive)?;
    let size = Some(asked.max_results.unwrap_or(10));
    let token = asked.next_token.as_deref();
    let (page, next_token) = wire::pagination::page(all, size, token, 1..=10)
        .map_err(|error| ApiError::new("ValidationException", error.message))?;
    Ok(GetParametersByPathResult {
        next_token,
        parameters: page.iter().map(|of| told(call, of)).collect(),
    })
}

fn put(call: &mut Call<'_>, asked: PutParameterRequest) -> Outcome<PutParameterResult> {
    let kind = match asked.type_ {
        None => None,
        Some(ParameterType::String) => Some(Kind::String),
        Some(ParameterType::StringList) => Some(Kind::StringList),
        Some(ParameterType::SecureString) => {
            let message = "Parameters of the type SecureString are not implemented by Skylab";
            return Err(Refusal::unsupported(message).into());
        }
    };
    // Clients that ask for none send an empty one.
    if asked.allowed_pattern.is_some_and(|of| !of.is_empty()) {
        let message = "Patterns of parameters are not implemented by Skylab";
        return Err(Refusal::unsupported(message).into());
    }
    if asked
        .tier
        .is_some_and(|tier| tier == ParameterTier::Advanced)
    {
        let message = "Parameters of the tier Advanced are not implemented by Skylab";
        return Err(Refusal::unsupported(message).into());
    }
    let new = NewParameter {
        name: asked.name,
        kind,
        value: asked.value,
        data_type: asked.data_type,
        description: asked.description,
        tags: asked.tags.into_iter().map(pair).collect(),
        overwrite: asked.overwrite.unwrap_or(false),
    };
    let version = model::put(&mut call.state, call.context, new)?;
    Ok(PutParameterResult {
        tier: Some(ParameterTier::Standard),
        version: Some(version),
    })
}

fn pair(tag: Tag) -> (String, String) {
    (tag.key.unwrap_or_default(), tag.value.unwrap_or_default())
}

/// Whether a parameter passes a filter.
fn passes(of: &model::Parameter, filter: &ParameterStringFilter) -> Outcome<bool> {
    let own = match filter.key.as_str() {
        "Name" => &of.name,
        "Type" => match of.kind {
            Kind::String => "String",
            Kind::StringList => "StringList",
        },
        "DataType" => &of.data_type,
        other => {
            let message = format!("The filter {other} is not implemented by Skylab");
            return Err(Refusal::unsupported(message).into());
        }
    };
    let mut values = filter.values.iter();
    match filter.option.as_deref() {
        None | Some("Equals") => Ok(values.any(|value| value == own)),
        Some("BeginsWith") => Ok(values.any(|value| own.starts_with(value.as_str()))),
        Some("Contains") => Ok(values.any(|value| own.contains(value.as_str()))),
        Some(other) => Err(ApiError::new(
            "InvalidFilterOption",
            format!("The following filter option is not valid: {other}."),
        )),
    }
}

fn describe(
    call: &Call<'_>,
    asked: &DescribeParametersRequest,
) -> Outcome<DescribeParametersResult> {
    let mut chosen = Vec::new();
    for of in model::own(&call.state, call.context) {
        let mut passed = true;
        for filter in &asked.parameter_filters {
            passed &= passes(of, filter)?;
        }
        if passed {
            chosen.push(of);
        }
    }
    let size = Some(asked.max_results.unwrap_or(50));
    let token = asked.next_token.as_deref();
    let (page, next_token) = wire::pagination::page(chosen, size, token, 1..=50)
        .map_err(|error| ApiError::new("ValidationException", error.message))?;
    let metadata = |of: &model::Parameter| {
        let told = told(call, of);
        ParameterMetadata {
            arn: told.arn,
            data_type: told.data_type,
            description: of.description.clone(),
            last_modified_date: told.last_modified_date,
            name: told.name,
            tier: Some(ParameterTier::Standard),
            type_: told.type_,
            version: told.version,
            ..Default::default()
        }
    };
    Ok(DescribeParametersResult {
        next_token,
        parameters: page.into_iter().map(metadata).collect(),
    })
}

/// Only parameters have tags here.
fn tagged(kind: ResourceTypeForTagging) -> Outcome<()> {
    match kind {
        ResourceTypeForTagging::Parameter => Ok(()),
        other => {
            let message = format!("Resources of the type {other} are not implemented by Skylab");
            Err(Refusal::unsupported(message).into())
        }
    }
}

fn list_tags(
    call: &Call<'_>,
    asked: &ListTagsForResourceRequest,
) -> Outcome<ListTagsForResourceResult> {
    tagged(asked.resource_type)?;
    let found = model::find(&call.state, call.context, &bare(&asked.resource_id))?;
    let tag = |(key, value): (&String, &String)| Tag {
        key: Some(key.clone()),
        value: Some(value.clone()),
    };
    Ok(ListTagsForResourceResult {
        tag_list: found.tags.iter().map(tag).collect(),
    })
}

fn add_tags(
    call: &mut Call<'_>,
    asked: AddTagsToResourceRequest,
) -> Outcome<AddTagsToResourceResult> {
    tagged(asked.resource_type)?;
    let (name, more) = (bare(&asked.resource_id), asked.tags.into_iter().map(pair));
    model::change_tags(&mut call.state, call.context, &name, |tags| {
        tags.extend(more);
    })?;
    Ok(AddTagsToResourceResult {})
}

fn remove_tags(
    call: &mut Call<'_>,
    asked: &RemoveTagsFromResourceRequest,
) -> Outcome<RemoveTagsFromResourceResult> {
    tagged(asked.resource_type)?;
    let name = bare(&asked.resource_id);
    model::change_tags(&mut call.state, call.context, &name, |tags| {
        tags.retain(|key, _| !asked.tag_keys.contains(key));
    })?;
    Ok(RemoveTagsFromResourceResult {})
}

fn delete(call: &mut Call<'_>, asked: &DeleteParameterRequest) -> Outcome<DeleteParameterResult> {
    if !model::delete(&mut call.state, call.context, &bare(&asked.name)) {
        return Err(ApiError::new("ParameterNotFound", ""));
    }
    Ok(DeleteParameterResult {})
}

fn delete_several(
    call: &mut Call<'_>,
    asked: DeleteParametersRequest,
) -> Outcome<DeleteParametersResult> {
    check_count(&asked.names)?;
    let mut result = DeleteParametersResult::default();
    for name in asked.names {
        match model::delete(&mut call.state, call.context, &bare(&name)) {
            true => result.deleted_parameters.push(name),
            false => result.invalid_parameters.push(name),
        }
    }
    Ok(result)
}

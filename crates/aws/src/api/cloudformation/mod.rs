//! The CloudFormation API, version 2010-05-15.
//!
//! <https://docs.aws.amazon.com/AWSCloudFormation/latest/APIReference/Welcome.html>

mod change_set;
mod export;
mod stack;
mod template;
mod view;

use super::{Answer, Outcome, answered, dispatch};
use crate::model::cloudformation::{Given, Offered};
use crate::model::{Context, State};
use std::collections::BTreeMap;
use wire::cloudformation::{self, Capability, Parameter, Request, Tag};
use wire::error::ApiError;
use wire::query::Node;

/// What a page of a listing holds.
const PAGE: i32 = 100;

/// Cuts a page; the caller can't say how long it is.
fn page<T>(all: Vec<T>, token: Option<&str>) -> Outcome<(Vec<T>, Option<String>)> {
    wire::pagination::page(all, Some(PAGE), token, 1..=PAGE)
        .map_err(|error| ApiError::new("ValidationError", error.message))
}

/// Reads a request.
///
/// # Errors
/// `ValidationError` for a parameter that is missing or can't be, `InvalidAction`, `UnsupportedOperation`.
pub fn parse(action: &str, parameters: &Node) -> Result<Request, ApiError> {
    Request::parse(action, parameters).map_err(|error| match error.code.as_str() {
        "MissingParameter" | "InvalidParameterValue" => {
            ApiError::new("ValidationError", error.message)
        }
        _ => error,
    })
}

/// What a request offers for a stack.
fn offered(
    template: Option<String>,
    parameters: Vec<Parameter>,
    tags: Vec<Tag>,
    capabilities: &[Capability],
) -> Offered {
    let parameter = |of: Parameter| {
        let given = if of.use_previous_value == Some(true) {
            Given::Previous
        } else {
            Given::New(of.parameter_value.unwrap_or_default())
        };
        (of.parameter_key.unwrap_or_default(), given)
    };
    let tags = tags.into_iter();
    let tags = tags.map(|tag| (tag.key.unwrap_or_default(), tag.value.unwrap_or_default()));
    Offered {
        template,
        parameters: parameters
            .into_iter()
            .map(parameter)
            .collect::<BTreeMap<_, _>>(),
        tags: tags.collect(),
        capabilities: capabilities.iter().map(ToString::to_string).collect(),
    }
}

/// Carries out an operation.
///
/// # Errors
/// CloudFormation's own; the state is as it was.
pub fn answer(
    state: &State,
    context: &Context,
    request: Request,
    request_id: &str,
) -> Result<Answer, ApiError> {
    answered(state, context, request.name(), |call| {
        Ok(
            dispatch!(call, request, |operation, output| cloudformation::respond(operation, &output, request_id), {
                    CreateStack => stack::create,
                    UpdateStack => stack::update,
                    DeleteStack => stack::delete,
                    CancelUpdateStack => stack::cancel_update,
                    ContinueUpdateRollback => stack::continue_rollback,
                    UpdateTerminationProtection => stack::protect,
                    DescribeStacks => view::describe,
                    ListStacks => view::list,
                    DescribeStackEvents => view::events,
                    DescribeStackResource => view::resource,
                    DescribeStackResources => view::resources,
                    ListStackResources => view::list_resources,
                    GetTemplate => template::get,
                    GetTemplateSummary => template::summary,
                    ValidateTemplate => template::validate,
                    CreateChangeSet => change_set::create,
                    DescribeChangeSet => change_set::describe,
                    ExecuteChangeSet => change_set::execute,
                    DeleteChangeSet => change_set::delete,
                    ListChangeSets => change_set::list,
                    ListExports => export::list,
                    ListImports => export::imports,
            }),
        )
    })
}

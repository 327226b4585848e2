//! What Describe operations share: ids, filters, tags and pages.

use super::{Call, Outcome};
use crate::model::{Refusal, State, tag};
use std::collections::HashSet;
use wire::ec2::Filter;
use wire::error::ApiError;
use wire::filters::Filters;
use wire::pagination::page;

/// What a Describe request asks for.
pub(super) struct Wanted {
    pub(super) ids: Vec<String>,
    pub(super) filters: Vec<Filter>,
    pub(super) max_results: Option<i32>,
    pub(super) next_token: Option<String>,
}

/// What a request asks for that has ids under a name of its own, filters and pages.
macro_rules! wanted {
    ($request:ident, $ids:ident) => {
        $crate::api::describe::Wanted {
            ids: $request.$ids,
            filters: $request.filters,
            max_results: $request.max_results,
            next_token: $request.next_token,
        }
    };
}
pub(super) use wanted;

/// A kind of resource, to select from.
pub(super) struct Kind<'k, T> {
    /// The names of its filters, those on tags apart.
    pub(super) filters: &'static [&'static str],
    /// Its id.
    pub(super) id: &'k dyn Fn(&T) -> String,
    /// Its values for a filter.
    pub(super) field: &'k dyn Fn(&T, &str) -> Vec<String>,
    /// The refusal for an id that there isn't.
    pub(super) not_found: &'k dyn Fn(&str) -> Refusal,
}

/// The resources that a request asks for, in the order of their ids, and the token for more.
pub(super) fn select<'a, T>(
    call: &Call<'_>,
    all: impl Iterator<Item = &'a T>,
    wanted: Wanted,
    kind: &Kind<'_, T>,
) -> Outcome<(Vec<&'a T>, Option<String>)> {
    let filters = Filters::new(wanted.filters)?;
    filters.check_names(|name| kind.filters.contains(&name) || is_tag_filter(name))?;
    if !wanted.ids.is_empty() && wanted.max_results.is_some() && wanted.next_token.is_some() {
        let message = "The parameter NextToken may not be used with a list of ids";
        return Err(ApiError::new("InvalidParameterCombination", message));
    }
    let all: Vec<&T> = all.collect();
    let asked: HashSet<&str> = wanted.ids.iter().map(String::as_str).collect();
    let ids: Vec<String> = all.iter().map(|item| (kind.id)(item)).collect();
    if !asked.is_empty() {
        let there: HashSet<&str> = ids.iter().map(String::as_str).collect();
        if let Some(missing) = wanted.ids.iter().find(|id| !there.contains(id.as_str())) {
            return Err((kind.not_found)(missing).into());
        }
    }
    let mut chosen = Vec::new();
    for (item, id) in all.into_iter().zip(ids) {
        if (asked.is_empty() || asked.contains(id.as_str()))
            && filters.pass(|name| {
                Some(values(&call.state, &id, name).unwrap_or_else(|| (kind.field)(item, name)))
            })?
        {
            chosen.push(item);
        }
    }
    page(
        chosen,
        wanted.max_results,
        wanted.next_token.as_deref(),
        5..=1000,
    )
}

/// Some operations take ids or a page's length, not both: AWS's words for its parameter of ids.
pub(super) fn no_pages_of_ids(
    parameter: &str,
    ids: &[String],
    max_results: Option<i32>,
) -> Outcome<()> {
    if !ids.is_empty() && max_results.is_some() {
        let message =
            format!("The parameter {parameter} cannot be used with the parameter maxResults");
        return Err(ApiError::new("InvalidParameterCombination", message));
    }
    Ok(())
}

fn is_tag_filter(name: &str) -> bool {
    name == "tag-key" || name == "tag-value" || name.starts_with("tag:")
}

/// A resource's values for a filter on tags.
fn values(state: &State, id: &str, name: &str) -> Option<Vec<String>> {
    if !is_tag_filter(name) {
        return None;
    }
    let tags = tag::of(state, id);
    let tags = tags.iter().flat_map(|tags| &tags.tags);
    Some(match name.strip_prefix("tag:") {
        Some(wanted) => tags
            .filter(|(key, _)| *key == wanted)
            .map(|(_, value)| value.clone())
            .collect(),
        None if name == "tag-key" => tags.map(|(key, _)| key.clone()).collect(),
        None => tags.map(|(_, value)| value.clone()).collect(),
    })
}

/// One value, or none.
pub(super) fn one(value: impl ToString) -> Vec<String> {
    vec![value.to_string()]
}

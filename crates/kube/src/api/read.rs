//! Getting and listing.

use super::status::Status;
use super::watch::Filter;
use super::{Answer, Call, Target, key, table};
use crate::object;
use crate::resource::Resource;
use crate::selector::Selector;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};
use std::borrow::Cow;
use std::sync::Arc;

/// Which objects of a resource a request asks for.
#[derive(Clone, Debug)]
pub struct Selection {
    /// The resource over all groups.
    pub resource: String,
    /// The namespace; `None` for all.
    pub namespace: Option<String>,
    /// By labels.
    pub labels: Selector,
    /// By fields.
    pub fields: Selector,
}

impl Selection {
    pub(super) fn read(
        call: &Call<'_>,
        resource: &Resource,
        target: &Target,
    ) -> Result<Self, Status> {
        let selector = |name| {
            let text = call.request.parameter(name).unwrap_or_default();
            Selector::parse(text).map_err(|error| Status::bad_request(error.to_string()))
        };
        let mut fields = selector("fieldSelector")?;
        super::field_labels::check(resource, &fields)?;
        if let Some(name) = &target.name {
            let only =
                crate::selector::Requirement::In("metadata.name".to_owned(), vec![name.clone()]);
            fields.0.push(only);
        }
        Ok(Self {
            resource: resource.qualified(),
            namespace: target.namespace.clone().filter(|_| resource.namespaced),
            labels: selector("labelSelector")?,
            fields,
        })
    }

    /// Whether an object of the resource is among them.
    pub fn includes(&self, object: &Value) -> bool {
        let namespace = self.namespace.as_deref();
        namespace.is_none_or(|namespace| object::namespace(object) == namespace)
            && self.labels.selects(object)
            && self.fields.selects_fields(object)
    }
}

pub(super) fn get(
    call: &mut Call<'_>,
    resource: &Resource,
    target: &Target,
    name: &str,
) -> Result<Answer, Status> {
    if call.request.flag("watch") {
        return list(call, resource, target);
    }
    let found = find(call, resource, target, name)?;
    Ok(shown(call, resource, 200, &found))
}

/// An object, or the refusal that there is none.
pub(super) fn find(
    call: &Call<'_>,
    resource: &Resource,
    target: &Target,
    name: &str,
) -> Result<Arc<Value>, Status> {
    let found = call.store.get(&key(resource, target, name)).cloned();
    found.ok_or_else(|| Status::not_found(resource, name))
}

/// An object in the form that the request accepts.
pub(super) fn shown(call: &Call<'_>, resource: &Resource, code: u16, object: &Value) -> Answer {
    match Form::wanted(&call.request.accept) {
        Form::Plain => Answer::document(code, in_version(resource, object).into_owned()),
        Form::Table => {
            let revision = object["metadata"]["resourceVersion"].clone();
            let meta = json!({"resourceVersion": revision});
            let wanted = table::Wanted::of(call.request);
            let body = table::table(resource, &[object], &meta, wanted, call.context.now);
            Answer::document(code, body)
        }
        Form::Metadata => Answer::document(code, partial(object)),
    }
}

/// An object in the version that is asked for: versions of a user's kind differ in nothing else.
pub(super) fn in_version<'o>(resource: &Resource, object: &'o Value) -> Cow<'o, Value> {
    if super::older::newer(resource).is_some() {
        return Cow::Owned(super::older::older(object));
    }
    let version = resource.api_version();
    if resource.custom.is_none() || object["apiVersion"] == version.as_str() {
        return Cow::Borrowed(object);
    }
    let mut object = object.clone();
    object["apiVersion"] = version.into();
    Cow::Owned(object)
}

/// The forms of objects that clients accept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    /// As they are.
    Plain,
    /// Rows for people.
    Table,
    /// Their metadata alone.
    Metadata,
}

impl Form {
    /// The first form of an `Accept` header that there is.
    pub(super) fn wanted(accept: &str) -> Self {
        let first = accept.split(',').next().unwrap_or_default();
        if first.contains("as=Table") {
            Self::Table
        } else if first.contains("as=PartialObjectMetadata") {
            Self::Metadata
        } else {
            Self::Plain
        }
    }
}

pub(super) fn partial(object: &Value) -> Value {
    json!({
        "kind": "PartialObjectMetadata",
        "apiVersion": "meta.k8s.io/v1",
        "metadata": object["metadata"],
    })
}

pub(super) fn list(
    call: &mut Call<'_>,
    resource: &Resource,
    target: &Target,
) -> Result<Answer, Status> {
    let selection = Selection::read(call, resource, target)?;
    if call.request.flag("watch") {
        return Filter::read(call, resource, selection).map(Answer::Watch);
    }
    let all = call
        .store
        .list(&selection.resource, selection.namespace.as_deref());
    let mut chosen: Vec<&Arc<Value>> = all
        .map(|(_, object)| object)
        .filter(|object| selection.includes(object))
        .collect();
    let revision = call.store.revision();
    let mut meta = json!({"resourceVersion": revision.to_string()});
    page(call, &mut chosen, &mut meta)?;
    let body = match Form::wanted(&call.request.accept) {
        Form::Table => {
            let objects: Vec<&Value> = chosen.iter().map(|object| object.as_ref()).collect();
            let wanted = table::Wanted::of(call.request);
            table::table(resource, &objects, &meta, wanted, call.context.now)
        }
        Form::Plain => json!({
            "kind": format!("{}List", resource.kind),
            "apiVersion": resource.api_version(),
            "metadata": meta,
            "items": chosen.iter().map(|object| in_version(resource, object)).collect::<Vec<_>>(),
        }),
        Form::Metadata => json!({
            "kind": "PartialObjectMetadataList",
            "apiVersion": "meta.k8s.io/v1",
            "metadata": meta,
            "items": chosen.iter().map(|object| partial(object)).collect::<Vec<_>>(),
        }),
    };
    Ok(Answer::document(200, body))
}

/// Cuts a page: `limit` objects after the one that the `continue` token names.
///
/// Pages go on from a key, at the newest revision: what changes between two pages shows, which
/// upstream calls an inconsistent continuation.
fn page(call: &Call<'_>, chosen: &mut Vec<&Arc<Value>>, meta: &mut Value) -> Result<(), Status> {
    let place = |object: &Value| format!("{}\n{}", object::namespace(object), object::name(object));
    if let Some(token) = call
        .request
        .parameter("continue")
        .filter(|token| !token.is_empty())
    {
        let wrong = || Status::bad_request("continue key is not valid");
        let bytes = URL_SAFE_NO_PAD.decode(token).map_err(|_| wrong())?;
        let after = String::from_utf8(bytes).map_err(|_| wrong())?;
        let (namespace, name) = after.split_once('\n').ok_or_else(wrong)?;
        chosen
            .retain(|object| (object::namespace(object), object::name(object)) > (namespace, name));
    }
    let limit = call.request.number("limit")?.unwrap_or(0);
    let limit = usize::try_from(limit).unwrap_or(0);
    if limit > 0 && chosen.len() > limit {
        let rest = chosen.len() - limit;
        chosen.truncate(limit);
        let last = chosen
            .last()
            .map(|object| place(object))
            .unwrap_or_default();
        meta["continue"] = json!(URL_SAFE_NO_PAD.encode(last));
        meta["remainingItemCount"] = json!(rest);
    }
    Ok(())
}

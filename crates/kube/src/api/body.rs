//! Bodies: JSON, YAML or protobuf into an object of the schema.

use super::status::Status;
use super::{Call, nesting};
use crate::object;
use crate::resource::Resource;
use crate::schema::{self, Schema, protobuf};
use serde_json::Value;

/// Reads a body as JSON, whatever its form.
pub(super) fn parse(content_type: &str, body: &[u8]) -> Result<Value, Status> {
    let form = content_type.split(';').next().unwrap_or_default().trim();
    match form {
        "" | "application/json" | "*/*" => json(body),
        "application/yaml" => nesting::yaml(body)
            .map_err(|error| Status::bad_request(format!("error parsing YAML: {error}"))),
        "application/vnd.kubernetes.protobuf" => {
            let value = protobuf::decode(body);
            let value = value.map_err(|error| Status::bad_request(error.to_string()))?;
            nesting::check(&value).map(|()| value)
        }
        other => Err(Status::unsupported_media(other)),
    }
}

/// Reads JSON.
pub(super) fn json(body: &[u8]) -> Result<Value, Status> {
    nesting::json(body).map_err(|error| {
        Status::bad_request(format!(
            "the object provided is unrecognized (must be of type {}): couldn't get version/kind; json parse error: {error}",
            "Object"
        ))
    })
}

/// The request's object, which must be of this kind.
pub(super) fn object_of(call: &mut Call<'_>, resource: &Resource) -> Result<Value, Status> {
    let mut value = parse(&call.request.content_type, &call.request.body)?;
    if !value.is_object() {
        return Err(Status::bad_request(
            "the body of the request was not an object",
        ));
    }
    let map = object::object_mut(&mut value);
    // A client that names neither means what the path says.
    object::default(map, "kind", resource.kind.to_string());
    object::default(map, "apiVersion", resource.api_version());
    expect_kind(&value, resource)?;
    checked(call, resource, &value)
}

/// Refuses an object of another kind.
pub(super) fn expect_kind(value: &Value, resource: &Resource) -> Result<(), Status> {
    let (version, kind) = (
        object::text(value, &["apiVersion"]),
        object::text(value, &["kind"]),
    );
    if kind != resource.kind || version != resource.api_version() {
        let (group, version) = version.split_once('/').unwrap_or(("", version));
        return Err(Status::bad_request(format!(
            "{} in version {version:?} cannot be handled as a {}: no kind {kind:?} is registered for version {:?} in group {group:?}",
            kind, resource.kind, version
        )));
    }
    Ok(())
}

/// An object whose fields are all of the schema. Unknown ones are refused, warned of or dropped, as
/// the request says.
/// <https://kubernetes.io/docs/reference/using-api/api-concepts/#setting-the-field-validation-level>
pub(super) fn checked(
    call: &mut Call<'_>,
    resource: &Resource,
    value: &Value,
) -> Result<Value, Status> {
    let (value, unknown) = conform(resource, value)?;
    tell_unknown(call, resource, &unknown)?;
    Ok(value)
}

/// An object whose fields are all of the schema, and those that were not.
pub(super) fn conform(resource: &Resource, value: &Value) -> Result<(Value, Vec<String>), Status> {
    if let Some(custom) = &resource.custom {
        let mut value = value.clone();
        let mut dropped = crate::custom::schema::prune(&mut value, &custom.schema);
        dropped.extend(check_metadata(resource, &mut value)?);
        return Ok((value, dropped));
    }
    let Some(id) = Schema::get().find(&resource.type_name()) else {
        let mut value = value.clone();
        let dropped = check_metadata(resource, &mut value)?;
        return Ok((value, dropped));
    };
    let kind = &resource.kind;
    let version = &resource.version;
    let checked = schema::check(value, id).map_err(|fault| {
        Status::bad_request(format!(
            "{kind} in version {version:?} cannot be handled as a {kind}: {fault}"
        ))
    })?;
    Ok((checked.value, checked.unknown))
}

/// The metadata of an object whose kind is not in the table: the same as everybody's.
fn check_metadata(resource: &Resource, value: &mut Value) -> Result<Vec<String>, Status> {
    let Some(id) = Schema::get().find("meta/v1.ObjectMeta") else {
        return Ok(Vec::new());
    };
    let (kind, version) = (&resource.kind, &resource.version);
    if !value.is_object() {
        let message =
            format!("{kind} in version {version:?} cannot be handled as a {kind}: it is no object");
        return Err(Status::bad_request(message));
    }
    let held = object::object_mut(value)
        .entry("metadata")
        .or_insert(Value::Null);
    if held.is_null() {
        *held = Value::Object(serde_json::Map::new());
    }
    let checked = schema::check(held, id).map_err(|fault| {
        let message =
            format!("{kind} in version {version:?} cannot be handled as a {kind}: {fault}");
        Status::bad_request(message)
    })?;
    *held = checked.value;
    Ok(checked
        .unknown
        .iter()
        .map(|path| format!("metadata.{path}"))
        .collect())
}

fn tell_unknown(
    call: &mut Call<'_>,
    resource: &Resource,
    unknown: &[String],
) -> Result<(), Status> {
    let (kind, version) = (&resource.kind, &resource.version);
    let told: Vec<String> = unknown
        .iter()
        .map(|path| format!("unknown field {path:?}"))
        .collect();
    match call.request.parameter("fieldValidation").unwrap_or("Warn") {
        _ if told.is_empty() => {}
        "Ignore" => {}
        "Strict" => {
            let told = told.join(", ");
            return Err(Status::bad_request(format!(
                "{kind} in version {version:?} cannot be handled as a {kind}: strict decoding error: {told}"
            )));
        }
        _ => call.warnings.extend(told),
    }
    Ok(())
}

//! Kinds that are answered and not kept: who am I, may I.

use super::rbac::{self, Access};
use super::status::Status;
use super::{Answer, Call, Method, Target, User, body};
use crate::object;
use crate::resource::Resource;
use serde_json::{Value, json};

pub(super) fn answer(
    call: &mut Call<'_>,
    resource: &Resource,
    target: &Target,
) -> Result<Answer, Status> {
    if call.request.method != Method::Post {
        return Err(Status::method_not_allowed());
    }
    let mut object = body::object_of(call, resource)?;
    object["status"] = match &*resource.kind {
        "SelfSubjectAccessReview" => access(call, &call.context.user.clone(), &object),
        "SubjectAccessReview" | "LocalSubjectAccessReview" => {
            let groups = object::list(&object, &["spec", "groups"]).iter();
            let user = User {
                name: object::text(&object, &["spec", "user"]).to_owned(),
                groups: groups
                    .filter_map(|g| g.as_str().map(str::to_owned))
                    .collect(),
                ..User::default()
            };
            access(call, &user, &object)
        }
        "SelfSubjectRulesReview" => self_rules(call, &object),
        "SelfSubjectReview" => {
            json!({"userInfo": call.context.user.value()})
        }
        "TokenReview" => return Ok(Answer::TokenReview(object)),
        "Binding" => return write_binding(call, target, &object),
        other => return Err(Status::not_implemented(other)),
    };
    if object["metadata"].is_null() {
        object["metadata"] = json!({"creationTimestamp": null});
    }
    Ok(Answer::document(201, object))
}

fn access(call: &Call<'_>, user: &User, review: &Value) -> Value {
    let text = |path: &[&str]| object::text(review, path).to_owned();
    let of = |name: &'static str| text(&["spec", "resourceAttributes", name]);
    let (resource, below) = (of("resource"), of("subresource"));
    let path = text(&["spec", "nonResourceAttributes", "path"]);
    let access = Access {
        verb: if path.is_empty() {
            of("verb")
        } else {
            text(&["spec", "nonResourceAttributes", "verb"])
        },
        group: of("group"),
        resource: if below.is_empty() {
            resource
        } else {
            format!("{resource}/{below}")
        },
        namespace: of("namespace"),
        name: of("name"),
        fields: selected_fields(review),
        path,
    };
    if rbac::allows(&call.store, user, &access) {
        json!({"allowed": true})
    } else {
        json!({"allowed": false})
    }
}

/// The selection by fields that a review is about, as text.
fn selected_fields(review: &Value) -> String {
    let path = ["spec", "resourceAttributes", "fieldSelector"];
    let selector = object::at(review, &path);
    let raw = object::text(selector, &["rawSelector"]);
    if !raw.is_empty() {
        return raw.to_owned();
    }
    let parts = object::list(selector, &["requirements"]).iter();
    let parts = parts.filter_map(|part| match object::list(part, &["values"]) {
        [Value::String(value)] if part["operator"] == "In" => {
            Some(format!("{}={value}", object::text(part, &["key"])))
        }
        _ => None,
    });
    parts.collect::<Vec<_>>().join(",")
}

fn self_rules(call: &Call<'_>, review: &Value) -> Value {
    let user = call.context.user;
    let namespace = object::text(review, &["spec", "namespace"]);
    let mut rules = rbac::rules(&call.store, user, namespace);
    if user.groups.iter().any(|group| group == rbac::MASTERS) {
        rules.push(json!({"verbs": ["*"], "apiGroups": ["*"], "resources": ["*"]}));
        rules.push(json!({"verbs": ["*"], "nonResourceURLs": ["*"]}));
    }
    let (paths, resources): (Vec<_>, Vec<_>) = rules
        .into_iter()
        .partition(|rule| !rule["nonResourceURLs"].is_null());
    json!({"resourceRules": resources, "nonResourceRules": paths, "incomplete": false})
}

/// A binding made in a namespace is the one below the pod that it names.
fn write_binding(call: &mut Call<'_>, target: &Target, binding: &Value) -> Result<Answer, Status> {
    let pods = crate::client::resource("pods").ok_or_else(Status::no_such_path)?;
    let target = Target {
        plural: "pods".to_owned(),
        name: Some(object::name(binding).to_owned()),
        subresource: Some(crate::resource::Subresource::Binding),
        ..target.clone()
    };
    super::subresource::answer(call, pods, target, crate::resource::Subresource::Binding)
}

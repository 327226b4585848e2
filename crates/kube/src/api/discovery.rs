//! What there is: groups, kinds, versions, OpenAPI.
//!
//! <https://kubernetes.io/docs/concepts/overview/kubernetes-api/#discovery-api>

use super::status::Status;
use super::{Answer, Call};
use crate::resource::{GROUPS, Resource, built_in};
use crate::schema::openapi;
use serde_json::{Value, json};
use std::sync::Arc;

/// The form in which a client gets all groups at once.
const AGGREGATED: &str = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList";

pub(super) fn answer(call: &Call<'_>) -> Result<Answer, Status> {
    let path = call.request.path.trim_end_matches('/');
    let aggregated = call.request.accept.contains("as=APIGroupDiscoveryList");
    let document = |body| Ok(Answer::document(200, body));
    match path {
        "" => document(json!({"paths": paths()})),
        "/version" => document(version(call)),
        "/healthz" | "/livez" | "/readyz" => Ok(Answer::Text("ok".to_owned())),
        "/api" if aggregated => aggregate(GROUPS.iter().filter(|(group, _)| group.is_empty())),
        "/apis" if aggregated => aggregate(GROUPS.iter().filter(|(group, _)| !group.is_empty())),
        "/api" => document(json!({
            "kind": "APIVersions",
            "versions": ["v1"],
            "serverAddressByClientCIDRs": [],
        })),
        "/apis" => {
            let groups = GROUPS.iter().filter(|(group, _)| !group.is_empty());
            let groups: Vec<Value> = groups
                .map(|(group, versions)| self::group(group, versions))
                .collect();
            document(json!({"kind": "APIGroupList", "apiVersion": "v1", "groups": groups}))
        }
        "/openapi/v2" => document(openapi::v2(&kinds())),
        "/openapi/v3" => document(openapi::index(&group_versions())),
        _ => below(path),
    }
}

fn kinds() -> Vec<Arc<Resource>> {
    built_in().to_vec()
}

fn version(call: &Call<'_>) -> Value {
    let version = &call.context.settings.version;
    let (major, minor) = version.split_once('.').unwrap_or((version, "0"));
    json!({
        "major": major,
        "minor": minor,
        "gitVersion": format!("v{version}.0+skylab"),
        "gitCommit": "",
        "gitTreeState": "clean",
        "buildDate": "1970-01-01T00:00:00Z",
        "goVersion": "",
        "compiler": "rustc",
        "platform": "linux/amd64",
    })
}

/// Versions as paths below the root: `api/v1`, `apis/apps/v1`.
fn group_versions() -> Vec<String> {
    GROUPS
        .iter()
        .flat_map(|(group, versions)| versions.iter().map(move |version| (group, version)))
        .filter(|(group, version)| resources(group, version).next().is_some())
        .map(|(group, version)| {
            if group.is_empty() {
                format!("api/{version}")
            } else {
                format!("apis/{group}/{version}")
            }
        })
        .collect()
}

fn paths() -> Vec<String> {
    let mut paths: Vec<String> = [
        "/api",
        "/apis",
        "/healthz",
        "/livez",
        "/openapi/v2",
        "/openapi/v3",
        "/readyz",
        "/version",
    ]
    .map(str::to_owned)
    .to_vec();
    paths.extend(group_versions().into_iter().map(|path| format!("/{path}")));
    paths.sort();
    paths
}

fn resources(group: &str, version: &str) -> impl Iterator<Item = &'static Arc<Resource>> {
    built_in()
        .iter()
        .filter(move |resource| resource.group == group && resource.version == version)
}

fn served<'a>(
    group: &'static str,
    versions: &'a [&'static str],
) -> impl Iterator<Item = &'static str> + 'a {
    versions
        .iter()
        .copied()
        .filter(move |version| resources(group, version).next().is_some())
}

fn group(group: &'static str, versions: &[&'static str]) -> Value {
    let versions: Vec<Value> = served(group, versions)
        .map(|version| json!({"groupVersion": format!("{group}/{version}"), "version": version}))
        .collect();
    json!({"name": group, "preferredVersion": versions.first(), "versions": versions})
}

fn aggregate<'a>(
    groups: impl Iterator<Item = &'a (&'static str, &'a [&'static str])>,
) -> Result<Answer, Status> {
    let items: Vec<Value> = groups
        .map(|(group, versions)| {
            let versions: Vec<Value> = served(group, versions)
                .map(|version| {
                    let resources: Vec<Value> =
                        resources(group, version).map(|r| told(r)).collect();
                    json!({"version": version, "resources": resources, "freshness": "Current"})
                })
                .collect();
            json!({"metadata": {"name": group, "creationTimestamp": null}, "versions": versions})
        })
        .collect();
    Ok(Answer::Document {
        code: 200,
        body: json!({
            "kind": "APIGroupDiscoveryList",
            "apiVersion": "apidiscovery.k8s.io/v2",
            "metadata": {},
            "items": items,
        }),
        content_type: Some(AGGREGATED),
    })
}

/// A resource in aggregated discovery.
fn told(resource: &Resource) -> Value {
    let subresources: Vec<Value> = resource
        .subresources
        .iter()
        .map(|sub| {
            let kind = sub_kind(resource, *sub);
            json!({
                "subresource": sub.as_str(),
                "responseKind": {"group": kind.0, "version": kind.1, "kind": kind.2},
                "verbs": sub.verbs(),
            })
        })
        .collect();
    let mut told = json!({
        "resource": resource.plural,
        "responseKind": {
            "group": resource.group, "version": resource.version, "kind": resource.kind,
        },
        "scope": if resource.namespaced { "Namespaced" } else { "Cluster" },
        "singularResource": resource.singular,
        "verbs": resource.verbs(),
        "shortNames": resource.short_names,
        "categories": resource.categories,
        "subresources": subresources,
    });
    let map = crate::object::object_mut(&mut told);
    map.retain(|_, value| value.as_array().is_none_or(|list| !list.is_empty()));
    told
}

fn sub_kind(resource: &Resource, sub: crate::resource::Subresource) -> (String, String, String) {
    use crate::resource::Subresource as Sub;
    let of = |group: &str, version: &str, kind: &str| {
        (group.to_owned(), version.to_owned(), kind.to_owned())
    };
    match sub {
        Sub::Scale => of("autoscaling", "v1", "Scale"),
        Sub::Eviction => of("policy", "v1", "Eviction"),
        Sub::Binding => of("", "v1", "Binding"),
        Sub::Token => of("authentication.k8s.io", "v1", "TokenRequest"),
        Sub::Exec => of("", "v1", "PodExecOptions"),
        Sub::Attach => of("", "v1", "PodAttachOptions"),
        Sub::PortForward => of("", "v1", "PodPortForwardOptions"),
        _ => of(&resource.group, &resource.version, &resource.kind),
    }
}

/// A group, a version, or a version's OpenAPI.
fn below(path: &str) -> Result<Answer, Status> {
    let document = |body| Ok(Answer::document(200, body));
    let parts: Vec<&str> = path.trim_matches('/').split('/').collect();
    match parts.as_slice() {
        ["api", version] => list("", version),
        ["apis", name] => {
            let found = GROUPS.iter().find(|(group, _)| group == name);
            let (name, versions) = found.ok_or_else(Status::no_such_path)?;
            let mut group = group(name, versions);
            group["kind"] = json!("APIGroup");
            group["apiVersion"] = json!("v1");
            document(group)
        }
        ["apis", group, version] => list(group, version),
        ["openapi", "v3", "api", version] => openapi_of("", version),
        ["openapi", "v3", "apis", group, version] => openapi_of(group, version),
        _ => Err(Status::no_such_path()),
    }
}

fn openapi_of(group: &str, version: &str) -> Result<Answer, Status> {
    let kinds: Vec<Arc<Resource>> = resources(group, version).cloned().collect();
    if kinds.is_empty() {
        return Err(Status::no_such_path());
    }
    Ok(Answer::document(200, openapi::v3(&kinds)))
}

fn list(group: &str, version: &str) -> Result<Answer, Status> {
    let mut all = Vec::new();
    for resource in resources(group, version) {
        all.push(json!({
            "name": resource.plural,
            "singularName": resource.singular,
            "namespaced": resource.namespaced,
            "kind": resource.kind,
            "verbs": resource.verbs(),
            "shortNames": resource.short_names,
            "categories": resource.categories,
        }));
        for sub in &resource.subresources {
            let (group, version, kind) = sub_kind(resource, *sub);
            all.push(json!({
                "name": format!("{}/{}", resource.plural, sub.as_str()),
                "singularName": "",
                "namespaced": resource.namespaced,
                "group": group,
                "version": version,
                "kind": kind,
                "verbs": sub.verbs(),
            }));
        }
    }
    if all.is_empty() {
        return Err(Status::no_such_path());
    }
    let group_version = if group.is_empty() {
        version.to_owned()
    } else {
        format!("{group}/{version}")
    };
    let body = json!({
        "kind": "APIResourceList",
        "apiVersion": "v1",
        "groupVersion": group_version,
        "resources": all,
    });
    Ok(Answer::document(200, body))
}

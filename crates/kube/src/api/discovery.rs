//! What there is: groups, kinds, versions, OpenAPI.
//!
//! <https://kubernetes.io/docs/concepts/overview/kubernetes-api/#discovery-api>

use super::status::Status;
use super::{Answer, Call};
use crate::registry;
use crate::resource::{GROUPS, Resource};
use crate::schema::openapi;
use crate::store::Store;
use serde_json::{Value, json};
use std::sync::Arc;

/// The form in which a client gets all groups at once.
const AGGREGATED: &str = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList";

/// What there is, by group and version, the groups in the order of their preference.
struct Served {
    groups: Vec<(String, Vec<String>)>,
    kinds: Vec<Arc<Resource>>,
}

impl Served {
    fn of(store: &Store) -> Self {
        let kinds = registry::all(store);
        let mut groups: Vec<(String, Vec<String>)> = GROUPS
            .iter()
            .map(|(group, _)| ((*group).to_owned(), Vec::new()))
            .collect();
        for kind in &kinds {
            let version = kind.version.to_string();
            match groups.iter_mut().find(|(group, _)| *group == *kind.group) {
                Some((_, versions)) if versions.contains(&version) => {}
                Some((_, versions)) => versions.push(version),
                None => groups.push((kind.group.to_string(), vec![version])),
            }
        }
        groups.retain(|(_, versions)| !versions.is_empty());
        Self { groups, kinds }
    }

    fn kinds<'s>(
        &'s self,
        group: &'s str,
        version: &'s str,
    ) -> impl Iterator<Item = &'s Arc<Resource>> {
        let matching = move |kind: &&Arc<Resource>| kind.group == group && kind.version == version;
        self.kinds.iter().filter(matching)
    }

    /// Versions as paths below the root: `api/v1`, `apis/apps/v1`.
    fn paths(&self) -> Vec<String> {
        let each = self.groups.iter().flat_map(|(group, versions)| {
            versions.iter().map(move |version| match group.as_str() {
                "" => format!("api/{version}"),
                group => format!("apis/{group}/{version}"),
            })
        });
        each.collect()
    }

    /// A group in the plain form of discovery.
    fn group(&self, name: &str) -> Option<Value> {
        let (name, versions) = self.groups.iter().find(|(group, _)| group == name)?;
        let told = |version: &String| json!({"groupVersion": format!("{name}/{version}"), "version": version});
        let versions: Vec<Value> = versions.iter().map(told).collect();
        Some(json!({"name": name, "preferredVersion": versions.first(), "versions": versions}))
    }

    /// The core group, or all others, with all their kinds.
    fn aggregate(&self, core: bool) -> Answer {
        let groups = self
            .groups
            .iter()
            .filter(|(group, _)| group.is_empty() == core);
        let items: Vec<Value> = groups
            .map(|(group, versions)| {
                let told = |version: &String| {
                    let kinds: Vec<Value> = self.kinds(group, version).map(|kind| told(kind)).collect();
                    json!({"version": version, "resources": kinds, "freshness": "Current"})
                };
                let versions: Vec<Value> = versions.iter().map(told).collect();
                json!({"metadata": {"name": group, "creationTimestamp": null}, "versions": versions})
            })
            .collect();
        Answer::Document {
            code: 200,
            body: json!({
                "kind": "APIGroupDiscoveryList",
                "apiVersion": "apidiscovery.k8s.io/v2",
                "metadata": {},
                "items": items,
            }),
            content_type: Some(AGGREGATED),
        }
    }
}

pub(super) fn answer(call: &Call<'_>) -> Result<Answer, Status> {
    let path = call.request.path.trim_end_matches('/');
    let aggregated = call.request.accept.contains("as=APIGroupDiscoveryList");
    let document = |body| Ok(Answer::document(200, body));
    let served = Served::of(&call.store);
    match path {
        "" => document(json!({"paths": paths(&served)})),
        "/version" => document(version(call)),
        "/healthz" | "/livez" | "/readyz" => Ok(Answer::Text("ok".to_owned())),
        "/api" if aggregated => Ok(served.aggregate(true)),
        "/apis" if aggregated => Ok(served.aggregate(false)),
        "/api" => document(json!({
            "kind": "APIVersions",
            "versions": ["v1"],
            "serverAddressByClientCIDRs": [],
        })),
        "/apis" => {
            let others = served.groups.iter().filter(|(group, _)| !group.is_empty());
            let groups: Vec<_> = others
                .filter_map(|(group, _)| served.group(group))
                .collect();
            document(json!({"kind": "APIGroupList", "apiVersion": "v1", "groups": groups}))
        }
        "/openapi/v2" => document(openapi::v2(&served.kinds)),
        "/openapi/v3" => document(openapi::index(&served.paths(), call.store.revision())),
        _ => below(&served, path),
    }
}

/// A provider's version has a patch and a build of its own, `1.34.1-eks-113cf36`, and a sign that says so in its minor
/// number.
fn version(call: &Call<'_>) -> Value {
    let version = &call.context.settings.version;
    let (major, rest) = version.split_once('.').unwrap_or((version, "0"));
    let (minor, whole) = match rest.split_once('.') {
        Some((minor, patch)) if patch.contains('-') => (format!("{minor}+"), version.clone()),
        Some((minor, _)) => (minor.to_owned(), version.clone()),
        None => (rest.to_owned(), format!("{version}.0+skylab")),
    };
    json!({
        "major": major,
        "minor": minor,
        "gitVersion": format!("v{whole}"),
        "gitCommit": "",
        "gitTreeState": "clean",
        "buildDate": "1970-01-01T00:00:00Z",
        "goVersion": "",
        "compiler": "rustc",
        "platform": "linux/amd64",
    })
}

fn paths(served: &Served) -> Vec<String> {
    const PLAIN: [&str; 8] = [
        "/api",
        "/apis",
        "/healthz",
        "/livez",
        "/openapi/v2",
        "/openapi/v3",
        "/readyz",
        "/version",
    ];
    let mut paths = PLAIN.map(str::to_owned).to_vec();
    paths.extend(served.paths().into_iter().map(|path| format!("/{path}")));
    paths.sort();
    paths
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
fn below(served: &Served, path: &str) -> Result<Answer, Status> {
    let parts: Vec<&str> = path.trim_matches('/').split('/').collect();
    match parts.as_slice() {
        ["api", version] => list(served, "", version),
        ["apis", name] => {
            let mut group = served.group(name).ok_or_else(Status::no_such_path)?;
            group["kind"] = json!("APIGroup");
            group["apiVersion"] = json!("v1");
            Ok(Answer::document(200, group))
        }
        ["apis", group, version] => list(served, group, version),
        ["openapi", "v3", "api", version] => openapi_of(served, "", version),
        ["openapi", "v3", "apis", group, version] => openapi_of(served, group, version),
        _ => Err(Status::no_such_path()),
    }
}

fn openapi_of(served: &Served, group: &str, version: &str) -> Result<Answer, Status> {
    let kinds: Vec<Arc<Resource>> = served.kinds(group, version).cloned().collect();
    if kinds.is_empty() {
        return Err(Status::no_such_path());
    }
    Ok(Answer::document(200, openapi::v3(&kinds)))
}

fn list(served: &Served, group: &str, version: &str) -> Result<Answer, Status> {
    let mut all = Vec::new();
    for resource in served.kinds(group, version) {
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

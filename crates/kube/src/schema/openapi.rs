//! OpenAPI documents of the types, for `kubectl apply`, `explain` and `diff`.
//!
//! <https://kubernetes.io/docs/concepts/overview/kubernetes-api/#openapi-interface-definition>

use super::{Field, Form, Of, Schema, TypeId};
use crate::resource::Resource;
use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};
use std::collections::BTreeSet;
use std::sync::Arc;

/// The index of version 3: a document for each group and version.
pub fn index(group_versions: &[String], revision: u64) -> Value {
    let mut paths = Map::new();
    for path in group_versions {
        // The table changes with the program only, so its digest names a document's content.
        let mut hash = Sha256::new();
        hash.update(include_str!("types.tsv"));
        hash.update(path);
        // Groups with a dot of a user's own change with their definitions.
        let known = crate::resource::GROUPS
            .iter()
            .any(|(group, _)| path.contains(&format!("/{group}/")));
        if !known && path.starts_with("apis/") {
            hash.update(revision.to_be_bytes());
        }
        let digest = hash.finalize();
        let hash: String = digest[..16]
            .iter()
            .map(|byte| format!("{byte:02X}"))
            .collect();
        let url = format!("/openapi/v3/{path}?hash={hash}");
        paths.insert(path.clone(), json!({"serverRelativeURL": url}));
    }
    json!({"paths": paths})
}

/// A version 3 document of some kinds.
pub fn v3(kinds: &[Arc<Resource>]) -> Value {
    let mut writer = Writer {
        references: "#/components/schemas/",
        schemas: Map::new(),
        wanted: Vec::new(),
        seen: BTreeSet::new(),
    };
    let schemas = writer.all(kinds);
    let mut paths = Map::new();
    for kind in kinds {
        path(kind, &mut paths);
    }
    json!({
        "openapi": "3.0.0",
        "info": {"title": "Kubernetes", "version": "v1.32.0"},
        "paths": paths,
        "components": {"schemas": schemas},
    })
}

/// A version 2 document of some kinds.
pub fn v2(kinds: &[Arc<Resource>]) -> Value {
    let mut writer = Writer {
        references: "#/definitions/",
        schemas: Map::new(),
        wanted: Vec::new(),
        seen: BTreeSet::new(),
    };
    let schemas = writer.all(kinds);
    json!({
        "swagger": "2.0",
        "info": {"title": "Kubernetes", "version": "v1.32.0"},
        "paths": {},
        "definitions": schemas,
    })
}

/// The name of a type in OpenAPI: `io.k8s.api.core.v1.Pod`.
fn open_name(name: &str) -> String {
    let (package, kind) = name.rsplit_once('.').unwrap_or(("", name));
    if package == "meta/v1" {
        format!("io.k8s.apimachinery.pkg.apis.meta.v1.{kind}")
    } else {
        format!("io.k8s.api.{}.{kind}", package.replace('/', "."))
    }
}

/// A kind's paths: enough for clients to find its type and what its changes take.
fn path(kind: &Resource, paths: &mut Map<String, Value>) {
    if !kind.kept && !kind.is_measured() {
        return;
    }
    let root = if kind.group.is_empty() {
        format!("/api/{}", kind.version)
    } else {
        format!("/apis/{}/{}", kind.group, kind.version)
    };
    let all = if kind.namespaced {
        format!("{root}/namespaces/{{namespace}}/{}", kind.plural)
    } else {
        format!("{root}/{}", kind.plural)
    };
    let gvk = json!({"group": kind.group, "version": kind.version, "kind": kind.kind});
    let parameter = |name: &str| json!({"name": name, "in": "query", "schema": {"type": "string"}});
    let reference =
        json!({"$ref": format!("#/components/schemas/{}", open_name(&kind.type_name()))});
    let response = json!({"200": {"description": "OK", "content": {"application/json": {"schema": reference}}}});
    let operation = |action: &str, parameters: Value| {
        json!({
            "parameters": parameters,
            "responses": response,
            "x-kubernetes-action": action,
            "x-kubernetes-group-version-kind": gvk,
        })
    };
    if kind.is_measured() {
        paths.insert(all, json!({"get": operation("list", json!([]))}));
        return;
    }
    let changing = json!([
        parameter("dryRun"),
        parameter("fieldManager"),
        parameter("fieldValidation")
    ]);
    paths.insert(
        all.clone(),
        json!({
            "get": operation("list", json!([])),
            "post": operation("post", changing.clone()),
        }),
    );
    paths.insert(
        format!("{all}/{{name}}"),
        json!({
            "get": operation("get", json!([])),
            "put": operation("put", changing.clone()),
            "patch": operation("patch", changing),
            "delete": operation("delete", json!([])),
        }),
    );
}

struct Writer {
    references: &'static str,
    schemas: Map<String, Value>,
    wanted: Vec<TypeId>,
    seen: BTreeSet<&'static str>,
}

impl Writer {
    fn all(&mut self, kinds: &[Arc<Resource>]) -> Map<String, Value> {
        let schema = Schema::get();
        for kind in kinds {
            if let Some(custom) = &kind.custom {
                self.custom(kind, &custom.schema);
            } else if let Some(id) = schema.find(&kind.type_name()) {
                self.structure(id, Some(kind));
            }
        }
        while let Some(id) = self.wanted.pop() {
            self.structure(id, None);
        }
        std::mem::take(&mut self.schemas)
    }

    fn structure(&mut self, id: TypeId, kind: Option<&Resource>) {
        let schema = Schema::get();
        let of = schema.of(id);
        if !self.seen.insert(of.name) {
            return;
        }
        let mut properties = Map::new();
        let mut required = Vec::new();
        for field in schema.fields(id) {
            if field.required {
                required.push(field.name);
            }
            properties.insert(field.name.to_owned(), self.field(field));
        }
        let mut told = json!({"type": "object", "properties": properties});
        describe(&mut told, of.doc);
        if !required.is_empty() {
            told["required"] = json!(required);
        }
        if let Some(kind) = kind {
            let gvk = json!({"group": kind.group, "kind": kind.kind, "version": kind.version});
            told["x-kubernetes-group-version-kind"] = json!([gvk]);
        }
        self.schemas.insert(open_name(of.name), told);
    }

    /// A kind that a user defined: its own schema, with the metadata that every object has.
    fn custom(&mut self, kind: &Resource, schema: &Value) {
        let mut told = schema.clone();
        let gvk = json!({"group": kind.group, "kind": kind.kind, "version": kind.version});
        told["x-kubernetes-group-version-kind"] = json!([gvk]);
        if let Some(id) = Schema::get().find("meta/v1.ObjectMeta") {
            told["properties"]["metadata"] = self.of(Schema::get().named(id));
        }
        for field in ["apiVersion", "kind"] {
            told["properties"][field] = json!({"type": "string"});
        }
        self.schemas.insert(open_name(&kind.type_name()), told);
    }

    fn field(&mut self, field: &Field) -> Value {
        let mut told = self.of(&field.of);
        // A reference stands alone; what is said beside it goes around it.
        if !told["$ref"].is_null() && self.references.contains("components") {
            told = json!({"allOf": [told], "default": {}});
        }
        describe(&mut told, field.doc);
        if let Some(kind) = field.list {
            told["x-kubernetes-list-type"] = json!(kind);
        }
        if !field.keys.is_empty() {
            told["x-kubernetes-list-map-keys"] = json!(field.keys);
        }
        if field.atomic {
            told["x-kubernetes-map-type"] = json!("atomic");
        }
        if let Some(strategy) = field.patch {
            told["x-kubernetes-patch-strategy"] = json!(strategy);
        }
        if let Some(key) = field.patch_key {
            told["x-kubernetes-patch-merge-key"] = json!(key);
        }
        told
    }

    fn of(&mut self, of: &Of) -> Value {
        match of {
            Of::String | Of::Duration => json!({"type": "string"}),
            Of::Quantity => json!({"type": "string"}),
            Of::Int32 => json!({"type": "integer", "format": "int32"}),
            Of::Int64 => json!({"type": "integer", "format": "int64"}),
            Of::Float => json!({"type": "number", "format": "double"}),
            Of::Bool => json!({"type": "boolean"}),
            Of::Bytes => json!({"type": "string", "format": "byte"}),
            Of::IntOrString => json!({"type": "string", "format": "int-or-string"}),
            Of::Time | Of::MicroTime => json!({"type": "string", "format": "date-time"}),
            Of::Any => json!({"type": "object"}),
            Of::List(item) => json!({"type": "array", "items": self.of(item)}),
            Of::Map(item) => json!({"type": "object", "additionalProperties": self.of(item)}),
            Of::Named(id) => {
                let named = Schema::get().of(*id);
                match &named.form {
                    Form::Alias(inner, _) => self.of(inner),
                    Form::Struct(_) => {
                        self.wanted.push(*id);
                        json!({"$ref": format!("{}{}", self.references, open_name(named.name))})
                    }
                }
            }
        }
    }
}

fn describe(told: &mut Value, doc: &str) {
    if !doc.is_empty() {
        told["description"] = json!(doc.replace("\\n", "\n").replace("\\\\", "\\"));
    }
}

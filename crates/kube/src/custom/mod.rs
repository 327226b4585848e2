//! Kinds that users define: CustomResourceDefinitions.
//!
//! <https://kubernetes.io/docs/tasks/extend-kubernetes/custom-resources/custom-resource-definitions/>

pub mod definition;
pub mod path;
pub mod rules;
pub mod schema;

use crate::object;
use crate::resource::{Resource, Subresource};
use serde_json::Value;
use std::borrow::Cow;
use std::sync::Arc;

/// What a definition says of one version of a kind.
#[derive(Clone, Debug, PartialEq)]
pub struct Custom {
    /// The structural schema.
    pub schema: Value,
    /// Columns beside the name.
    pub columns: Vec<PrinterColumn>,
    /// Where the number of replicas stands, if the kind scales.
    pub scale: Option<ScalePaths>,
    /// Fields that objects can be selected by, `spec.color`.
    pub selectable: Vec<String>,
    /// Who converts objects from version to version; without it versions differ in nothing but their names.
    pub conversion: Option<Conversion>,
}

/// A webhook that converts objects of a kind.
#[derive(Clone, Debug, PartialEq)]
pub struct Conversion {
    /// The version that objects are stored in, with its group.
    pub stored: String,
    /// Where the webhook is: a definition's `clientConfig`.
    pub client: Value,
}

/// A column that `kubectl get` shows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PrinterColumn {
    /// Its name.
    pub name: String,
    /// `string`, `integer`, `number`, `boolean` or `date`.
    pub kind: String,
    /// Where its value stands.
    pub path: String,
    /// Above 0 only `-o wide` shows it.
    pub priority: i64,
}

/// Where a kind keeps what `scale` shows, as paths such as `.spec.replicas`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ScalePaths {
    /// How many there shall be.
    pub wanted: String,
    /// How many there are.
    pub current: String,
    /// The selector as text.
    pub selector: Option<String>,
}

/// The resources that a definition defines: one a served version, if its names are accepted.
pub fn resources(definition: &Value) -> Vec<Arc<Resource>> {
    let spec = &definition["spec"];
    let names = &spec["names"];
    let text = |name: &str| Cow::from(object::text(names, &[name]).to_owned());
    let words = |name: &str| {
        let list = object::list(names, &[name]).iter();
        list.filter_map(|word| word.as_str().map(|word| Cow::from(word.to_owned())))
            .collect()
    };
    let versions = object::list(spec, &["versions"]).iter();
    versions
        .filter(|version| version["served"] == true)
        .map(|version| {
            let subresources = &version["subresources"];
            let mut below = Vec::new();
            if !subresources["status"].is_null() {
                below.push(Subresource::Status);
            }
            if !subresources["scale"].is_null() {
                below.push(Subresource::Scale);
            }
            Arc::new(Resource {
                group: object::text(spec, &["group"]).to_owned().into(),
                version: object::text(version, &["name"]).to_owned().into(),
                plural: text("plural"),
                singular: text("singular"),
                kind: text("kind"),
                short_names: words("shortNames"),
                namespaced: spec["scope"] == "Namespaced",
                categories: words("categories"),
                subresources: below,
                kept: true,
                custom: Some(Arc::new(custom(spec, version))),
            })
        })
        .collect()
}

fn custom(spec: &Value, version: &Value) -> Custom {
    let columns = object::list(version, &["additionalPrinterColumns"]).iter();
    let scale = &version["subresources"]["scale"];
    let path = |name: &str| object::text(scale, &[name]).to_owned();
    let selectable = object::list(version, &["selectableFields"]).iter();
    let selectable = selectable.map(|field| object::text(field, &["jsonPath"]));
    Custom {
        schema: version["schema"]["openAPIV3Schema"].clone(),
        columns: columns
            .map(|column| PrinterColumn {
                name: object::text(column, &["name"]).to_owned(),
                kind: object::text(column, &["type"]).to_owned(),
                path: object::text(column, &["jsonPath"]).to_owned(),
                priority: column["priority"].as_i64().unwrap_or(0),
            })
            .collect(),
        selectable: selectable
            .map(|path| path.trim_start_matches('.').to_owned())
            .collect(),
        conversion: conversion(spec),
        scale: (!scale.is_null()).then(|| ScalePaths {
            wanted: path("specReplicasPath"),
            current: path("statusReplicasPath"),
            selector: scale["labelSelectorPath"].as_str().map(str::to_owned),
        }),
    }
}

/// Who converts objects, if a definition names somebody.
fn conversion(spec: &Value) -> Option<Conversion> {
    let conversion = &spec["conversion"];
    if conversion["strategy"] != "Webhook" {
        return None;
    }
    let mut versions = object::list(spec, &["versions"]).iter();
    let stored = versions.find(|version| version["storage"] == true)?;
    Some(Conversion {
        stored: format!(
            "{}/{}",
            object::text(spec, &["group"]),
            object::text(stored, &["name"])
        ),
        client: conversion["webhook"]["clientConfig"].clone(),
    })
}

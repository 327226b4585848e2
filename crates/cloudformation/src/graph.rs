//! Which resources need which others, and that none needs itself.

use crate::template::{Declared, Template};
use crate::{TemplateError, kind};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};

/// What a resource needs: names in its properties and in its DependsOn.
pub(crate) fn needs(template: &Template, resource: &Declared) -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    for value in resource.properties.values() {
        references(value, &mut |reference| {
            names.insert(reference.name().to_owned());
        });
    }
    names.extend(resource.depends_on.iter().cloned());
    names.retain(|name| template.resources.contains_key(name));
    names
}

/// A mention of something by name.
pub(crate) enum Reference<'a> {
    /// `Ref`, or `${X}` in `Fn::Sub`.
    Value(&'a str),
    /// `Fn::GetAtt`, or `${X.Y}` in `Fn::Sub`.
    Attribute(&'a str, &'a str),
}

impl Reference<'_> {
    /// The resource's or parameter's name.
    pub(crate) fn name(&self) -> &str {
        match self {
            Self::Value(name) | Self::Attribute(name, _) => name,
        }
    }
}

/// Gives every reference in a value.
pub(crate) fn references(value: &Value, give: &mut dyn FnMut(&Reference<'_>)) {
    match value {
        Value::Array(items) => items.iter().for_each(|item| references(item, give)),
        Value::Object(members) => {
            for (name, value) in members {
                match (name.as_str(), value) {
                    ("Ref", Value::String(name)) => give(&Reference::Value(name)),
                    ("Fn::GetAtt", value) => attribute(value, give),
                    ("Fn::Sub", Value::String(text)) => in_text(text, &BTreeSet::new(), give),
                    ("Fn::Sub", Value::Array(parts)) => {
                        let own = parts.get(1).and_then(Value::as_object);
                        let own = own.into_iter().flat_map(|own| own.keys()).collect();
                        if let Some(Value::String(text)) = parts.first() {
                            in_text(text, &own, give);
                        }
                        references(parts.get(1).unwrap_or(&Value::Null), give);
                    }
                    (_, value) => references(value, give),
                }
            }
        }
        _ => {}
    }
}

fn attribute(value: &Value, give: &mut dyn FnMut(&Reference<'_>)) {
    match value {
        Value::String(path) => {
            let (name, attribute) = path.split_once('.').unwrap_or((path, ""));
            give(&Reference::Attribute(name, attribute));
        }
        Value::Array(parts) => {
            let attribute = parts.get(1);
            if let Some(Value::String(name)) = parts.first() {
                let known = attribute.and_then(Value::as_str);
                give(&Reference::Attribute(name, known.unwrap_or_default()));
            }
            references(attribute.unwrap_or(&Value::Null), give);
        }
        _ => {}
    }
}

fn in_text(text: &str, own: &BTreeSet<&String>, give: &mut dyn FnMut(&Reference<'_>)) {
    for part in text.split("${").skip(1) {
        let Some((name, _)) = part.split_once('}') else {
            continue;
        };
        if name.starts_with('!') || own.iter().any(|of| of.as_str() == name) {
            continue;
        }
        match name.split_once('.') {
            Some((name, attribute)) => give(&Reference::Attribute(name, attribute)),
            None => give(&Reference::Value(name)),
        }
    }
}

/// Refuses references to what there isn't, attributes that a type doesn't have, and circles.
pub(crate) fn check(template: &Template) -> Result<(), TemplateError> {
    let mut missing = BTreeSet::new();
    let mut wrong = None;
    let mut look = |reference: &Reference<'_>| match reference {
        Reference::Value(name) => {
            let there = name.starts_with("AWS::")
                || template.parameters.contains_key(*name)
                || template.resources.contains_key(*name);
            if !there {
                missing.insert((*name).to_owned());
            }
        }
        Reference::Attribute(name, attribute) => {
            wrong = wrong
                .take()
                .or_else(|| wrong_attribute(template, name, attribute));
        }
    };
    let properties = template
        .resources
        .values()
        .flat_map(|of| of.properties.values());
    properties.for_each(|value| references(value, &mut look));
    let depended = template.resources.values().flat_map(|of| &of.depends_on);
    missing.extend(
        depended
            .filter(|name| !template.resources.contains_key(*name))
            .cloned(),
    );
    refuse_missing(&missing, "Resources")?;
    let mut missing = BTreeSet::new();
    for output in template.outputs.values() {
        references(&output.value, &mut |reference| {
            let name = reference.name();
            let there = name.starts_with("AWS::")
                || template.parameters.contains_key(name)
                || template.resources.contains_key(name);
            if !there {
                missing.insert(name.to_owned());
            } else if let Reference::Attribute(name, attribute) = reference {
                wrong = wrong
                    .take()
                    .or_else(|| wrong_attribute(template, name, attribute));
            }
        });
    }
    refuse_missing(&missing, "Outputs")?;
    match wrong {
        Some(message) => Err(TemplateError::function(message)),
        None => circles(template),
    }
}

fn refuse_missing(missing: &BTreeSet<String>, block: &str) -> Result<(), TemplateError> {
    if missing.is_empty() {
        return Ok(());
    }
    let names: Vec<&str> = missing.iter().map(String::as_str).collect();
    Err(TemplateError::format(format!(
        "Unresolved resource dependencies [{}] in the {block} block of the template",
        names.join(", ")
    )))
}

fn wrong_attribute(template: &Template, name: &str, attribute: &str) -> Option<String> {
    let Some(resource) = template.resources.get(name) else {
        return Some(format!(
            "instance of Fn::GetAtt references undefined resource {name}"
        ));
    };
    let kind = kind::find(&resource.kind)?;
    // An attribute that a function computes shows itself only later.
    let known = attribute.is_empty() || kind.attributes.contains(&attribute);
    (!known).then(|| {
        format!("resource {name} does not support attribute type {attribute} in Fn::GetAtt")
    })
}

fn circles(template: &Template) -> Result<(), TemplateError> {
    let mut left: BTreeMap<&String, BTreeSet<String>> = template
        .resources
        .iter()
        .map(|(name, resource)| (name, needs(template, resource)))
        .collect();
    loop {
        let free: Vec<&String> = left
            .iter()
            .filter(|(_, needs)| needs.is_empty())
            .map(|(name, _)| *name)
            .collect();
        if free.is_empty() {
            break;
        }
        for name in &free {
            left.remove(*name);
        }
        for needs in left.values_mut() {
            needs.retain(|need| !free.contains(&need));
        }
    }
    if left.is_empty() {
        return Ok(());
    }
    let names: Vec<&str> = left.keys().map(|name| name.as_str()).collect();
    Err(TemplateError::Circle(names.join(", ")))
}

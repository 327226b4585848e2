//! A policy's expressions, evaluated for one request.

use super::super::Call;
use super::super::admission::Attributes;
use super::super::webhook;
use super::conditions::{VARIABLES, conditions};
use crate::expression::{Expression, Fault, plain};
use crate::object::{list, text};
use crate::store::Key;
use cel::Value as Cel;
use serde_json::Value;
use std::collections::HashMap;

/// What expressions know of a request.
pub(super) struct Facts(Vec<(&'static str, Cel)>);

/// What a policy says of a request.
pub(super) enum Verdict {
    /// It may pass.
    Passes,
    /// It can't be said, and why.
    Fails(String),
    /// What it has against it: each reason with its message.
    Broken(Vec<(String, String)>),
}

impl Facts {
    pub(super) fn of(call: &Call<'_>, of: &Attributes<'_>, parameter: Option<&Value>) -> Self {
        let value = |object: Option<&Value>| object.map_or(Cel::Null, plain);
        let namespace = Key::new("namespaces", "", of.what.namespace);
        let namespace = call.store.get(&namespace).map(AsRef::as_ref);
        Self(vec![
            ("object", value(of.object)),
            ("oldObject", value(of.old)),
            ("request", plain(&webhook::request(call, of))),
            ("params", value(parameter)),
            ("namespaceObject", value(namespace)),
        ])
    }

    fn holds(&self, source: &str) -> Result<bool, Fault> {
        Expression::compile(source, &VARIABLES)?.holds(&self.0)
    }
}

pub(super) fn policy(policy: &Value, mut facts: Facts) -> Verdict {
    let spec = &policy["spec"];
    match conditions(spec, &facts.0) {
        Ok(true) => {}
        Ok(false) => return Verdict::Passes,
        Err(why) => return Verdict::Fails(why),
    }
    if let Err(why) = variables(spec, &mut facts) {
        return Verdict::Fails(why);
    }
    let mut broken = Vec::new();
    for validation in list(spec, &["validations"]) {
        let source = text(validation, &["expression"]);
        match facts.holds(source) {
            Ok(true) => {}
            Ok(false) => {
                let reason = text(validation, &["reason"]);
                broken.push((reason.to_owned(), message(validation, &facts)));
            }
            Err(fault) => {
                return Verdict::Fails(format!("expression '{source}' resulted in error: {fault}"));
            }
        }
    }
    if broken.is_empty() {
        Verdict::Passes
    } else {
        Verdict::Broken(broken)
    }
}

/// Values that a policy names, each of which may use those before it.
fn variables(spec: &Value, facts: &mut Facts) -> Result<(), String> {
    let mut held: HashMap<String, Cel> = HashMap::new();
    for variable in list(spec, &["variables"]) {
        let name = text(variable, &["name"]);
        let mut known = facts.0.clone();
        known.push(("variables", Cel::from(held.clone())));
        let source = text(variable, &["expression"]);
        let value = Expression::compile(source, &VARIABLES).and_then(|made| made.value(&known));
        let value = value.map_err(|fault| format!("variable '{name}': {fault}"))?;
        held.insert(name.to_owned(), value);
    }
    facts.0.push(("variables", Cel::from(held)));
    Ok(())
}

fn message(validation: &Value, facts: &Facts) -> String {
    let made = text(validation, &["messageExpression"]);
    if !made.is_empty() {
        let made = Expression::compile(made, &VARIABLES).and_then(|made| made.text(&facts.0));
        match made {
            Ok(made) if !made.trim().is_empty() => return made.trim().to_owned(),
            _ => {}
        }
    }
    match text(validation, &["message"]).trim() {
        "" => format!("failed expression: {}", text(validation, &["expression"])),
        told => told.to_owned(),
    }
}

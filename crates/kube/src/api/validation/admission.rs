//! Webhooks, and policies that are expressions.

use crate::api::policy::VARIABLES;
use crate::api::status::Cause;
use crate::expression::Expression;
use crate::object;
use serde_json::{Value, json};
use std::collections::BTreeSet;

pub(super) fn webhooks(configuration: &Value, causes: &mut Vec<Cause>) {
    let mut names = BTreeSet::new();
    for (index, hook) in object::list(configuration, &["webhooks"])
        .iter()
        .enumerate()
    {
        let field = format!("webhooks[{index}]");
        let name = object::text(hook, &["name"]);
        if name.is_empty() {
            causes.push(Cause::required(format!("{field}.name"), ""));
        } else if name.split('.').filter(|part| !part.is_empty()).count() < 3 {
            let detail = "should be a domain with at least three segments separated by dots";
            causes.push(Cause::invalid(
                format!("{field}.name"),
                &json!(name),
                detail,
            ));
        } else if !names.insert(name) {
            causes.push(Cause::duplicate(format!("{field}.name"), &json!(name)));
        }
        for (index, rule) in object::list(hook, &["rules"]).iter().enumerate() {
            self::rule(rule, &format!("{field}.rules[{index}]"), causes);
        }
        self::hook(hook, &field, causes);
        client(
            &hook["clientConfig"],
            &format!("{field}.clientConfig"),
            causes,
        );
    }
}

fn hook(hook: &Value, field: &str, causes: &mut Vec<Cause>) {
    for (name, known) in [
        ("failurePolicy", &["Fail", "Ignore"]),
        ("matchPolicy", &["Equivalent", "Exact"]),
        ("reinvocationPolicy", &["IfNeeded", "Never"]),
    ] {
        one_of(&hook[name], &format!("{field}.{name}"), known, causes);
    }
    let effects = format!("{field}.sideEffects");
    if hook["sideEffects"].is_null() {
        let detail = "must specify one of None, NoneOnDryRun";
        causes.push(Cause::required(effects, detail));
    } else {
        one_of(
            &hook["sideEffects"],
            &effects,
            &["None", "NoneOnDryRun"],
            causes,
        );
    }
    let seconds = hook["timeoutSeconds"].as_i64();
    if seconds.is_some_and(|seconds| !(1..=30).contains(&seconds)) {
        let detail = "the timeout value must be between 1 and 30 seconds";
        let field = format!("{field}.timeoutSeconds");
        causes.push(Cause::invalid(field, &hook["timeoutSeconds"], detail));
    }
    let versions = format!("{field}.admissionReviewVersions");
    let listed = object::list(hook, &["admissionReviewVersions"]);
    if listed.is_empty() {
        causes.push(Cause::required(versions, "must specify one of v1"));
    } else if !listed.iter().any(|version| version == "v1") {
        let detail = "must include at least one of v1";
        causes.push(Cause::invalid(versions, &json!(listed), detail));
    }
    conditions(hook, &format!("{field}."), causes);
}

/// What is wrong with expressions that say which requests are meant.
fn conditions(of: &Value, field: &str, causes: &mut Vec<Cause>) {
    let mut names = BTreeSet::new();
    for (index, condition) in object::list(of, &["matchConditions"]).iter().enumerate() {
        let field = format!("{field}matchConditions[{index}]");
        let name = object::text(condition, &["name"]);
        if name.is_empty() {
            causes.push(Cause::required(format!("{field}.name"), ""));
        } else if !names.insert(name) {
            causes.push(Cause::duplicate(format!("{field}.name"), &json!(name)));
        }
        expression(
            &condition["expression"],
            &format!("{field}.expression"),
            causes,
        );
    }
}

/// What is wrong with an expression.
fn expression(source: &Value, field: &str, causes: &mut Vec<Cause>) {
    let text = source.as_str().unwrap_or_default();
    if text.trim().is_empty() {
        causes.push(Cause::required(field, ""));
    } else if let Err(fault) = Expression::compile(text, &VARIABLES) {
        let detail = format!("compilation failed: ERROR: <input>: {fault}");
        causes.push(Cause::invalid(field, source, detail));
    }
}

/// What is wrong with a policy.
pub(super) fn policy(object: &Value, causes: &mut Vec<Cause>) {
    let spec = &object["spec"];
    let rules = object::list(spec, &["matchConstraints", "resourceRules"]);
    if rules.is_empty() {
        causes.push(Cause::required("spec.matchConstraints.resourceRules", ""));
    }
    for (index, rule) in rules.iter().enumerate() {
        let field = format!("spec.matchConstraints.resourceRules[{index}]");
        self::rule(rule, &field, causes);
    }
    one_of(
        &spec["failurePolicy"],
        "spec.failurePolicy",
        &["Fail", "Ignore"],
        causes,
    );
    conditions(spec, "spec.", causes);
    for (index, variable) in object::list(spec, &["variables"]).iter().enumerate() {
        let field = format!("spec.variables[{index}].expression");
        expression(&variable["expression"], &field, causes);
    }
    let validations = object::list(spec, &["validations"]);
    if validations.is_empty() && object::list(spec, &["auditAnnotations"]).is_empty() {
        let detail = "validations or auditAnnotations must contain at least one item";
        causes.push(Cause::required("spec.validations", detail));
    }
    let reasons = [
        "Forbidden",
        "Invalid",
        "RequestEntityTooLarge",
        "Unauthorized",
    ];
    for (index, validation) in validations.iter().enumerate() {
        let field = format!("spec.validations[{index}]");
        expression(
            &validation["expression"],
            &format!("{field}.expression"),
            causes,
        );
        if !object::text(validation, &["messageExpression"]).is_empty() {
            let made = &validation["messageExpression"];
            expression(made, &format!("{field}.messageExpression"), causes);
        }
        one_of(
            &validation["reason"],
            &format!("{field}.reason"),
            &reasons,
            causes,
        );
    }
}

/// What is wrong with a policy's binding.
pub(super) fn binding(object: &Value, causes: &mut Vec<Cause>) {
    let spec = &object["spec"];
    if object::text(spec, &["policyName"]).is_empty() {
        causes.push(Cause::required("spec.policyName", ""));
    }
    let actions = object::list(spec, &["validationActions"]);
    if actions.is_empty() {
        causes.push(Cause::required(
            "spec.validationActions",
            "at least one validation action is required",
        ));
    }
    for (index, action) in actions.iter().enumerate() {
        let field = format!("spec.validationActions[{index}]");
        one_of(action, &field, &["Audit", "Deny", "Warn"], causes);
    }
    let has = |name: &str| actions.iter().any(|action| action == name);
    if has("Deny") && has("Warn") {
        let detail = "must not contain both Deny and Warn (repeating the same validation failure information in the API response and headers serves no purpose)";
        causes.push(Cause::invalid(
            "spec.validationActions",
            &json!(actions),
            detail,
        ));
    }
}

fn one_of(value: &Value, field: &str, known: &[&str], causes: &mut Vec<Cause>) {
    if value.as_str().is_some_and(|value| !known.contains(&value)) {
        causes.push(Cause::unsupported(field, value, known));
    }
}

fn rule(rule: &Value, field: &str, causes: &mut Vec<Cause>) {
    for name in ["operations", "apiGroups", "apiVersions", "resources"] {
        let list = object::list(rule, &[name]);
        let field = format!("{field}.{name}");
        let all = list.iter().any(|value| value == "*");
        if list.is_empty() {
            causes.push(Cause::required(field, ""));
        } else if all && list.len() > 1 && name != "resources" {
            let what = match name {
                "apiGroups" => "groups",
                "apiVersions" => "versions",
                other => other,
            };
            let detail = format!("if '*' is present, must not specify other {what}");
            causes.push(Cause::invalid(field, &json!(list), detail));
        }
    }
    let known = ["*", "CONNECT", "CREATE", "DELETE", "UPDATE"];
    for (index, operation) in object::list(rule, &["operations"]).iter().enumerate() {
        one_of(
            operation,
            &format!("{field}.operations[{index}]"),
            &known,
            causes,
        );
    }
    one_of(
        &rule["scope"],
        &format!("{field}.scope"),
        &["*", "Cluster", "Namespaced"],
        causes,
    );
}

fn client(client: &Value, field: &str, causes: &mut Vec<Cause>) {
    let (url, service) = (&client["url"], &client["service"]);
    if url.is_null() == service.is_null() {
        let detail = "exactly one of url or service is required";
        causes.push(Cause::required(field, detail));
        return;
    }
    if let Some(text) = url.as_str() {
        const FORM: &str = "; desired format: https://host[/path]";
        let field = format!("{field}.url");
        let Some(rest) = text.strip_prefix("https://") else {
            let scheme = text.split("://").next().unwrap_or_default();
            let detail = format!("'https' is the only allowed URL scheme{FORM}");
            causes.push(Cause::invalid(field, &json!(scheme), detail));
            return;
        };
        let host = rest.split(['/', '?', '#']).next().unwrap_or_default();
        for (wrong, detail) in [
            (host.is_empty(), "host must be specified"),
            (
                host.contains('@'),
                "user information is not permitted in the URL",
            ),
            (rest.contains('#'), "fragments are not permitted in the URL"),
            (
                rest.contains('?'),
                "query parameters are not permitted in the URL",
            ),
            (
                !rest.chars().all(|c| c.is_ascii_graphic()),
                "the URL has letters that it must not have",
            ),
        ] {
            if wrong {
                let detail = format!("{detail}{FORM}");
                causes.push(Cause::invalid(field.clone(), &json!(host), detail));
            }
        }
        return;
    }
    for name in ["namespace", "name"] {
        if object::text(service, &[name]).is_empty() {
            let what = format!("service {name} is required");
            causes.push(Cause::required(format!("{field}.service.{name}"), &what));
        }
    }
    let port = service["port"].as_i64().unwrap_or(443);
    if !(1..=65_535).contains(&port) {
        let field = format!("{field}.service.port");
        let detail = "port is not valid: must be between 1 and 65535, inclusive";
        causes.push(Cause::invalid(field, &service["port"], detail));
    }
    let path = object::text(service, &["path"]);
    let plain = path
        .chars()
        .all(|c| c.is_ascii_graphic() && !"?#".contains(c));
    if !path.is_empty() && (!path.starts_with('/') || !plain) {
        let field = format!("{field}.service.path");
        causes.push(Cause::invalid(field, &json!(path), "must start with a '/'"));
    }
}

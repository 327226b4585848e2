//! Policy documents read from JSON, with IAM's own words for what they lack.

use super::document::{Document, Effect, Kind, Malformed, Scope, Statement};
use super::{Condition, Principal, Principals};
use serde_json::{Map, Value};
use std::collections::BTreeSet;

type Outcome<T> = Result<T, Malformed>;

const VERSIONS: [&str; 2] = ["2012-10-17", "2008-10-17"];
const OF_DOCUMENT: [&str; 3] = ["Version", "Id", "Statement"];
const OF_STATEMENT: [&str; 9] = [
    "Sid",
    "Effect",
    "Principal",
    "NotPrincipal",
    "Action",
    "NotAction",
    "Resource",
    "NotResource",
    "Condition",
];

fn malformed<T>(words: impl Into<String>) -> Outcome<T> {
    Err(Malformed(words.into()))
}

fn syntax<T>() -> Outcome<T> {
    malformed("Syntax errors in policy.")
}

pub(super) fn document(text: &str, kind: Kind) -> Outcome<Document> {
    let Ok(Value::Object(document)) = serde_json::from_str(text) else {
        return malformed("This policy contains invalid Json");
    };
    known(&document, &OF_DOCUMENT)?;
    match document.get("Version") {
        None => {}
        Some(Value::String(version)) if VERSIONS.contains(&version.as_str()) => {}
        Some(_) => return malformed("The policy must contain a valid version string"),
    }
    let statements = match document.get("Statement") {
        Some(Value::Array(statements)) if !statements.is_empty() => statements.iter().collect(),
        Some(statement @ Value::Object(_)) => vec![statement],
        _ => return syntax(),
    };
    let mut ids = BTreeSet::new();
    let mut parsed = Vec::with_capacity(statements.len());
    for of in statements {
        let Value::Object(of) = of else {
            return syntax();
        };
        if let Some(id) = of.get("Sid").filter(|id| id.as_str() != Some("")) {
            let Some(id) = id.as_str() else {
                return syntax();
            };
            if !id.bytes().all(|byte| byte.is_ascii_alphanumeric()) && kind == Kind::Identity {
                return malformed(format!(
                    "Statement IDs (SID) must be alpha-numeric. Check that your input satisfies the regular expression [0-9A-Za-z]*: {id}"
                ));
            }
            if !ids.insert(id) {
                return malformed("Statement IDs (SID) in a single policy must be unique.");
            }
        }
        parsed.push(statement(of, kind)?);
    }
    Ok(Document { statements: parsed })
}

fn known(object: &Map<String, Value>, names: &[&str]) -> Outcome<()> {
    if object.keys().all(|key| names.contains(&key.as_str())) {
        Ok(())
    } else {
        syntax()
    }
}

fn statement(of: &Map<String, Value>, kind: Kind) -> Outcome<Statement> {
    known(of, &OF_STATEMENT)?;
    let effect = of.get("Effect").and_then(Value::as_str);
    let Some(effect) = effect.and_then(|effect| effect.parse::<Effect>().ok()) else {
        return syntax();
    };
    let has = |name: &str| of.contains_key(name);
    match kind {
        Kind::Identity if has("Principal") || has("NotPrincipal") => {
            return malformed("Policy document should not specify a principal.");
        }
        Kind::Trust if has("Resource") || has("NotResource") => {
            return malformed("Has prohibited field Resource");
        }
        _ => {}
    }
    let Some(actions) = scope(of, "Action", "NotAction")? else {
        return malformed("Policy statement must contain actions.");
    };
    actions_are_named(&actions, kind)?;
    let resources = scope(of, "Resource", "NotResource")?;
    if kind == Kind::Identity {
        match &resources {
            Some(resources) => resources_are_arns(resources)?,
            None => return malformed("Policy statement must contain resources."),
        }
    }
    let principals = match kind {
        Kind::Identity => None,
        Kind::Trust => Some(principals(of)?),
    };
    Ok(Statement {
        effect,
        principals,
        actions,
        resources,
        conditions: conditions(of.get("Condition"))?,
    })
}

/// A text or a list of texts.
fn texts(value: &Value) -> Outcome<Vec<String>> {
    match value {
        Value::String(text) => Ok(vec![text.clone()]),
        Value::Array(texts) => texts
            .iter()
            .map(|text| match text {
                Value::String(text) => Ok(text.clone()),
                _ => syntax(),
            })
            .collect(),
        _ => syntax(),
    }
}

fn scope(of: &Map<String, Value>, only: &str, all_but: &str) -> Outcome<Option<Scope>> {
    let scope = match (of.get(only), of.get(all_but)) {
        (Some(_), Some(_)) => return syntax(),
        (Some(only), None) => Scope::Only(texts(only)?),
        (None, Some(all_but)) => Scope::AllBut(texts(all_but)?),
        (None, None) => return Ok(None),
    };
    let (Scope::Only(patterns) | Scope::AllBut(patterns)) = &scope;
    Ok((!patterns.is_empty()).then_some(scope))
}

fn actions_are_named(actions: &Scope, kind: Kind) -> Outcome<()> {
    let (Scope::Only(patterns) | Scope::AllBut(patterns)) = actions;
    for pattern in patterns {
        let vendor = pattern.split_once(':').map(|(vendor, _)| vendor);
        match (kind, vendor) {
            (Kind::Identity, None) if pattern != "*" => {
                return malformed(
                    "Actions/Conditions must be prefaced by a vendor, e.g., iam, sdb, ec2, etc.",
                );
            }
            (Kind::Identity, Some("" | "*")) => {
                return malformed(format!(
                    "Vendor {} is not valid",
                    vendor.unwrap_or_default()
                ));
            }
            (Kind::Trust, Some(vendor)) if !vendor.eq_ignore_ascii_case("sts") => {
                return malformed("AssumeRole policy may only specify STS AssumeRole actions.");
            }
            _ => {}
        }
    }
    Ok(())
}

fn resources_are_arns(resources: &Scope) -> Outcome<()> {
    let (Scope::Only(patterns) | Scope::AllBut(patterns)) = resources;
    for pattern in patterns {
        let is_arn = pattern.starts_with("arn:") && pattern.matches(':').count() >= 5;
        if pattern != "*" && !is_arn && !pattern.contains('*') {
            return malformed(format!(
                "Resource {pattern} must be in ARN format or \"*\"."
            ));
        }
    }
    Ok(())
}

fn principals(of: &Map<String, Value>) -> Outcome<Principals> {
    match (of.get("Principal"), of.get("NotPrincipal")) {
        (Some(only), None) => Ok(Principals::Only(named(only)?)),
        (None, Some(all_but)) => Ok(Principals::AllBut(named(all_but)?)),
        (Some(_), Some(_)) => syntax(),
        (None, None) => malformed("Missing required field Principal"),
    }
}

fn named(value: &Value) -> Outcome<Vec<Principal>> {
    let of = match value {
        Value::String(everybody) if everybody == "*" => return Ok(vec![Principal::Anyone]),
        Value::Object(of) if !of.is_empty() => of,
        _ => return syntax(),
    };
    let mut principals = Vec::new();
    for (kind, names) in of {
        for name in texts(names)? {
            principals.push(match kind.as_str() {
                "AWS" if name == "*" => Principal::Anyone,
                "AWS" => aws(name)?,
                "Service" => Principal::Service(name),
                "Federated" => Principal::Federated(name),
                _ => return syntax(),
            });
        }
    }
    Ok(principals)
}

/// An account's number or an ARN.
fn aws(name: String) -> Outcome<Principal> {
    let number = name.len() == 12 && name.bytes().all(|byte| byte.is_ascii_digit());
    let arn = ["arn:aws:iam::", "arn:aws:sts::"]
        .iter()
        .any(|prefix| name.starts_with(prefix));
    if number || arn {
        Ok(Principal::Aws(name))
    } else {
        malformed(format!("Invalid principal in policy: \"AWS\":\"{name}\""))
    }
}

fn conditions(value: Option<&Value>) -> Outcome<Vec<Condition>> {
    let operators = match value {
        None => return Ok(Vec::new()),
        Some(Value::Object(operators)) => operators,
        Some(_) => return syntax(),
    };
    let mut conditions = Vec::new();
    for (operator, keys) in operators {
        let Value::Object(keys) = keys else {
            return syntax();
        };
        for (key, values) in keys {
            let condition = Condition::new(operator, key, words(values)?);
            let Some(condition) = condition else {
                return malformed(format!("Invalid Condition type : {operator}."));
            };
            conditions.push(condition);
        }
    }
    Ok(conditions)
}

/// A condition's values: numbers and booleans are as good as texts.
fn words(value: &Value) -> Outcome<Vec<String>> {
    let word = |value: &Value| match value {
        Value::String(text) => Ok(text.clone()),
        Value::Bool(_) | Value::Number(_) => Ok(value.to_string()),
        _ => syntax(),
    };
    match value {
        Value::Array(values) => values.iter().map(word).collect(),
        other => Ok(vec![word(other)?]),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn refusal(text: &str, kind: Kind) -> String {
        document(text, kind).unwrap_err().0
    }

    /// AWS-IAM: documents that can't be are refused in IAM's words.
    #[test]
    fn what_is_no_policy_is_refused() {
        let identity = |statement: &str| {
            let text = format!(r#"{{"Version":"2012-10-17","Statement":[{statement}]}}"#);
            refusal(&text, Kind::Identity)
        };
        for (statement, words) in [
            (
                r#"{"Effect":"Allow","Resource":"*"}"#,
                "must contain actions",
            ),
            (
                r#"{"Effect":"Allow","Action":"*"}"#,
                "must contain resources",
            ),
            (
                r#"{"Effect":"Maybe","Action":"*","Resource":"*"}"#,
                "Syntax errors",
            ),
            (
                r#"{"Effect":"Allow","Action":"x","Resource":"*"}"#,
                "prefaced by a vendor",
            ),
            (
                r#"{"Effect":"Allow","Action":"*","Resource":"x"}"#,
                "must be in ARN format",
            ),
            (
                r#"{"Effect":"Allow","Action":"*","Resource":"*","Extra":1}"#,
                "Syntax errors",
            ),
            (
                r#"{"Effect":"Allow","Action":"*","Resource":"*","Principal":"*"}"#,
                "should not specify a principal",
            ),
            (
                r#"{"Effect":"Allow","Action":"*","Resource":"*","Condition":{"Is":{"a":"b"}}}"#,
                "Invalid Condition type",
            ),
        ] {
            let told = identity(statement);
            assert!(told.contains(words), "{statement}: {told}");
        }
        assert!(refusal("{", Kind::Identity).contains("invalid Json"));
        assert!(
            refusal(r#"{"Version":"2020-01-01","Statement":[]}"#, Kind::Identity)
                .contains("version")
        );
        assert!(refusal(r#"{"Statement":[]}"#, Kind::Identity).contains("Syntax"));
    }

    #[test]
    fn trust_policies_name_principals() {
        let trust =
            |statement: &str| document(&format!(r#"{{"Statement":{statement}}}"#), Kind::Trust);
        let parsed = trust(
            r#"{"Effect":"Allow","Principal":{"Service":["ec2.amazonaws.com"],"AWS":"123456789012"},"Action":"sts:AssumeRole"}"#,
        );
        let Some(Principals::Only(named)) = &parsed.unwrap().statements[0].principals else {
            panic!("no principals");
        };
        assert!(named.contains(&Principal::Service("ec2.amazonaws.com".to_owned())));
        assert_eq!(named.len(), 2);
        for (statement, words) in [
            (
                r#"{"Effect":"Allow","Action":"sts:AssumeRole"}"#,
                "Principal",
            ),
            (
                r#"{"Effect":"Allow","Principal":"*","Action":"ec2:RunInstances"}"#,
                "may only specify STS",
            ),
            (
                r#"{"Effect":"Allow","Principal":"*","Action":"sts:AssumeRole","Resource":"*"}"#,
                "prohibited field Resource",
            ),
            (
                r#"{"Effect":"Allow","Principal":{"AWS":"bob"},"Action":"sts:AssumeRole"}"#,
                "Invalid principal",
            ),
        ] {
            let told = trust(statement).unwrap_err().0;
            assert!(told.contains(words), "{statement}: {told}");
        }
    }
}

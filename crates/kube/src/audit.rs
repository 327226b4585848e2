//! Who did what: audit events.
//!
//! One event a request at level `Metadata`, when it is answered (`ResponseComplete`), or when the answer
//! begins if it goes on (`ResponseStarted`). What becomes of events is up to the lab.
//! <https://kubernetes.io/docs/reference/config-api/apiserver-audit.v1/>

use crate::api::{Status, Target, User, rbac};
use crate::schema::rfc3339;
use serde_json::{Value, json};
use std::fmt::Write;

/// Where events go. What it does must not take long: it is called for each request.
pub trait Audit: Send + Sync {
    /// Takes an event.
    fn record(&self, event: &Value);
}

/// Keeps no events.
#[derive(Clone, Copy, Debug, Default)]
pub struct Unrecorded;

impl Audit for Unrecorded {
    fn record(&self, _event: &Value) {}
}

/// Where a request comes from.
#[derive(Clone, Debug, Default)]
pub struct Source {
    /// Its path and query, as they came.
    pub uri: String,
    /// The address that it comes from; empty for the control plane's own.
    pub address: String,
    /// Who was authenticated, if they act as somebody else.
    pub impersonator: Option<User>,
}

/// What is known of a request before it is carried out.
#[derive(Clone, Debug)]
pub struct Record {
    id: String,
    received: i64,
    event: Value,
}

impl Record {
    /// Begins the record of a request.
    pub fn begin(
        id: String,
        now: i64,
        user: &User,
        request: &crate::api::Request,
        source: &Source,
    ) -> Self {
        let target = Target::parse(&request.path).ok().flatten();
        let verb = match &target {
            Some(target) => rbac::verb(request, target).to_owned(),
            None => format!("{:?}", request.method).to_lowercase(),
        };
        let mut event = json!({
            "kind": "Event", "apiVersion": "audit.k8s.io/v1", "level": "Metadata",
            "auditID": id,
            "requestURI": source.uri,
            "verb": verb,
            "user": source.impersonator.as_ref().unwrap_or(user).value(),
            "userAgent": request.user_agent,
        });
        if source.impersonator.is_some() {
            event["impersonatedUser"] = user.value();
        }
        if !source.address.is_empty() {
            event["sourceIPs"] = json!([source.address]);
        }
        if let Some(target) = target {
            event["objectRef"] = reference(&target);
        }
        Self {
            id,
            received: now,
            event,
        }
    }

    /// The event's id.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// Notes the name of what was made, where the path has none.
    pub fn made(&mut self, name: &str) {
        let reference = &mut self.event["objectRef"];
        if reference.is_object() && reference["name"].is_null() && !name.is_empty() {
            reference["name"] = json!(name);
        }
    }

    /// The event of a request that was answered. `goes_on`: the answer has only begun.
    pub fn end(
        mut self,
        now: i64,
        outcome: Result<u16, &Status>,
        annotations: &[(String, String)],
        goes_on: bool,
    ) -> Value {
        let event = &mut self.event;
        event["stage"] = json!(if goes_on {
            "ResponseStarted"
        } else {
            "ResponseComplete"
        });
        event["responseStatus"] = match outcome {
            Ok(code) => json!({"metadata": {}, "code": code}),
            Err(status) => {
                let mut told = status.value();
                crate::object::object_mut(&mut told)
                    .retain(|field, _| field != "kind" && field != "apiVersion");
                told
            }
        };
        event["requestReceivedTimestamp"] = json!(micro(self.received));
        event["stageTimestamp"] = json!(micro(now));
        let code = outcome.unwrap_or_else(|status| status.code);
        let decision = if code == 401 || code == 403 {
            "forbid"
        } else {
            "allow"
        };
        let mut told = json!({"authorization.k8s.io/decision": decision});
        for (key, value) in annotations {
            told[key] = json!(value);
        }
        event["annotations"] = told;
        self.event
    }
}

fn reference(target: &Target) -> Value {
    let mut reference = json!({"resource": target.plural, "apiVersion": target.version});
    let below = target.subresource.map(crate::resource::Subresource::as_str);
    for (field, text) in [
        ("apiGroup", Some(target.group.as_str())),
        ("namespace", target.namespace.as_deref()),
        ("name", target.name.as_deref()),
        ("subresource", below),
    ] {
        if let Some(text) = text.filter(|text| !text.is_empty()) {
            reference[field] = json!(text);
        }
    }
    reference
}

/// A moment with the digits that audit events have.
fn micro(seconds: i64) -> String {
    rfc3339(seconds).replace('Z', ".000000Z")
}

/// An event's id: a random UUID.
pub fn id(random: &[u8; 32]) -> String {
    let mut hex = String::with_capacity(32);
    for byte in &random[..16] {
        // Writing to a string can't fail.
        let _ = write!(hex, "{byte:02x}");
    }
    format!(
        "{}-{}-4{}-a{}-{}",
        &hex[..8],
        &hex[8..12],
        &hex[13..16],
        &hex[17..20],
        &hex[20..]
    )
}

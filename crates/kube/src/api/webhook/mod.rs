//! Admission webhooks: others are asked whether a request may pass, and what to change in it.
//!
//! <https://kubernetes.io/docs/reference/access-authn-authz/extensible-admission-controllers/>
//!
//! Requests are carried out by pure functions on a store, and asking takes time. So a request that has to
//! wait for an answer leaves off: its [`Question`]s are its outcome, nothing has changed, and it is carried
//! out anew when they are answered, with the same time and the same randomness, so that it comes to the
//! same questions. An answer is kept under a digest of all that was asked: if the objects that the question
//! was about have changed meanwhile, the request comes to another question, which is asked. Nobody waits for
//! a request that waits, and what is stored in the end is what every webhook has seen.
//!
//! Not modelled: the variable `authorizer` of match conditions; equivalents of built-in kinds
//! (`matchPolicy: Equivalent` finds other versions of users' kinds, converted if a webhook converts them); reviews such as SubjectAccessReview are not shown to webhooks.

pub(super) mod callee;
mod hooks;
mod matching;
mod review;

pub(super) use matching::concerns;

use super::admission::{Attributes, What};
use super::status::Status;
use super::{Call, admission, body, conversion, operations};
use crate::expression::plain;
use crate::object;
use hooks::{Hook, MUTATING, VALIDATING};
use matching::Shown;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};

/// What a webhook is asked.
#[derive(Clone, Debug)]
pub struct Question {
    /// A digest of all that is asked, and of whom.
    pub id: Digest,
    /// The URL, as messages name it.
    pub url: String,
    /// Where that is.
    pub at: At,
    /// How long the webhook may take, in seconds.
    pub seconds: u64,
    /// The `AdmissionReview`.
    pub review: Value,
}

/// A digest of a question.
pub type Digest = [u8; 32];

/// Where a webhook is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct At {
    /// The host to be called.
    pub host: String,
    /// Its port.
    pub port: u16,
    /// The name that its certificate has.
    pub name: String,
    /// The host and port that its requests name.
    pub called: String,
    /// The path and query.
    pub path: String,
    /// Who vouches for it, in PEM.
    pub authorities: Vec<u8>,
}

/// What webhooks have answered: a document, or why there is none.
#[derive(Clone, Debug, Default)]
pub struct Answers(BTreeMap<Digest, Result<Value, String>>);

impl Answers {
    /// Notes an answer.
    pub fn note(&mut self, question: Digest, answer: Result<Value, String>) {
        self.0.insert(question, answer);
    }

    /// The answer to a question, if it has been asked.
    pub(super) fn get(&self, question: &Digest) -> Option<&Result<Value, String>> {
        self.0.get(question)
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// A webhook's answer, as far as it counts here.
enum Said {
    /// It has not been asked yet: the call's questions have it.
    Nothing,
    /// It can't be asked and need not be.
    Passed,
    /// The request may pass, with these changes to the object as it was shown.
    Allowed(Option<json_patch::Patch>, Shown),
}

/// Shows an object to the webhooks that may change it.
pub(super) fn mutate(
    call: &mut Call<'_>,
    what: What<'_>,
    object: &mut Value,
    old: Option<&Value>,
) -> Result<(), Status> {
    let hooks = hooks::all(&call.store, MUTATING);
    if hooks.is_empty() || hooks::is_exempt(what.resource) {
        return Ok(());
    }
    let mut again = Again::default();
    let first: Vec<usize> = (0..hooks.len()).collect();
    run(call, what, object, old, &hooks, &first, &mut again)?;
    if !again.changed {
        return Ok(());
    }
    // The plugins before the webhooks see what they made of it.
    let before = object.clone();
    if what.operation == admission::Operation::Create && what.subresource.is_empty() {
        admission::admit(call, what.resource, object)?;
    }
    if *object != before {
        again.due.append(&mut again.invoked);
    }
    let due: Vec<usize> = again.due.iter().copied().collect();
    run(call, what, object, old, &hooks, &due, &mut Again::default())
}

/// Which webhooks want to see an object again that others have changed since.
/// <https://kubernetes.io/docs/reference/access-authn-authz/extensible-admission-controllers/#reinvocation-policy>
#[derive(Default)]
struct Again {
    changed: bool,
    invoked: BTreeSet<usize>,
    due: BTreeSet<usize>,
}

fn run(
    call: &mut Call<'_>,
    what: What<'_>,
    object: &mut Value,
    old: Option<&Value>,
    hooks: &[Hook],
    order: &[usize],
    again: &mut Again,
) -> Result<(), Status> {
    for index in order {
        let Some(hook) = hooks.get(*index) else {
            continue;
        };
        let attributes = Attributes {
            user: call.context.user,
            what,
            object: Some(object),
            old,
        };
        let patch = match ask(call, hook, &attributes)? {
            Said::Nothing => return Err(waiting()),
            Said::Passed => continue,
            Said::Allowed(patch, shown) => patch.map(|patch| (patch, shown)),
        };
        let mut changed = false;
        if let Some((patch, shown)) = patch {
            let patched = patched_as(call, what, object, (&patch, &shown))?;
            changed = patched != *object;
            *object = patched;
        }
        if changed {
            again.changed = true;
            again.due.append(&mut again.invoked);
        }
        if hook.again {
            again.invoked.insert(*index);
        }
    }
    Ok(())
}

/// An object with a patch of a webhook that was shown it in this version.
fn patched_as(
    call: &mut Call<'_>,
    what: What<'_>,
    object: &Value,
    (patch, shown): (&json_patch::Patch, &Shown),
) -> Result<Value, Status> {
    let Shown::Other(other) = shown else {
        return patched(what, object, patch);
    };
    if conversion::of(other).is_none() {
        return patched(what, object, patch);
    }
    let there = conversion::shown(call, other, object)?;
    let what_there = What {
        resource: other,
        ..what
    };
    let there = patched(what_there, &there, patch)?;
    let back = conversion::shown(call, what.resource, &there)?;
    Ok(back.as_ref().clone())
}

/// An object with a webhook's patch on it, as the schema has it.
fn patched(what: What<'_>, object: &Value, patch: &json_patch::Patch) -> Result<Value, Status> {
    let mut patched = object.clone();
    operations::carry_out(&mut patched, patch).map_err(Status::internal)?;
    if !patched.is_object() {
        return Err(Status::internal("the patched object is none"));
    }
    for field in ["apiVersion", "kind"] {
        if patched[field] != object[field] {
            let message = format!("the patched object has another {field}");
            return Err(Status::internal(message));
        }
    }
    // What lies below an object may be of a kind of its own.
    if object["kind"] != *what.resource.kind {
        return Ok(patched);
    }
    let (mut value, _) = body::conform(what.resource, &patched)?;
    super::defaults::apply(what.resource, &mut value);
    // Who an object is stays as it was.
    let held = &object["metadata"];
    for field in ["name", "namespace", "uid", "resourceVersion"] {
        match held.get(field) {
            Some(kept) => drop(object::metadata(&mut value).insert(field.to_owned(), kept.clone())),
            None => drop(object::metadata(&mut value).remove(field)),
        }
    }
    Ok(value)
}

/// Shows what is to be done to the webhooks that may refuse it, all at once, and to the plugins that
/// refuse.
pub(super) fn validate(
    call: &mut Call<'_>,
    what: What<'_>,
    object: Option<&Value>,
    old: Option<&Value>,
) -> Result<(), Status> {
    let attributes = Attributes {
        user: call.context.user,
        what,
        object,
        old,
    };
    super::node::restrict(&call.store, &attributes)?;
    if hooks::is_exempt(what.resource) {
        return Ok(());
    }
    super::policy::check(call, &attributes)?;
    let hooks = hooks::all(&call.store, VALIDATING);
    if hooks.is_empty() {
        return Ok(());
    }
    let mut refused = None;
    let mut waits = false;
    for hook in &hooks {
        match ask(call, hook, &attributes) {
            Ok(Said::Nothing) => waits = true,
            Ok(Said::Passed | Said::Allowed(..)) => {}
            Err(status) => refused = refused.or(Some(status)),
        }
    }
    match refused {
        _ if waits => Err(waiting()),
        Some(status) => Err(status),
        None => Ok(()),
    }
}

/// A deletion, or a connection whose object nobody may change, passes by all webhooks.
pub(super) fn consult(
    call: &mut Call<'_>,
    what: What<'_>,
    object: Option<&Value>,
    old: Option<&Value>,
) -> Result<(), Status> {
    let hooks = hooks::all(&call.store, MUTATING);
    if !hooks::is_exempt(what.resource) {
        for hook in &hooks {
            let attributes = Attributes {
                user: call.context.user,
                what,
                object,
                old,
            };
            match ask(call, hook, &attributes)? {
                Said::Nothing => return Err(waiting()),
                Said::Allowed(Some(_), _) if object.is_none() => {
                    return Err(Status::internal(format!(
                        "admission webhook {:?} attempted to modify the object, which is not supported for this operation",
                        hook.name
                    )));
                }
                Said::Passed | Said::Allowed(..) => {}
            }
        }
    }
    validate(call, what, object, old)
}

/// What a request that leaves off is answered with; nobody sees it.
fn waiting() -> Status {
    Status::internal("webhooks have not answered yet")
}

/// Whether a webhook's conditions hold of a request.
fn conditions(hook: &Hook, of: &Attributes<'_>, review: &Value) -> Result<bool, String> {
    if object::list(hook.value(), &["matchConditions"]).is_empty() {
        return Ok(true);
    }
    let value = |object: Option<&Value>| object.map_or(cel::Value::Null, plain);
    let variables = [
        ("object", value(of.object)),
        ("oldObject", value(of.old)),
        ("request", plain(review)),
    ];
    super::policy::conditions(hook.value(), &variables)
}

/// A request as webhooks and policies are shown it.
pub(super) fn request(call: &Call<'_>, of: &Attributes<'_>) -> Value {
    review::request(call, of, &matching::Shown::Same)
}

/// What a webhook says of a request, if it concerns it.
fn ask(call: &mut Call<'_>, hook: &Hook, attributes: &Attributes<'_>) -> Result<Said, Status> {
    let Some(shown) = matching::shown(&call.store, hook, attributes) else {
        return Ok(Said::Passed);
    };
    let (mut object, mut old) = (None, None);
    if let Shown::Other(other) = &shown
        && conversion::of(other).is_some()
    {
        let mut into = |object: Option<&Value>| {
            let object = object.map(|object| conversion::shown(call, other, object));
            object.transpose()
        };
        (object, old) = (into(attributes.object)?, into(attributes.old)?);
    }
    let attributes = &Attributes {
        user: attributes.user,
        what: attributes.what,
        object: object.as_deref().or(attributes.object),
        old: old.as_deref().or(attributes.old),
    };
    let review = review::request(call, attributes, &shown);
    match conditions(hook, attributes, &review) {
        Ok(true) => {}
        Ok(false) => return Ok(Said::Passed),
        Err(_) if hook.open => return Ok(Said::Passed),
        Err(why) => {
            let mut status = Status::forbidden(attributes.what.resource, attributes.what.name, why);
            status.details = None;
            return Err(status);
        }
    }
    let question = review::question(&call.store, call.context, hook, review);
    let answer = match question {
        Ok(question) => match call.context.answers.get(&question.id) {
            Some(answer) => answer
                .as_ref()
                .map_err(|why| format!("failed to call webhook: {why}"))
                .and_then(|answer| {
                    let uid = object::text(&question.review, &["request", "uid"]);
                    review::check(answer, uid, hook.mutates)
                        .map_err(|why| format!("received invalid webhook response: {why}"))
                }),
            None => {
                call.questions.push(question);
                return Ok(Said::Nothing);
            }
        },
        Err(why) => Err(format!("failed to call webhook: {why}")),
    };
    let response = match answer {
        Ok(response) => response,
        Err(_) if hook.open => {
            let key = format!("failed-open.{}/{}", hook.stage(), hook.name);
            call.annotations.push((key, hook.name.clone()));
            return Ok(Said::Passed);
        }
        Err(why) => {
            let told = format!("failed calling webhook {:?}: {why}", hook.name);
            return Err(Status::internal(told));
        }
    };
    for (key, value) in object::entries(response, &["auditAnnotations"]) {
        let value = value.as_str().unwrap_or_default().to_owned();
        call.annotations
            .push((format!("{}/{key}", hook.name), value));
    }
    let warnings = object::list(response, &["warnings"]).iter();
    for warning in warnings.filter_map(Value::as_str) {
        if !call.warnings.iter().any(|told| told == warning) {
            call.warnings.push(warning.to_owned());
        }
    }
    if response["allowed"] != true {
        return Err(review::denied(&hook.name, &response["status"]));
    }
    review::patch(response).map(|patch| Said::Allowed(patch, shown))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests;

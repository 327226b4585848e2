//! Objects of users' kinds whose versions differ in more than their names: a webhook converts them.
//!
//! <https://kubernetes.io/docs/tasks/extend-kubernetes/custom-resources/custom-resource-definition-versioning/#webhook-conversion>
//!
//! A request is carried out on objects in its own version: those that it works on are brought into that version
//! before, and what it changed is put into the version that is stored afterwards. What it didn't change stays as it
//! was. Both are questions, asked as admission webhooks' are (`webhook`); those of a watch are its own.

use super::status::Status;
use super::webhook::{Digest, Question, callee};
use super::{Call, Method, Target, key};
use crate::custom::{Conversion, schema};
use crate::object;
use crate::resource::Resource;
use crate::store::{Change, Key, Store};
use serde_json::{Value, json};
use sha2::Digest as _;
use std::sync::Arc;

/// How long a webhook may take, in seconds.
const SECONDS: u64 = 30;

/// An object that was brought into another version for a request.
pub(super) struct Brought {
    key: Key,
    stored: Arc<Value>,
    shown: Arc<Value>,
}

/// What converts a kind, if something does.
pub(crate) fn of(resource: &Resource) -> Option<&Conversion> {
    resource.custom.as_ref()?.conversion.as_ref()
}

/// Brings what a request works on into its version.
pub(super) fn bring(
    call: &mut Call<'_>,
    resource: &Resource,
    target: &Target,
) -> Result<Vec<Brought>, Status> {
    if of(resource).is_none() || call.request.method == Method::Post || call.request.flag("watch") {
        return Ok(Vec::new());
    }
    let found: Vec<(Key, Arc<Value>)> = match &target.name {
        Some(name) => {
            let key = key(resource, target, name);
            let found = call.store.get(&key).cloned();
            found.map(|object| (key, object)).into_iter().collect()
        }
        None => {
            let all = resource.qualified();
            let all = call.store.list(&all, target.namespace.as_deref());
            all.map(|(key, object)| (key.clone(), object.clone()))
                .collect()
        }
    };
    let version = resource.api_version();
    let objects = found.iter().map(|(_, object)| object.clone()).collect();
    let shown = convert(call, resource, &version, objects)?;
    let mut brought = Vec::new();
    for ((key, stored), shown) in found.into_iter().zip(shown) {
        if Arc::ptr_eq(&stored, &shown) {
            continue;
        }
        call.store.reform(key.clone(), shown.clone());
        brought.push(Brought { key, stored, shown });
    }
    Ok(brought)
}

/// The changes of a request, with objects in the version that is stored.
pub(super) fn put_back(
    call: &mut Call<'_>,
    resource: &Resource,
    brought: Vec<Brought>,
) -> Result<Vec<Change>, Status> {
    let mut changes = call.store.take_changes();
    let Some(conversion) = of(resource) else {
        return Ok(changes);
    };
    for Brought { key, stored, shown } in brought {
        let is_shown = |object: &Arc<Value>| Arc::ptr_eq(object, &shown);
        for change in changes.iter_mut().filter(|change| change.key == key) {
            if change.before.as_ref().is_some_and(is_shown) {
                change.before = Some(stored.clone());
            }
        }
        if call.store.get(&key).is_some_and(is_shown) {
            call.store.reform(key, stored);
        }
    }
    if call.is_dry_run() {
        return Ok(changes);
    }
    let own = resource.qualified();
    let mut made: Vec<(&Key, &mut Arc<Value>)> = changes
        .iter_mut()
        .filter(|change| *change.key.resource == own)
        .filter_map(|change| Some((&change.key, change.after.as_mut()?)))
        .collect();
    let objects = made.iter().map(|(_, object)| (**object).clone()).collect();
    let stored = convert(call, resource, &conversion.stored, objects)?;
    for ((key, after), stored) in made.iter_mut().zip(stored) {
        **after = stored.clone();
        if call.store.get(key).is_some() {
            call.store.reform(key.clone(), stored);
        }
    }
    Ok(changes)
}

/// An object in the version that a resource has.
pub(super) fn shown(
    call: &mut Call<'_>,
    resource: &Resource,
    object: &Value,
) -> Result<Arc<Value>, Status> {
    let objects = vec![Arc::new(object.clone())];
    let mut shown = convert(call, resource, &resource.api_version(), objects)?;
    let lost = || Status::internal("a conversion lost its object");
    shown.pop().ok_or_else(lost)
}

/// Objects in a version; those that are in it are left as they are.
fn convert(
    call: &mut Call<'_>,
    resource: &Resource,
    version: &str,
    objects: Vec<Arc<Value>>,
) -> Result<Vec<Arc<Value>>, Status> {
    let context = call.context;
    let asked = Asked::new(&call.store, resource, version, objects, &context.entropy)?;
    let Some(question) = &asked.question else {
        return Ok(asked.objects);
    };
    match context.answers.get(&question.id) {
        Some(answer) => asked.understand(resource, answer),
        None => {
            call.questions.push(question.clone());
            Err(Status::internal(
                "the conversion webhook has not answered yet",
            ))
        }
    }
}

/// Objects on their way into a version.
pub(crate) struct Asked {
    /// What the webhook is asked; nothing if all are in the version.
    pub(crate) question: Option<Question>,
    objects: Vec<Arc<Value>>,
    version: String,
}

impl Asked {
    /// What is to be asked to have a kind's objects in a version.
    ///
    /// # Errors
    /// The webhook can't be asked.
    pub(crate) fn new(
        store: &Store,
        resource: &Resource,
        version: &str,
        objects: Vec<Arc<Value>>,
        entropy: &[u8; 32],
    ) -> Result<Self, Status> {
        let mut asked = Self {
            question: None,
            objects,
            version: version.to_owned(),
        };
        let others: Vec<&Value> = asked.others().map(AsRef::as_ref).collect();
        let (Some(conversion), Some(first)) = (of(resource), others.first()) else {
            return Ok(asked);
        };
        let found = callee::place(store, &conversion.client, SECONDS, entropy[1]);
        let (url, at) = found.map_err(|why| failed(first, why))?;
        let mut hash = sha2::Sha256::new();
        for part in [&url, version, &json!(others).to_string()] {
            hash.update(part);
            hash.update([0]);
        }
        let id: Digest = hash.finalize().into();
        let request = json!({
            "uid": callee::uid(&id, entropy), "desiredAPIVersion": version, "objects": others,
        });
        let review = json!({
            "kind": "ConversionReview", "apiVersion": "apiextensions.k8s.io/v1", "request": request,
        });
        asked.question = Some(Question {
            id,
            url,
            at,
            seconds: SECONDS,
            review,
        });
        Ok(asked)
    }

    /// The objects as they are.
    pub(crate) fn into_objects(self) -> Vec<Arc<Value>> {
        self.objects
    }

    /// The objects that are in another version.
    fn others(&self) -> impl Iterator<Item = &Arc<Value>> {
        let is_other = |object: &&Arc<Value>| object["apiVersion"] != self.version.as_str();
        self.objects.iter().filter(is_other)
    }

    /// The objects in the version, as the webhook answered.
    ///
    /// # Errors
    /// It didn't, or not as it should.
    pub(crate) fn understand(
        mut self,
        resource: &Resource,
        answer: &Result<Value, String>,
    ) -> Result<Vec<Arc<Value>>, Status> {
        let uid = self.question.as_ref();
        let uid = uid.map_or("", |asked| object::text(&asked.review, &["request", "uid"]));
        let others: Vec<Arc<Value>> = self.others().cloned().collect();
        let Some(first) = others.first() else {
            return Ok(self.objects);
        };
        let converted = answer.as_ref().map_err(Clone::clone);
        let converted = converted.and_then(|answer| converted_objects(answer, uid));
        let converted = converted.map_err(|why| failed(first, why))?;
        if converted.len() != others.len() {
            let (got, wanted) = (converted.len(), others.len());
            let told = format!("returned {got} objects, expected {wanted}");
            return Err(wrong(first, told));
        }
        let mut shown = Vec::with_capacity(others.len());
        for (index, (from, to)) in others.iter().zip(converted).enumerate() {
            let made = accept(from, to, &self.version);
            let made = made.map_err(|why| {
                wrong(
                    first,
                    format!("returned invalid converted object at index {index}: {why}"),
                )
            })?;
            shown.push(Arc::new(in_schema(resource, made)));
        }
        let mut shown = shown.into_iter();
        for object in &mut self.objects {
            if object["apiVersion"] != self.version.as_str()
                && let Some(shown) = shown.next()
            {
                *object = shown;
            }
        }
        Ok(self.objects)
    }
}

/// What is shown has the fields and defaults of its version; what is stored is as the webhook made it.
fn in_schema(resource: &Resource, mut object: Value) -> Value {
    if let Some(custom) = &resource.custom
        && object["apiVersion"] == resource.api_version()
    {
        schema::prune(&mut object, &custom.schema);
        schema::fill(&mut object, &custom.schema);
    }
    object
}

/// The objects in an answer, if it is one to this question.
fn converted_objects<'a>(answer: &'a Value, uid: &str) -> Result<&'a [Value], String> {
    let text = |path: &[&str]| object::text(answer, path);
    let (version, kind) = (text(&["apiVersion"]), text(&["kind"]));
    if version != "apiextensions.k8s.io/v1" || kind != "ConversionReview" {
        return Err(format!(
            "expected webhook response of apiextensions.k8s.io/v1, Kind=ConversionReview, got {version}, Kind={kind}"
        ));
    }
    if !answer["response"].is_object() {
        return Err("no response provided".to_owned());
    }
    let told = text(&["response", "uid"]);
    if told != uid {
        return Err(format!("expected response.uid={uid:?}, got {told:?}"));
    }
    let status = text(&["response", "result", "status"]);
    if status != "Success" {
        let message = text(&["response", "result", "message"]);
        return Err(if message.is_empty() {
            format!("response.result.status was '{status}', not 'Success'")
        } else {
            message.to_owned()
        });
    }
    Ok(object::list(answer, &["response", "convertedObjects"]))
}

/// A converted object, if it is the same one: of its metadata only labels and annotations may change.
fn accept(from: &Value, to: &Value, version: &str) -> Result<Value, String> {
    if !to.is_object() {
        return Err("it is no object".to_owned());
    }
    super::nesting::check(to).map_err(|status| status.message)?;
    let told = object::text(to, &["apiVersion"]);
    if told != version {
        return Err(format!("invalid apiVersion: {told}, expected {version}"));
    }
    for path in [
        &["kind"][..],
        &["metadata", "name"],
        &["metadata", "namespace"],
        &["metadata", "uid"],
    ] {
        let (was, is) = (object::text(from, path), object::text(to, path));
        if was != is {
            let field = path.last().copied().unwrap_or_default();
            return Err(format!("must have the same {field}: {was} != {is}"));
        }
    }
    let mut made = to.clone();
    let mut metadata = from["metadata"].clone();
    for field in ["labels", "annotations"] {
        let map = object::object_mut(&mut metadata);
        match to["metadata"].get(field) {
            Some(value) if value.is_object() => drop(map.insert(field.to_owned(), value.clone())),
            _ => drop(map.remove(field)),
        }
    }
    made["metadata"] = metadata;
    Ok(made)
}

/// That the webhook can't be asked, or refuses.
fn failed(object: &Value, why: String) -> Status {
    wrong(object, format!("failed: {why}"))
}

fn wrong(object: &Value, told: String) -> Status {
    let text = |field: &str| object::text(object, &[field]);
    let (version, kind) = (text("apiVersion"), text("kind"));
    Status::unknown(format!(
        "conversion webhook for {version}, Kind={kind} {told}"
    ))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests;

//! `metadata.managedFields`: who owns which fields.

use super::apply::Conflict;
use super::fields::{Fields, field};
use crate::object;
use serde_json::{Value, json};

/// So many entries of updates are kept; the oldest become one.
const MOST_UPDATES: usize = 10;
/// The name of the entry that they become.
const ANCIENT: &str = "ancient-changes";

/// How a manager came to its fields.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Operation {
    Apply,
    Update,
}

impl Operation {
    fn as_str(self) -> &'static str {
        match self {
            Self::Apply => "Apply",
            Self::Update => "Update",
        }
    }
}

/// An owner of fields.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Owner {
    pub(super) manager: String,
    pub(super) operation: Operation,
    pub(super) api_version: String,
    pub(super) subresource: Option<String>,
}

impl Owner {
    /// As conflicts name it.
    fn told(&self, time: &str) -> String {
        let mut told = format!("{:?}", self.manager);
        if let Some(subresource) = &self.subresource {
            told.push_str(&format!(" with subresource {subresource:?}"));
        }
        told.push_str(&format!(" using {}", self.api_version));
        if self.operation == Operation::Update && !time.is_empty() {
            told.push_str(&format!(" at {time}"));
        }
        told
    }
}

/// An owner's entry.
#[derive(Clone, Debug)]
struct Entry {
    owner: Owner,
    time: String,
    fields: Fields,
}

/// All owners of an object's fields.
#[derive(Clone, Debug, Default)]
pub(super) struct Managers(Vec<Entry>);

impl Managers {
    pub(super) fn read(object: &Value) -> Self {
        let entries = object::list(object, &["metadata", "managedFields"]).iter();
        let entry = |entry: &Value| Entry {
            owner: Owner {
                manager: object::text(entry, &["manager"]).to_owned(),
                operation: if entry["operation"] == "Apply" {
                    Operation::Apply
                } else {
                    Operation::Update
                },
                api_version: object::text(entry, &["apiVersion"]).to_owned(),
                subresource: entry["subresource"].as_str().map(str::to_owned),
            },
            time: object::text(entry, &["time"]).to_owned(),
            fields: Fields::read(&entry["fieldsV1"]),
        };
        Self(entries.map(entry).collect())
    }

    /// What an owner owns.
    pub(super) fn of(&self, owner: &Owner) -> Option<&Fields> {
        self.0
            .iter()
            .find(|entry| entry.owner == *owner)
            .map(|entry| &entry.fields)
    }

    /// What all others own.
    pub(super) fn others(&self, owner: &Owner) -> Fields {
        let others = self.0.iter().filter(|entry| entry.owner != *owner);
        others.fold(Fields::default(), |all, entry| all.union(&entry.fields))
    }

    /// The fields of a set that others own.
    pub(super) fn conflicts(&self, owner: &Owner, contested: &Fields) -> Vec<Conflict> {
        let others = self.0.iter().filter(|entry| entry.owner != *owner);
        others
            .flat_map(|entry| {
                let told = entry.owner.told(&entry.time);
                let paths = entry.fields.both(contested).paths();
                paths.into_iter().map(move |field| Conflict {
                    owner: told.clone(),
                    field,
                })
            })
            .collect()
    }

    /// Nobody else owns these any longer.
    pub(super) fn take_from_others(&mut self, owner: &Owner, taken: &Fields) {
        for entry in self.0.iter_mut().filter(|entry| entry.owner != *owner) {
            entry.fields = entry.fields.without(taken);
        }
        self.0.retain(|entry| !entry.fields.is_empty());
    }

    /// Nobody owns these any longer: they are gone.
    pub(super) fn forget(&mut self, gone: &Fields) {
        for entry in &mut self.0 {
            entry.fields = entry.fields.without(gone);
        }
        self.0.retain(|entry| !entry.fields.is_empty());
    }

    /// Says what an owner owns; the time changes only with it.
    pub(super) fn set(&mut self, owner: Owner, fields: Fields, now: &str) {
        match self.0.iter_mut().find(|entry| entry.owner == owner) {
            Some(entry) if entry.fields == fields => {}
            Some(entry) => {
                entry.fields = fields;
                now.clone_into(&mut entry.time);
            }
            None if fields.is_empty() => {}
            None => self.0.push(Entry {
                owner,
                time: now.to_owned(),
                fields,
            }),
        }
        self.bound();
    }

    /// Joins the oldest updates when there are too many.
    fn bound(&mut self) {
        let is_update = |entry: &Entry| {
            entry.owner.operation == Operation::Update && entry.owner.subresource.is_none()
        };
        while self.0.iter().filter(|entry| is_update(entry)).count() > MOST_UPDATES {
            let mut updates: Vec<usize> = (0..self.0.len())
                .filter(|index| is_update(&self.0[*index]))
                .collect();
            updates.sort_by_key(|index| self.0[*index].time.clone());
            let [first, second, ..] = updates.as_slice() else {
                return;
            };
            let oldest = self.0[*first].clone();
            let entry = &mut self.0[*second];
            entry.fields = entry.fields.union(&oldest.fields);
            ANCIENT.clone_into(&mut entry.owner.manager);
            self.0.remove(*first);
        }
    }

    /// Writes the entries into an object's metadata.
    pub(super) fn write(&self, object: &mut Value) {
        let mut sorted: Vec<&Entry> = self
            .0
            .iter()
            .filter(|entry| !entry.fields.is_empty())
            .collect();
        sorted.sort_by_key(|entry| {
            let update = entry.owner.operation == Operation::Update;
            (update, entry.time.clone(), entry.owner.manager.clone())
        });
        let entries: Vec<Value> = sorted
            .into_iter()
            .map(|entry| {
                let mut told = json!({
                    "manager": entry.owner.manager,
                    "operation": entry.owner.operation.as_str(),
                    "apiVersion": entry.owner.api_version,
                    "time": entry.time,
                    "fieldsType": "FieldsV1",
                    "fieldsV1": entry.fields.write(),
                });
                if let Some(subresource) = &entry.owner.subresource {
                    told["subresource"] = json!(subresource);
                }
                told
            })
            .collect();
        let metadata = object::metadata(object);
        if entries.is_empty() {
            metadata.remove("managedFields");
        } else {
            metadata.insert("managedFields".to_owned(), entries.into());
        }
    }
}

/// A set without the fields that nobody owns: an object's identity and what the system counts.
pub(super) fn strip(fields: Fields) -> Fields {
    const OF_METADATA: [&str; 10] = [
        "name",
        "namespace",
        "creationTimestamp",
        "selfLink",
        "uid",
        "generation",
        "managedFields",
        "resourceVersion",
        "deletionTimestamp",
        "deletionGracePeriodSeconds",
    ];
    let mut nobodys = Fields::default();
    for name in ["apiVersion", "kind"] {
        nobodys.put(field(name), Fields::leaf());
    }
    let mut metadata = Fields::leaf();
    for name in OF_METADATA {
        metadata.put(field(name), Fields::leaf());
    }
    nobodys.put(field("metadata"), metadata);
    fields.without(&nobodys)
}

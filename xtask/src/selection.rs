//! Which operations and request members Skylab has.

use crate::model::Model;
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

/// What a service's list names.
#[derive(Debug, Default)]
pub(crate) struct Selection {
    /// Operations in the list's order.
    pub(crate) operations: Vec<String>,
    /// Input shapes of which only these members are honoured.
    pub(crate) members: BTreeMap<String, BTreeSet<String>>,
    /// Values of enumerations that the published model lacks.
    pub(crate) values: BTreeMap<String, Vec<String>>,
}

impl Selection {
    pub(crate) fn read(path: &Path, model: &Model) -> crate::Outcome<Self> {
        let mut selection = Self::default();
        for line in fs::read_to_string(path)?.lines() {
            let line = line.split('#').next().unwrap_or_default();
            let mut words = line.split_whitespace();
            match words.next() {
                None => {}
                Some("shape") => {
                    let shape = words.next().ok_or("a shape without a name")?;
                    selection.limit(model, shape, words)?;
                }
                Some("value") => {
                    let shape = words.next().ok_or("a value without its enumeration")?;
                    let values = selection.values.entry(shape.to_owned()).or_default();
                    values.extend(words.map(str::to_owned));
                }
                Some(operation) => {
                    let found = model.operations.get(operation);
                    let found =
                        found.ok_or_else(|| format!("the model has no operation {operation}"))?;
                    if let Some(input) = &found.input {
                        let words = words.chain(["DryRun"]);
                        selection.limit(model, &input.shape, words)?;
                    }
                    selection.operations.push(operation.to_owned());
                }
            }
        }
        Ok(selection)
    }

    fn limit<'a>(
        &mut self,
        model: &Model,
        shape: &str,
        members: impl Iterator<Item = &'a str>,
    ) -> crate::Outcome<()> {
        let known = &model.shape(shape)?.members;
        let honoured = self.members.entry(shape.to_owned()).or_default();
        for member in members {
            if known.contains_key(member) {
                honoured.insert(member.to_owned());
            } else if member != "DryRun" {
                return Err(format!("{shape} has no member {member}").into());
            }
        }
        Ok(())
    }
}

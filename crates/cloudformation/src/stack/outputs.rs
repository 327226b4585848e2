//! What a stack gives: its outputs and exports.

use super::Stack;
use crate::scope::{Known, Scope, Unanswered, World};
use crate::step::ID;
use crate::{Template, TemplateError};
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;

/// An output's value.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct StackOutput {
    /// Its name.
    pub key: String,
    /// Its value.
    pub value: String,
    /// What the template says of it.
    pub description: Option<String>,
    /// The name under which others import it.
    pub export: Option<String>,
}

impl Stack {
    /// Calls a function with everything that the stack's expressions may refer to; gives also the exports that
    /// were asked for.
    pub(super) fn scoped<T>(
        &self,
        template: &Template,
        world: &dyn World,
        ask: impl FnOnce(&Scope<'_>) -> T,
    ) -> (T, BTreeSet<String>) {
        let place = self.place();
        let known = |logical: &str| {
            let resource = self.resource(logical)?;
            let there = resource.known.contains_key(ID) && resource.settled();
            there.then_some(Known {
                physical: resource.physical.as_deref()?,
                attributes: &resource.known,
            })
        };
        let scope = Scope {
            template,
            parameters: &self.definition.parameters,
            place: &place,
            world,
            resources: &known,
            imported: Default::default(),
        };
        let value = ask(&scope);
        let imported = scope.imported.borrow().clone();
        (value, imported)
    }

    /// The outputs, once every resource is there.
    ///
    /// # Errors
    /// One can't be said, or is exported under a name that another stack has.
    pub(super) fn evaluate_outputs(
        &self,
        template: &Template,
        world: &dyn World,
    ) -> Result<Vec<StackOutput>, Unanswered> {
        let (outputs, _) = self.scoped(template, world, |scope| {
            let mut outputs: Vec<StackOutput> = Vec::new();
            for (key, output) in &template.outputs {
                if let Some(name) = &output.condition
                    && !scope.condition(name)?
                {
                    continue;
                }
                let export = output.export.as_ref().map(|name| scope.text(name));
                outputs.push(StackOutput {
                    key: key.clone(),
                    value: scope.text(&output.value)?,
                    description: output.description.clone(),
                    export: export.transpose()?,
                });
            }
            Ok::<_, Unanswered>(outputs)
        });
        let outputs = outputs?;
        self.check_uses(&outputs, world)?;
        let ours: BTreeSet<&str> = self
            .outputs
            .iter()
            .filter_map(|output| output.export.as_deref())
            .collect();
        let exports = outputs.iter().filter_map(|output| output.export.as_deref());
        let mut foreign = exports.filter(|name| !ours.contains(name));
        match foreign.find(|name| world.export(name).is_some()) {
            Some(name) => Err(TemplateError::Parameter(format!(
                "Export with name {name} is already exported by another stack"
            ))
            .into()),
            None => Ok(outputs),
        }
    }

    /// Refuses to change exports that others use.
    fn check_uses(&self, outputs: &[StackOutput], world: &dyn World) -> Result<(), TemplateError> {
        let kept = |old: &StackOutput| {
            outputs
                .iter()
                .any(|new| new.export == old.export && new.value == old.value)
        };
        for old in self.outputs.iter().filter(|old| !kept(old)) {
            if let Some(name) = &old.export
                && let Some(user) = world.importer(name)
            {
                return Err(TemplateError::Parameter(format!(
                    "Export {name} cannot be updated as it is in use by {user}"
                )));
            }
        }
        Ok(())
    }
}

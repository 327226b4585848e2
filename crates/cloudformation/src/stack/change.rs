//! What another definition would change: change sets.

use super::{Definition, Resource, Stack};
use crate::kind::{Change, Property};
use crate::scope::{Unanswered, World};
use crate::template::{Declared, Policy, Template};
use crate::{TemplateError, graph};
use serde::{Deserialize, Serialize};
use serde_json::Map;
use std::collections::BTreeSet;

/// What is planned for a resource.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Action {
    /// It is made.
    Add,
    /// It is changed: in place, by another one, or that depends on what others become.
    Modify {
        /// Whether another one takes its place; `None` where that depends.
        replace: Option<bool>,
    },
    /// It goes.
    Remove {
        /// Whether it stays behind.
        retained: bool,
    },
}

/// Whether a resource is replaced (`None` where that depends on others), and which of its properties change.
type Differences = (Option<bool>, Vec<(String, bool)>);

/// A planned change.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Planned {
    /// The logical id.
    pub logical: String,
    /// The type.
    pub kind: String,
    /// The physical id, if there is one.
    pub physical: Option<String>,
    /// What is planned.
    pub action: Action,
    /// The properties that change, and whether each needs another resource.
    pub properties: Vec<(String, bool)>,
}

impl Stack {
    /// What would change with another definition.
    ///
    /// # Errors
    /// Its template can't be.
    pub fn plan(
        &self,
        definition: &Definition,
        world: &dyn World,
    ) -> Result<Vec<Planned>, TemplateError> {
        let template = Template::read(&definition.template)?;
        let mut after = self.clone();
        after.definition = definition.clone();
        let mut planned = Vec::new();
        let mut wanted = BTreeSet::new();
        let mut unsure = BTreeSet::new();
        for (logical, declared) in ordered(&template) {
            let (holds, _) = after.scoped(&template, world, |scope| {
                declared
                    .condition
                    .as_ref()
                    .map(|name| scope.condition(name))
                    .transpose()
            });
            match holds {
                Ok(Some(false)) => continue,
                Ok(_) => {}
                Err(Unanswered::Wrong(error)) => return Err(error),
                Err(Unanswered::Later(_)) => {}
            }
            wanted.insert(logical.clone());
            let change = after.planned(&template, logical, declared, world, &unsure)?;
            if let Some(change) = change {
                if change.action
                    != (Action::Modify {
                        replace: Some(false),
                    })
                {
                    unsure.insert(logical.clone());
                }
                planned.push(change);
            }
        }
        let gone = self
            .resources
            .iter()
            .filter(|of| !of.doomed && !wanted.contains(&of.logical));
        planned.extend(gone.map(|of| Planned {
            logical: of.logical.clone(),
            kind: of.kind.clone(),
            physical: of.physical.clone(),
            action: Action::Remove {
                retained: of.deletion != Policy::Delete,
            },
            properties: Vec::new(),
        }));
        planned.sort_by(|a, b| a.logical.cmp(&b.logical));
        Ok(planned)
    }

    fn planned(
        &self,
        template: &Template,
        logical: &str,
        declared: &Declared,
        world: &dyn World,
        unsure: &BTreeSet<String>,
    ) -> Result<Option<Planned>, TemplateError> {
        let Some(current) = self.resource(logical) else {
            return Ok(Some(Planned {
                logical: logical.to_owned(),
                kind: declared.kind.clone(),
                physical: None,
                action: Action::Add,
                properties: Vec::new(),
            }));
        };
        let (action, properties) = if current.kind == declared.kind {
            self.differences(template, current, declared, world, unsure)?
        } else {
            (Some(true), Vec::new())
        };
        let changed = !properties.is_empty() || current.kind != declared.kind;
        Ok(changed.then(|| Planned {
            logical: logical.to_owned(),
            kind: declared.kind.clone(),
            physical: current.physical.clone(),
            action: Action::Modify { replace: action },
            properties,
        }))
    }

    /// Whether a resource is replaced, and which of its properties change.
    fn differences(
        &self,
        template: &Template,
        current: &Resource,
        declared: &Declared,
        world: &dyn World,
        unsure: &BTreeSet<String>,
    ) -> Result<Differences, TemplateError> {
        let mut replace = Some(false);
        let mut changed = Vec::new();
        let kind = current.kind().map_err(TemplateError::Parameter)?;
        let property = |name: &str| kind.properties.iter().find(|of| of.name == name);
        let replaces = |of: Option<&Property>| of.is_some_and(|of| of.change == Change::Replace);
        for (name, expression) in &declared.properties {
            let mut depends = false;
            graph::references(expression, &mut |reference| {
                depends |= unsure.contains(reference.name());
            });
            let one: Map<_, _> = [(name.clone(), expression.clone())].into_iter().collect();
            let (value, _) = self.scoped(template, world, |scope| scope.properties(&one));
            let value = match value {
                Ok(value) => value.get(name).cloned(),
                Err(Unanswered::Later(_)) => None,
                Err(Unanswered::Wrong(error)) => return Err(error),
            };
            let needs_another = replaces(property(name));
            if depends {
                changed.push((name.clone(), needs_another));
                if needs_another && replace == Some(false) {
                    replace = None;
                }
            } else if value.as_ref() != current.properties.get(name) {
                changed.push((name.clone(), needs_another));
                if needs_another {
                    replace = Some(true);
                }
            }
        }
        for name in current.properties.keys() {
            if !declared.properties.contains_key(name) {
                let needs_another = replaces(property(name));
                changed.push((name.clone(), needs_another));
                if needs_another {
                    replace = Some(true);
                }
            }
        }
        Ok((replace, changed))
    }
}

/// Resources in an order in which each stands after what it needs.
fn ordered(template: &Template) -> Vec<(&String, &Declared)> {
    let mut placed: BTreeSet<&String> = BTreeSet::new();
    let mut order = Vec::new();
    while order.len() < template.resources.len() {
        let before = order.len();
        for (logical, declared) in &template.resources {
            let needs = graph::needs(template, declared);
            if !placed.contains(logical) && needs.iter().all(|need| placed.contains(need)) {
                placed.insert(logical);
                order.push((logical, declared));
            }
        }
        // A template that was checked has no circles.
        if order.len() == before {
            break;
        }
    }
    order
}

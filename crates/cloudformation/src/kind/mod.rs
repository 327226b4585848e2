//! Resource types: their properties and attributes, and the calls that make, change and delete one.
//!
//! <https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-template-resource-type-ref.html>

pub mod ask;
mod auto_scaling;
mod classic_load_balancer;
mod eks;
mod eks_nodes;
mod elastic_ip;
mod iam;
mod instance;
mod internet_gateway;
mod launch_template;
mod load_balancer;
mod nat_gateway;
mod network_acl;
mod network_interface;
mod route_table;
mod security_group;
mod subnet;
mod tags;
mod target_group;
mod vpc;

use crate::step::{Deed, Steps};
use ask::Ask;
use serde_json::{Map, Value};

/// A property of a resource type.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Property {
    /// Its name.
    pub name: &'static str,
    /// Whether it must be given.
    pub required: bool,
    /// What another value needs.
    pub change: Change,
}

/// What a change of a property needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    /// Another resource in place of this one.
    Replace,
    /// Nothing but calls.
    InPlace,
}

/// A resource type.
pub struct Kind {
    /// Its name as AWS writes it.
    pub name: &'static str,
    /// Its properties.
    pub properties: &'static [Property],
    /// What `Fn::GetAtt` gives of it.
    pub attributes: &'static [&'static str],
    create: Deed,
    update: Deed,
    delete: Deed,
}

/// A property that can't change.
const fn fixed(name: &'static str) -> Property {
    Property {
        name,
        required: false,
        change: Change::Replace,
    }
}

/// A property that can change.
const fn live(name: &'static str) -> Property {
    Property {
        name,
        required: false,
        change: Change::InPlace,
    }
}

impl Property {
    /// The same, required.
    const fn required(mut self) -> Self {
        self.required = true;
        self
    }
}

/// The families of types.
const FAMILIES: &[&[Kind]] = &[
    vpc::KINDS,
    subnet::KINDS,
    internet_gateway::KINDS,
    route_table::KINDS,
    nat_gateway::KINDS,
    elastic_ip::KINDS,
    security_group::KINDS,
    network_acl::KINDS,
    network_interface::KINDS,
    instance::KINDS,
    launch_template::KINDS,
    iam::KINDS,
    eks::KINDS,
    eks_nodes::KINDS,
    auto_scaling::KINDS,
    load_balancer::KINDS,
    target_group::KINDS,
    classic_load_balancer::KINDS,
];

/// The type of a name.
pub fn find(name: &str) -> Option<&'static Kind> {
    let mut all = FAMILIES.iter().copied().flatten();
    all.find(|kind| kind.name == name)
}

/// A type whose change is nothing: every property is fixed.
fn unchanging(_: &Ask<'_>) -> Steps {
    Ok(Vec::new())
}

impl Kind {
    /// Checks that the properties are some that the type has, and that none is missing.
    ///
    /// # Errors
    /// AWS's words for the first that isn't so.
    pub fn check(&self, properties: &Map<String, Value>) -> Result<(), String> {
        let known = |name: &String| self.properties.iter().any(|of| of.name == name);
        if let Some(name) = properties.keys().find(|name| !known(name)) {
            return Err(format!("Encountered unsupported property {name}"));
        }
        let missing = |of: &&Property| of.required && !properties.contains_key(of.name);
        match self.properties.iter().find(missing) {
            Some(of) => Err(format!("Property {} cannot be empty.", of.name)),
            None => Ok(()),
        }
    }

    /// The names of properties that differ, and whether one of them can't change.
    pub fn differences(
        &self,
        before: &Map<String, Value>,
        after: &Map<String, Value>,
    ) -> Vec<&'static Property> {
        let differs = |of: &&Property| before.get(of.name) != after.get(of.name);
        self.properties.iter().filter(differs).collect()
    }

    /// The calls that make a resource.
    ///
    /// # Errors
    /// What is wrong with its properties, in AWS's words.
    pub fn create(&self, ask: &Ask<'_>) -> Steps {
        self.check(ask.properties)?;
        (self.create)(ask)
    }

    /// The calls that change one.
    ///
    /// # Errors
    /// What is wrong with its properties, in AWS's words.
    pub fn update(&self, ask: &Ask<'_>) -> Steps {
        self.check(ask.properties)?;
        (self.update)(ask)
    }

    /// The calls that delete one.
    ///
    /// # Errors
    /// What is wrong with its properties, in AWS's words.
    pub fn delete(&self, ask: &Ask<'_>) -> Steps {
        (self.delete)(ask)
    }
}

#[cfg(test)]
mod tests;

//! A container's environment.
//! <https://kubernetes.io/docs/tasks/inject-data-application/define-environment-variable-container/>

use super::expand::expand;
use super::{Plans, services};
use crate::pod::{Container, EnvFrom, EnvSource, EnvVar, KeyRef};
use crate::volume::decoded;
use serde_json::Value;
use std::collections::BTreeMap;

const CONFIG_MAP: &str = "configmap";
const SECRET: &str = "secret";

/// The config maps and secrets that a container's environment refers to: their kind, their name, and
/// whether it does without them.
pub(crate) fn references(container: &Container) -> Vec<(&'static str, &str, bool)> {
    let mut found = Vec::new();
    for from in &container.env_from {
        for (kind, of) in [
            (CONFIG_MAP, &from.config_map_ref),
            (SECRET, &from.secret_ref),
        ] {
            found.extend(of.as_ref().map(|of| (kind, of.name.as_str(), of.optional)));
        }
    }
    for variable in &container.env {
        match &variable.value_from {
            Some(EnvSource::ConfigMap(of)) => {
                found.push((CONFIG_MAP, of.name.as_str(), of.optional));
            }
            Some(EnvSource::Secret(of)) => {
                found.push((SECRET, of.name.as_str(), of.optional));
            }
            _ => {}
        }
    }
    found
}

impl Plans<'_> {
    /// Its variables: those of services, those of whole config maps and secrets, its own. What comes
    /// later counts.
    pub(super) fn env(&self, container: &Container) -> Result<Vec<(String, String)>, String> {
        let pod = self.facts.pod;
        let links = pod.spec.enable_service_links.unwrap_or(true);
        let of_services = services::variables(self.services, &pod.metadata.namespace, links);
        let mut own: BTreeMap<String, String> = BTreeMap::new();
        for from in &container.env_from {
            self.whole(from, &mut own)?;
        }
        for variable in &container.env {
            if let Some(value) = self.value(container, variable, &own, &of_services)? {
                own.insert(variable.name.clone(), value);
            }
        }
        let mut all = of_services;
        all.append(&mut own);
        Ok(all.into_iter().collect())
    }

    /// All entries of a config map or secret.
    fn whole(&self, from: &EnvFrom, own: &mut BTreeMap<String, String>) -> Result<(), String> {
        for (kind, of) in [
            (CONFIG_MAP, &from.config_map_ref),
            (SECRET, &from.secret_ref),
        ] {
            let Some(of) = of else { continue };
            let Some(object) = self.object(kind, of)? else {
                continue;
            };
            for (key, data) in entries(kind, object) {
                let value = String::from_utf8_lossy(&data).into_owned();
                own.insert(format!("{}{key}", from.prefix), value);
            }
        }
        Ok(())
    }

    fn value(
        &self,
        container: &Container,
        variable: &EnvVar,
        own: &BTreeMap<String, String>,
        of_services: &BTreeMap<String, String>,
    ) -> Result<Option<String>, String> {
        let Some(from) = &variable.value_from else {
            let known = of_services.iter().chain(own);
            let known = known.map(|(name, value)| (name.as_str(), value.as_str()));
            return Ok(Some(expand(&variable.value, &known.collect())));
        };
        match from {
            EnvSource::Field(field) => self.facts.field(&field.field_path).map(Some),
            EnvSource::Resource(of) => self.facts.resource(of, Some(container)).map(Some),
            EnvSource::ConfigMap(of) => self.entry(CONFIG_MAP, "ConfigMap", of),
            EnvSource::Secret(of) => self.entry(SECRET, "Secret", of),
        }
    }

    fn entry(
        &self,
        kind: &'static str,
        called: &str,
        of: &KeyRef,
    ) -> Result<Option<String>, String> {
        let Some(object) = self.object(kind, of)? else {
            return Ok(None);
        };
        match entries(kind, object).remove(&of.key) {
            Some(data) => Ok(Some(String::from_utf8_lossy(&data).into_owned())),
            None if of.optional => Ok(None),
            None => Err(format!(
                "couldn't find key {} in {called} {}/{}",
                of.key, self.facts.pod.metadata.namespace, of.name
            )),
        }
    }

    /// A config map or secret, unless it isn't there and may be missing.
    fn object(&self, kind: &'static str, of: &KeyRef) -> Result<Option<&Value>, String> {
        match self.objects.get(&(kind, of.name.clone())) {
            Some(object) => Ok(Some(object)),
            None if of.optional => Ok(None),
            None => Err(format!("{kind} {:?} not found", of.name)),
        }
    }
}

/// The text entries of a config map, or a secret's.
fn entries(kind: &str, object: &Value) -> BTreeMap<String, Vec<u8>> {
    let mut entries = decoded(object);
    if kind == CONFIG_MAP {
        entries.retain(|key, _| !object["data"][key].is_null());
    }
    entries
}

//! What is done with the requests for a backend.

use super::action::{self, Action, TargetRef, folded, said};
use super::annotation::{Annotations, INGRESS};
use super::build::Builder;
use super::error::BuildError;
use super::object::{Backend, BackendService, Ingress, NumberOrName};
use super::{Member, auth};
use serde_json::Value;
use std::collections::BTreeSet;

/// The port's name of a backend that an annotation describes.
const BY_ANNOTATION: &str = "use-annotation";

/// The services that an ingress' backends name.
pub(crate) fn services_of(ingress: &Ingress) -> BTreeSet<String> {
    let rules = ingress
        .spec
        .rules
        .iter()
        .filter_map(|rule| rule.http.as_ref());
    let paths = rules.flat_map(|http| &http.paths).map(|path| &path.backend);
    let all = paths.chain(ingress.spec.default_backend.as_ref());
    let services = all.filter_map(|backend| backend.service.as_ref());
    services.map(|service| service.name.clone()).collect()
}

impl Builder<'_> {
    /// What a backend's requests meet on a listener of a protocol.
    pub(super) fn actions(
        &mut self,
        member: &Member<'_>,
        backend: &Backend,
        protocol: &str,
    ) -> Result<Vec<Action>, BuildError> {
        let missing = || BuildError::new("missing required \"service\" field");
        let service = backend.service.as_ref().ok_or_else(missing)?;
        let last = if service.port.name == BY_ANNOTATION {
            self.by_annotation(member, &service.name)?
        } else {
            let port = service.port.value();
            self.forward(member, &[(service.name.clone(), port, 1)], None, &[])?
        };
        let mut actions = Vec::new();
        // Only TLS keeps cookies to one's self.
        if protocol == "HTTPS" {
            actions.extend(
                self.authentication(member, service)?
                    .map(Action::Authenticate),
            );
        }
        actions.push(last);
        Ok(actions)
    }

    fn authentication(
        &self,
        member: &Member<'_>,
        backend: &BackendService,
    ) -> Result<Option<action::Authenticate>, BuildError> {
        let ingress = &member.ingress.metadata;
        let service = self.services.service(&ingress.namespace, &backend.name);
        let mut sources = vec![&ingress.annotations];
        if let Some(service) = &service {
            sources.insert(0, &service.metadata.annotations);
        }
        let annotations = Annotations::new(INGRESS, sources);
        auth::of(&annotations, &ingress.namespace, self.surround)
    }

    fn by_annotation(&mut self, member: &Member<'_>, name: &str) -> Result<Action, BuildError> {
        let ingress = &member.ingress.metadata;
        let annotations = Annotations::new(INGRESS, vec![&ingress.annotations]);
        let suffix = format!("actions.{name}");
        let given = annotations.json(&suffix)?.ok_or_else(|| {
            BuildError::new(format!(
                "missing {} configuration",
                annotations.name(&suffix)
            ))
        })?;
        let given = folded(&given);
        match given["type"].as_str().unwrap_or_default() {
            "redirect" => action::redirect(&given["redirectconfig"]),
            "fixed-response" => action::fixed(&given["fixedresponseconfig"]),
            "forward" => self.forward_by_annotation(member, &given),
            other => Err(BuildError::new(format!("unknown action type: {other}"))),
        }
    }

    fn forward_by_annotation(
        &mut self,
        member: &Member<'_>,
        given: &Value,
    ) -> Result<Action, BuildError> {
        let mut arns = Vec::new();
        let mut services = Vec::new();
        if let Some(arn) = given["targetgrouparn"].as_str() {
            arns.push((arn.to_owned(), 1));
        }
        let config = &given["forwardconfig"];
        for tuple in config["targetgroups"].as_array().into_iter().flatten() {
            let weight = said(&tuple["weight"]);
            let weight = weight.and_then(|of| of.parse().ok()).unwrap_or(1);
            if let Some(arn) = tuple["targetgrouparn"].as_str() {
                arns.push((arn.to_owned(), weight));
                continue;
            }
            if !tuple["targetgroupname"].is_null() {
                return Err(BuildError::new(
                    "targetGroupName is not supported: name the target group by its ARN",
                ));
            }
            let needed = || {
                BuildError::new("either serviceName and servicePort or targetGroupARN is required")
            };
            let name = tuple["servicename"].as_str().ok_or_else(needed)?;
            let port = match said(&tuple["serviceport"]).ok_or_else(needed)? {
                text if text.parse::<u16>().is_ok() => {
                    NumberOrName::Number(text.parse().unwrap_or_default())
                }
                text => NumberOrName::Name(text),
            };
            services.push((name.to_owned(), port, weight));
        }
        let stays = &config["targetgroupstickinessconfig"];
        let seconds = said(&stays["durationseconds"]).and_then(|of| of.parse().ok());
        let sticky = (stays["enabled"] == true).then_some(seconds.unwrap_or(1));
        self.forward(member, &services, sticky, &arns)
    }

    fn forward(
        &mut self,
        member: &Member<'_>,
        services: &[(String, NumberOrName, u32)],
        sticky: Option<u32>,
        arns: &[(String, u32)],
    ) -> Result<Action, BuildError> {
        let ingress = &member.ingress.metadata;
        let annotations = Annotations::new(INGRESS, vec![&ingress.annotations]);
        let tolerant = annotations.flag("tolerate-non-existent-backend-service")?;
        let arns = arns.iter();
        let mut groups: Vec<(TargetRef, u32)> = arns
            .map(|(arn, weight)| (TargetRef::Arn(arn.clone()), *weight))
            .collect();
        for (name, port, weight) in services {
            match self.target(member, name, port)? {
                Some(group) => groups.push((group, *weight)),
                None if tolerant.unwrap_or(true) => return Ok(Action::no_service()),
                None => {
                    return Err(BuildError::new(format!(
                        "Service {:?} not found",
                        format!("{}/{name}", ingress.namespace)
                    )));
                }
            }
        }
        Ok(Action::Forward { groups, sticky })
    }
}

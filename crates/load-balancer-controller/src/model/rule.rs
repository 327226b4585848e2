//! A listener's rules.

use super::annotation::{Annotations, INGRESS};
use super::build::Builder;
use super::condition::{self, Added, Condition, patterns};
use super::error::BuildError;
use super::object::{IngressPath, IngressRule};
use super::stack::{Pairs, Rule};
use super::{Member, class};

/// A rule's paths in the order in which they are tried: exact ones, prefixes by their length, then all others.
/// <https://kubernetes-sigs.github.io/aws-load-balancer-controller/v2.11/guide/ingress/spec/>
fn in_order(paths: &[IngressPath]) -> Vec<&IngressPath> {
    let of = |kind: &'static str| {
        let is = move |path: &&IngressPath| path.path_type.as_deref() == Some(kind);
        paths.iter().filter(is)
    };
    let mut prefixes: Vec<&IngressPath> = of("Prefix").collect();
    prefixes.sort_by_key(|path| std::cmp::Reverse(path.path.len()));
    let known = ["Exact", "Prefix"];
    let others = paths.iter().filter(|path| {
        let kind = path.path_type.as_deref();
        !kind.is_some_and(|kind| known.contains(&kind))
    });
    of("Exact").chain(prefixes).chain(others).collect()
}

impl Builder<'_> {
    /// The rules of a listener: those of each member that listens there.
    pub(super) fn rules(
        &mut self,
        members: &[&Member<'_>],
        protocol: &str,
    ) -> Result<Vec<Rule>, BuildError> {
        let mut rules = Vec::new();
        for member in members {
            for rule in &member.ingress.spec.rules {
                let Some(http) = &rule.http else { continue };
                for path in in_order(&http.paths) {
                    let made = self.rule(member, rule, path, protocol);
                    let key = member.ingress.metadata.key();
                    rules.push(made.map_err(|error| error.about(&format!("ingress: {key}")))?);
                }
            }
        }
        Ok(rules)
    }

    fn rule(
        &mut self,
        member: &Member<'_>,
        rule: &IngressRule,
        path: &IngressPath,
        protocol: &str,
    ) -> Result<Rule, BuildError> {
        let mut tags: Pairs =
            Annotations::new(INGRESS, vec![&member.ingress.metadata.annotations]).pairs("tags")?;
        if let Some(params) = member.params {
            tags.extend(class::pairs(&params.tags));
        }
        Ok(Rule {
            conditions: conditions(member, rule, path)?,
            actions: self.actions(member, &path.backend, protocol)?,
            tags,
        })
    }
}

fn conditions(
    member: &Member<'_>,
    rule: &IngressRule,
    path: &IngressPath,
) -> Result<Vec<Condition>, BuildError> {
    let annotations = Annotations::new(INGRESS, vec![&member.ingress.metadata.annotations]);
    let service = path.backend.service.as_ref().map(|service| &service.name);
    let given = match service {
        Some(name) => annotations.json(&format!("conditions.{name}"))?,
        None => None,
    };
    let added = match given {
        Some(given) => condition::read(&given)?,
        None => Added::default(),
    };
    let own = (!rule.host.is_empty()).then(|| rule.host.clone());
    let hosts: Vec<String> = own.into_iter().chain(added.hosts).collect();
    let kind = path
        .path_type
        .as_deref()
        .unwrap_or("ImplementationSpecific");
    let mut paths = patterns(&path.path, kind)?;
    paths.extend(added.paths);
    let mut all = added.others;
    if !hosts.is_empty() {
        all.push(Condition::Host(hosts));
    }
    if !paths.is_empty() {
        all.push(Condition::Path(paths));
    }
    if all.is_empty() {
        all.push(Condition::Path(vec!["/*".to_owned()]));
    }
    Ok(all)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// AWS-LBC: exact paths come first, then prefixes by length, then the rest as they stand.
    #[test]
    fn paths_are_tried_in_order() {
        let path = |path: &str, kind: Option<&str>| IngressPath {
            path: path.to_owned(),
            path_type: kind.map(str::to_owned),
            ..IngressPath::default()
        };
        let paths = [
            path("/any*", None),
            path("/a", Some("Prefix")),
            path("/b", Some("Exact")),
            path("/long", Some("Prefix")),
            path("/c", Some("Prefix")),
            path("/a", Some("Exact")),
        ];
        let order: Vec<&str> = in_order(&paths).iter().map(|of| of.path.as_str()).collect();
        assert_eq!(order, ["/b", "/a", "/long", "/a", "/c", "/any*"]);
    }
}

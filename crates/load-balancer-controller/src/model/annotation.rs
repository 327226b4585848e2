//! Annotations: what they are called, and what their values are.

use super::error::BuildError;
use serde_json::Value;
use std::collections::BTreeMap;

/// What names of annotations of ingresses begin with.
pub const INGRESS: &str = "alb.ingress.kubernetes.io";
/// What names of annotations of services begin with.
pub const SERVICE: &str = "service.beta.kubernetes.io";

/// Annotations of one thing, from the sources that say something of it: the first that does counts.
#[derive(Clone, Debug)]
pub struct Annotations<'a> {
    prefix: &'static str,
    sources: Vec<&'a BTreeMap<String, String>>,
}

impl<'a> Annotations<'a> {
    /// Annotations with a prefix, the source that comes first first.
    pub fn new(prefix: &'static str, sources: Vec<&'a BTreeMap<String, String>>) -> Self {
        Self { prefix, sources }
    }

    /// The whole name of one.
    pub fn name(&self, suffix: &str) -> String {
        format!("{}/{suffix}", self.prefix)
    }

    /// Its text, if it is there.
    pub fn text(&self, suffix: &str) -> Option<&'a str> {
        let name = self.name(suffix);
        self.sources
            .iter()
            .find_map(|of| of.get(&name))
            .map(String::as_str)
    }

    /// Its texts, with commas between.
    pub fn texts(&self, suffix: &str) -> Option<Vec<String>> {
        self.text(suffix).map(split)
    }

    /// What every source says, the last first, so that later ones win.
    fn all(&self, suffix: &str) -> Vec<&'a str> {
        let name = self.name(suffix);
        let sources = self.sources.iter().rev();
        sources
            .filter_map(|of| of.get(&name))
            .map(String::as_str)
            .collect()
    }

    /// Whether it says yes.
    ///
    /// # Errors
    /// It says neither yes nor no.
    pub fn flag(&self, suffix: &str) -> Result<Option<bool>, BuildError> {
        let Some(text) = self.text(suffix) else {
            return Ok(None);
        };
        match text {
            "1" | "t" | "T" | "true" | "TRUE" | "True" => Ok(Some(true)),
            "0" | "f" | "F" | "false" | "FALSE" | "False" => Ok(Some(false)),
            other => Err(BuildError::new(format!(
                "failed to parse bool annotation, {}: {other}",
                self.name(suffix)
            ))),
        }
    }

    /// Its number.
    ///
    /// # Errors
    /// It is none.
    pub fn number(&self, suffix: &str) -> Result<Option<i64>, BuildError> {
        let Some(text) = self.text(suffix) else {
            return Ok(None);
        };
        text.parse().map(Some).map_err(|_| {
            let name = self.name(suffix);
            BuildError::new(format!("failed to parse int64 annotation, {name}: {text}"))
        })
    }

    /// Its JSON.
    ///
    /// # Errors
    /// It is none.
    pub fn json(&self, suffix: &str) -> Result<Option<Value>, BuildError> {
        let Some(text) = self.text(suffix) else {
            return Ok(None);
        };
        serde_json::from_str(text).map(Some).map_err(|error| {
            let name = self.name(suffix);
            BuildError::new(format!(
                "failed to parse json annotation, {name}: {text}: {error}"
            ))
        })
    }

    /// Its pairs `key=value`, with commas between; those of all sources together.
    ///
    /// # Errors
    /// A pair has no `=`.
    pub fn pairs(&self, suffix: &str) -> Result<BTreeMap<String, String>, BuildError> {
        let mut pairs = BTreeMap::new();
        for text in self.all(suffix) {
            for pair in split(text) {
                let found = pair.split_once('=');
                let (key, value) = found.ok_or_else(|| {
                    let name = self.name(suffix);
                    BuildError::new(format!(
                        "failed to parse stringMap annotation, {name}: {text}"
                    ))
                })?;
                if key.trim().is_empty() {
                    let name = self.name(suffix);
                    return Err(BuildError::new(format!(
                        "failed to parse stringMap annotation, {name}: {text}"
                    )));
                }
                pairs.insert(key.trim().to_owned(), value.trim().to_owned());
            }
        }
        Ok(pairs)
    }
}

/// Texts with commas between.
pub fn split(text: &str) -> Vec<String> {
    let parts = text.split(',').map(str::trim);
    let parts = parts.filter(|part| !part.is_empty());
    parts.map(str::to_owned).collect()
}

/// What upstream has for ingresses and this controller has not: the load balancers here can't do it.
const REFUSED: [&str; 18] = [
    "customer-owned-ipv4-pool",
    "wafv2-acl-arn",
    "wafv2-acl-name",
    "waf-acl-id",
    "web-acl-id",
    "mutual-authentication",
    "multi-cluster-target-group",
    "minimum-load-balancer-capacity",
    "ipam-ipv4-pool-id",
    "enable-frontend-nlb",
    "use-regex-path-match",
    "jwt-validation",
    "target-control-port",
    "transforms.",
    "frontend-nlb-",
    "vpc-id",
    "iam-role-arn-to-assume",
    "enable-icmp-for-path-mtu-discovery",
];

/// Refuses annotations that ask for something that there is not, rather than ignoring them.
///
/// # Errors
/// There is one.
pub fn check_supported(annotations: &BTreeMap<String, String>) -> Result<(), BuildError> {
    for (name, value) in annotations {
        let Some(suffix) = name
            .strip_prefix(INGRESS)
            .and_then(|of| of.strip_prefix('/'))
        else {
            continue;
        };
        let refused = REFUSED.iter().any(|of| {
            suffix == *of || ((of.ends_with('.') || of.ends_with('-')) && suffix.starts_with(of))
        });
        let protected = suffix == "shield-advanced-protection" && value != "false";
        if refused || protected {
            return Err(BuildError::new(format!(
                "annotation {name} is not supported by this load balancer controller"
            )));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    /// AWS-LBC: the first source that says something counts; pairs add up.
    #[test]
    fn sources_come_one_after_the_other() {
        let of = |pairs: &[(&str, &str)]| {
            let pairs = pairs
                .iter()
                .map(|(key, value)| (format!("{INGRESS}/{key}"), (*value).to_owned()));
            pairs.collect::<BTreeMap<_, _>>()
        };
        let service = of(&[("success-codes", "200-299"), ("tags", "a=1,b=2")]);
        let ingress = of(&[
            ("success-codes", "200"),
            ("tags", "b=3,c=4"),
            ("group.order", "x"),
        ]);
        let both = Annotations::new(INGRESS, vec![&service, &ingress]);
        assert_eq!(both.text("success-codes"), Some("200-299"));
        let pairs = both.pairs("tags").unwrap();
        let pairs: Vec<_> = pairs.iter().map(|(k, v)| format!("{k}{v}")).collect();
        assert_eq!(pairs, ["a1", "b2", "c4"]);
        let error = both.number("group.order").unwrap_err().to_string();
        assert!(error.contains("alb.ingress.kubernetes.io/group.order: x"));
    }

    /// AWS-LBC: what can't be done is refused.
    #[test]
    fn what_there_is_not_is_refused() {
        let check = |name: &str, value: &str| {
            let one = BTreeMap::from([(format!("{INGRESS}/{name}"), value.to_owned())]);
            check_supported(&one).is_ok()
        };
        assert!(check("scheme", "internal"));
        assert!(check("shield-advanced-protection", "false"));
        assert!(!check("shield-advanced-protection", "true"));
        assert!(!check("frontend-nlb-scheme", "internal"));
        assert!(!check("wafv2-acl-arn", "arn"));
    }
}

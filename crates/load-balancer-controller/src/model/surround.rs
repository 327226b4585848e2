//! What of the account a model depends on: asked for before, so that models are made without a call.

use super::annotation::{Annotations, INGRESS};
pub(crate) use super::backend::services_of;
use super::{Member, Services};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};

/// What of the account a model depends on.
#[derive(Clone, Debug, Default)]
pub struct Surroundings {
    /// The VPC's subnets, as EC2 describes them.
    pub subnets: Vec<Value>,
    /// Certificates that can be used.
    pub certificates: Vec<Certificate>,
    /// The VPC's security groups, as EC2 describes them.
    pub groups: Vec<Value>,
    /// The load balancer that is there.
    pub standing: Option<Standing>,
    /// Clients of identity providers, by `namespace/name` of their secrets.
    pub secrets: BTreeMap<String, (String, String)>,
}

/// A certificate of ACM's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Certificate {
    /// Its ARN.
    pub arn: String,
    /// The names that it is for.
    pub names: Vec<String>,
}

/// A load balancer that is there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Standing {
    /// Its scheme.
    pub scheme: String,
    /// Its subnets.
    pub subnets: Vec<String>,
}

/// What has to be asked for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Needs {
    /// Certificates.
    pub certificates: bool,
    /// Security groups.
    pub groups: bool,
    /// Secrets, as namespaces and names.
    pub secrets: BTreeSet<(String, String)>,
}

/// What a group's model depends on.
pub fn needs(members: &[Member<'_>], services: &dyn Services) -> Needs {
    let mut needs = Needs::default();
    for member in members {
        let metadata = &member.ingress.metadata;
        let own = Annotations::new(INGRESS, vec![&metadata.annotations]);
        let tls = own
            .text("listen-ports")
            .is_some_and(|of| of.to_uppercase().contains("HTTPS"));
        let given = own.text("certificate-arn").is_some();
        let by_class = member
            .params
            .is_some_and(|params| !params.certificate_arn.is_empty());
        needs.certificates |= tls && !given && !by_class;
        needs.groups |= own.text("security-groups").is_some();
        let mut secret = |annotations: &Annotations<'_>| {
            let idp = annotations.json("auth-idp-oidc").ok().flatten();
            let name = idp.and_then(|idp| Some(idp["secretName"].as_str()?.to_owned()));
            if let (Some("oidc"), Some(name)) = (annotations.text("auth-type"), name) {
                needs.secrets.insert((metadata.namespace.clone(), name));
            }
        };
        secret(&own);
        for name in services_of(member.ingress) {
            if let Some(service) = services.service(&metadata.namespace, &name) {
                let of = vec![&service.metadata.annotations, &metadata.annotations];
                secret(&Annotations::new(INGRESS, of));
            }
        }
    }
    needs
}

/// The certificates for hosts.
///
/// # Errors
/// The host that there is none for.
pub fn certificates_for<'a>(
    hosts: &BTreeSet<String>,
    all: &'a [Certificate],
) -> Result<Vec<&'a str>, String> {
    let mut chosen: BTreeSet<&str> = BTreeSet::new();
    for host in hosts {
        let mut fitting = all
            .iter()
            .filter(|of| of.names.iter().any(|name| covers(name, host)))
            .peekable();
        if fitting.peek().is_none() {
            return Err(host.clone());
        }
        chosen.extend(fitting.map(|of| of.arn.as_str()));
    }
    Ok(chosen.into_iter().collect())
}

/// Whether a certificate's name is for a host: a wildcard is for one label.
fn covers(name: &str, host: &str) -> bool {
    if name.eq_ignore_ascii_case(host) {
        return true;
    }
    let Some(domain) = name.strip_prefix("*.") else {
        return false;
    };
    let rest = host.split_once('.').map(|(_, rest)| rest);
    rest.is_some_and(|rest| rest.eq_ignore_ascii_case(domain))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    /// AWS-LBC: certificates are found by their names; one that is missing is told by its host.
    #[test]
    fn certificates_are_found_by_hosts() {
        let of = |arn: &str, names: &[&str]| Certificate {
            arn: arn.to_owned(),
            names: names.iter().map(|name| (*name).to_owned()).collect(),
        };
        let all = [of("a", &["*.example.com"]), of("b", &["example.org"])];
        let find = |hosts: &[&str]| {
            let hosts = hosts.iter().map(|host| (*host).to_owned()).collect();
            certificates_for(&hosts, &all).map(|found| found.join(","))
        };
        assert_eq!(find(&["app.example.com", "example.org"]).unwrap(), "a,b");
        assert_eq!(find(&["a.b.example.com"]).unwrap_err(), "a.b.example.com");
        assert_eq!(find(&["example.com"]).unwrap_err(), "example.com");
    }
}

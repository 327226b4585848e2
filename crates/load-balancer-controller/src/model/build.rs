//! A group of ingresses as a stack.

use super::annotation::{self, Annotations, INGRESS};
use super::class::{GroupId, order_of};
use super::error::BuildError;
use super::listener::Port;
use super::stack::{
    Balancer, Binding, GroupRef, Owner, Pairs, SecurityGroup, Stack, SubnetMapping, TargetGroup,
};
use super::surround::Surroundings;
use super::{Member, Services, class, name, security, subnet};
use std::collections::{BTreeMap, BTreeSet};

/// What the controller was told at its start.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// The cluster's name.
    pub cluster: String,
    /// What targets are where nobody says.
    pub target_type: String,
    /// The scheme of load balancers where nobody says.
    pub scheme: String,
    /// The security policy where nobody says.
    pub ssl_policy: String,
    /// Tags of all that is made.
    pub tags: Pairs,
}

/// Makes a group's stack.
#[derive(Debug)]
pub(super) struct Builder<'a> {
    pub(super) settings: &'a Settings,
    pub(super) group: &'a GroupId,
    pub(super) members: &'a [Member<'a>],
    pub(super) services: &'a dyn Services,
    pub(super) surround: &'a Surroundings,
    /// Whether targets' security groups are seen to.
    pub(super) backend_rules: bool,
    pub(super) target_groups: BTreeMap<String, TargetGroup>,
    pub(super) bindings: BTreeMap<String, Binding>,
}

impl std::fmt::Debug for dyn Services + '_ {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Services")
    }
}

/// The stack of a group of ingresses.
///
/// # Errors
/// What one of its members asks for can't be; then there is no stack for any.
pub fn build(
    settings: &Settings,
    group: &GroupId,
    members: &[Member<'_>],
    services: &dyn Services,
    surround: &Surroundings,
) -> Result<Stack, BuildError> {
    if members.is_empty() {
        return Ok(Stack::empty(Owner::Ingress, group.to_string()));
    }
    let mut ordered = Vec::with_capacity(members.len());
    for member in members {
        annotation::check_supported(&member.ingress.metadata.annotations)
            .map_err(|error| error.about(&format!("ingress: {}", member.ingress.metadata.key())))?;
        ordered.push((order_of(member.ingress)?, member.clone()));
    }
    ordered.sort_by_key(|(order, member)| (*order, member.ingress.metadata.key()));
    let members: Vec<Member<'_>> = ordered.into_iter().map(|(_, member)| member).collect();
    let builder = Builder {
        settings,
        group,
        members: &members,
        services,
        surround,
        backend_rules: true,
        target_groups: BTreeMap::new(),
        bindings: BTreeMap::new(),
    };
    builder.stack()
}

impl<'a> Builder<'a> {
    fn stack(mut self) -> Result<Stack, BuildError> {
        let ports = self.ports()?;
        let scheme = self.scheme()?;
        let tags = self.tags()?;
        let (groups, managed) = self.groups(&ports, &tags)?;
        let name = match self.agreed("load-balancer-name", |of| of.load_balancer_name.clone())? {
            Some(name) if name.len() > 32 => {
                return Err(BuildError::new(
                    "load balancer name cannot be longer than 32 characters",
                ));
            }
            Some(name) => name,
            None => name::balancer(&self.settings.cluster, self.group, &scheme),
        };
        let subnets = self.subnets(&scheme)?;
        if let Some(kind) = self.agreed("ip-address-type", |of| of.ip_address_type.clone())?
            && kind != "ipv4"
        {
            return Err(BuildError::new(format!(
                "unsupported IPAddressType: {kind}"
            )));
        }
        let listeners = self.listeners(&ports, &tags)?;
        let balancer = Balancer {
            name,
            kind: "application",
            scheme,
            subnets: subnets
                .into_iter()
                .map(|subnet| SubnetMapping {
                    subnet,
                    ..SubnetMapping::default()
                })
                .collect(),
            groups,
            attributes: self.attributes()?,
            listeners,
            tags,
        };
        let mut target_groups: Vec<TargetGroup> = self.target_groups.into_values().collect();
        for group in &mut target_groups {
            let mut tags = self.settings.tags.clone();
            tags.append(&mut group.tags);
            group.tags = tags;
        }
        Ok(Stack {
            owner: Owner::Ingress,
            name: self.group.to_string(),
            managed_group: managed,
            balancer: Some(balancer),
            target_groups,
            bindings: self.bindings.into_values().collect(),
        })
    }

    /// What those members that say anything of it agree on; a class goes before annotations.
    fn agreed(
        &self,
        suffix: &str,
        by_class: impl Fn(&class::Params) -> Option<String>,
    ) -> Result<Option<String>, BuildError> {
        let members = self.members.iter();
        let said: BTreeSet<String> = members
            .filter_map(|member| {
                let class = member.params.and_then(&by_class);
                class.or_else(|| own(member).text(suffix).map(str::to_owned))
            })
            .collect();
        if said.len() > 1 {
            let all = said.iter().map(|of| format!("{of}:{{}}"));
            return Err(BuildError::new(format!(
                "conflicting {}: map[{}]",
                suffix.replace('-', " "),
                all.collect::<Vec<_>>().join(" ")
            )));
        }
        Ok(said.into_iter().next())
    }

    fn scheme(&self) -> Result<String, BuildError> {
        let said = self.agreed("scheme", |params| params.scheme.clone())?;
        let scheme = said.unwrap_or_else(|| self.settings.scheme.clone());
        if !["internal", "internet-facing"].contains(&scheme.as_str()) {
            return Err(BuildError::new(format!("unknown scheme: {scheme}")));
        }
        Ok(scheme)
    }

    /// Pairs of all members together; the same key may not have two values.
    fn merged(
        &self,
        what: &str,
        of: impl Fn(&Member<'_>) -> Result<Pairs, BuildError>,
    ) -> Result<Pairs, BuildError> {
        let mut all = Pairs::new();
        for member in self.members {
            for (key, value) in of(member)? {
                let before = all.insert(key.clone(), value.clone());
                if let Some(before) = before.filter(|before| *before != value) {
                    return Err(BuildError::new(format!(
                        "conflicting {what} {key}: {before} | {value}"
                    )));
                }
            }
        }
        Ok(all)
    }

    fn tags(&self) -> Result<Pairs, BuildError> {
        let own = self.merged("tag", |member| {
            let mut tags = own(member).pairs("tags")?;
            if let Some(params) = member.params {
                tags.extend(class::pairs(&params.tags));
            }
            Ok(tags)
        })?;
        let mut tags = self.settings.tags.clone();
        tags.extend(own);
        Ok(tags)
    }

    fn attributes(&self) -> Result<Pairs, BuildError> {
        self.merged("loadBalancerAttribute", |member| {
            let mut attributes = own(member).pairs("load-balancer-attributes")?;
            if let Some(params) = member.params {
                attributes.extend(class::pairs(&params.load_balancer_attributes));
            }
            Ok(attributes)
        })
    }

    fn subnets(&self, scheme: &str) -> Result<Vec<String>, BuildError> {
        let (cluster, all) = (&self.settings.cluster, &self.surround.subnets);
        // An application load balancer lies in at least two zones.
        let least = 2;
        let mut classes = self
            .members
            .iter()
            .filter_map(|member| member.params?.subnets.as_ref());
        if let Some(wanted) = classes.next() {
            if classes.any(|other| other != wanted) {
                return Err(BuildError::new("conflicting subnets"));
            }
            return subnet::by_class(cluster, all, wanted, least);
        }
        let said: BTreeSet<Vec<String>> = self
            .members
            .iter()
            .filter_map(|member| own(member).texts("subnets"))
            .map(|mut of| {
                of.sort();
                of
            })
            .collect();
        if said.len() > 1 {
            let all = said.iter().map(|of| format!("[{}]", of.join(" ")));
            return Err(BuildError::new(format!(
                "conflicting subnets: {}",
                all.collect::<Vec<_>>().join(" | ")
            )));
        }
        if let Some(wanted) = said.into_iter().next() {
            return subnet::named(all, &wanted, least);
        }
        // A load balancer that is there stays where it is.
        match self
            .surround
            .standing
            .as_ref()
            .filter(|of| of.scheme == scheme)
        {
            Some(standing) => Ok(standing.subnets.clone()),
            None => subnet::discovered(cluster, all, scheme, least),
        }
    }

    /// The load balancer's groups, and its own if it has one.
    fn groups(
        &mut self,
        ports: &BTreeMap<u16, Port>,
        tags: &Pairs,
    ) -> Result<(Vec<GroupRef>, Option<SecurityGroup>), BuildError> {
        let mut named: BTreeSet<Vec<String>> = BTreeSet::new();
        let mut manages = false;
        for member in self.members {
            let annotations = own(member);
            let found = security::named(&annotations, "security-groups", &self.surround.groups)?;
            named.extend(found);
            manages |= annotations.flag("manage-backend-security-group-rules")? == Some(true);
        }
        if named.len() > 1 {
            let all = named.iter().map(|of| format!("[{}]", of.join(" ")));
            return Err(BuildError::new(format!(
                "conflicting securityGroups: {}",
                all.collect::<Vec<_>>().join(" | ")
            )));
        }
        if let Some(ids) = named.into_iter().next() {
            self.backend_rules = manages;
            let mut groups: Vec<GroupRef> = ids.into_iter().map(GroupRef::Id).collect();
            if manages {
                groups.push(GroupRef::Backend);
            }
            return Ok((groups, None));
        }
        let managed = SecurityGroup {
            name: name::security_group(&self.settings.cluster, self.group),
            permissions: security::permissions(ports),
            tags: tags.clone(),
        };
        Ok((vec![GroupRef::Managed, GroupRef::Backend], Some(managed)))
    }
}

/// A member's own annotations.
fn own<'m>(member: &'m Member<'_>) -> Annotations<'m> {
    Annotations::new(INGRESS, vec![&member.ingress.metadata.annotations])
}

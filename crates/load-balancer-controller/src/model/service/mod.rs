//! A service of type LoadBalancer as a stack: a network load balancer.
//! <https://kubernetes-sigs.github.io/aws-load-balancer-controller/v2.11/guide/service/nlb/>

mod port;
mod target;

use super::annotation::{Annotations, SERVICE, split};
use super::build::Settings;
use super::error::BuildError;
use super::object::Service;
use super::stack::{
    Balancer, Binding, GroupRef, Owner, Pairs, Permission, SecurityGroup, Source, Stack,
    SubnetMapping, TargetGroup,
};
use super::surround::Surroundings;
use super::{name, security, subnet};
use port::{Port, ports};

/// The class of services whose load balancers are this controller's.
pub const CLASS: &str = "service.k8s.aws/nlb";
/// What keeps a service until its load balancer is gone.
pub const FINALIZER: &str = "service.k8s.aws/resources";

/// Whether a service's load balancer is this controller's.
pub fn is_ours(service: &Service) -> bool {
    if service.spec.kind != "LoadBalancer" {
        return false;
    }
    if let Some(class) = &service.spec.load_balancer_class {
        return class == CLASS;
    }
    let annotations = of(service);
    let kind = annotations
        .text("aws-load-balancer-type")
        .unwrap_or_default();
    let target = annotations.text("aws-load-balancer-nlb-target-type");
    kind == "nlb-ip"
        || (kind == "external"
            && ["ip", "instance", "nlb-ip"].contains(&target.unwrap_or_default()))
}

/// A service's annotations.
pub(super) fn of(service: &Service) -> Annotations<'_> {
    Annotations::new(SERVICE, vec![&service.metadata.annotations])
}

/// What upstream has for services and this controller has not.
const REFUSED: [&str; 7] = [
    "aws-load-balancer-access-log-enabled",
    "aws-load-balancer-multi-cluster-target-group",
    "aws-load-balancer-minimum-load-balancer-capacity",
    "aws-load-balancer-inbound-sg-rules-on-private-link-traffic",
    "aws-load-balancer-ipv6-addresses",
    "aws-load-balancer-enable-prefix-for-ipv6-source-nat",
    "aws-load-balancer-security-group-prefix-lists",
];

/// Makes a service's stack.
#[derive(Debug)]
pub(super) struct Builder<'a> {
    pub(super) settings: &'a Settings,
    pub(super) service: &'a Service,
    pub(super) surround: &'a Surroundings,
    pub(super) annotations: Annotations<'a>,
    /// `instance` or `ip`.
    pub(super) target_type: &'static str,
    /// Whether targets' security groups are seen to.
    pub(super) backend_rules: bool,
    pub(super) tags: Pairs,
}

/// The stack of a service.
///
/// # Errors
/// What it asks for can't be.
pub fn build_service(
    settings: &Settings,
    service: &Service,
    surround: &Surroundings,
) -> Result<Stack, BuildError> {
    let annotations = of(service);
    for suffix in REFUSED {
        if annotations
            .text(suffix)
            .is_some_and(|value| value != "false")
        {
            let name = annotations.name(suffix);
            return Err(BuildError::new(format!(
                "annotation {name} is not supported by this load balancer controller"
            )));
        }
    }
    let mut tags = settings.tags.clone();
    tags.extend(annotations.pairs("aws-load-balancer-additional-resource-tags")?);
    let mut builder = Builder {
        settings,
        service,
        surround,
        target_type: target::kind(settings, &annotations)?,
        annotations,
        backend_rules: true,
        tags,
    };
    builder.stack()
}

impl Builder<'_> {
    fn stack(&mut self) -> Result<Stack, BuildError> {
        let ports = ports(self)?;
        let scheme = self.scheme()?;
        let (groups, managed) = self.groups(&ports)?;
        let name = match self.annotations.text("aws-load-balancer-name") {
            Some(name) if name.len() > 32 => {
                return Err(BuildError::new(
                    "load balancer name cannot be longer than 32 characters",
                ));
            }
            Some(name) => name.to_owned(),
            None => {
                let service = self.service.identity();
                name::service_balancer(&self.settings.cluster, service, scheme)
            }
        };
        if let Some(kind) = self.annotations.text("aws-load-balancer-ip-address-type")
            && kind != "ipv4"
        {
            return Err(BuildError::new(format!("unknown IPAddressType: {kind}")));
        }
        let mut target_groups: Vec<TargetGroup> = Vec::new();
        let mut bindings: Vec<Binding> = Vec::new();
        let mut listeners = Vec::new();
        for port in &ports {
            let group = self.target_group(port)?;
            bindings.push(self.binding(port, &group));
            listeners.push(self.listener(port, &group.name));
            target_groups.push(group);
        }
        let balancer = Balancer {
            name,
            kind: "network",
            subnets: self.subnets(scheme)?,
            scheme: scheme.to_owned(),
            groups,
            attributes: self.attributes()?,
            listeners,
            tags: self.tags.clone(),
        };
        Ok(Stack {
            owner: Owner::Service,
            name: self.service.metadata.key(),
            managed_group: managed,
            balancer: Some(balancer),
            target_groups,
            bindings,
        })
    }

    fn scheme(&self) -> Result<&'static str, BuildError> {
        let said = match self.annotations.text("aws-load-balancer-scheme") {
            Some(said) => said,
            None => match self.annotations.flag("aws-load-balancer-internal")? {
                Some(true) => "internal",
                Some(false) => "internet-facing",
                None => &self.settings.scheme,
            },
        };
        match said {
            "internal" => Ok("internal"),
            "internet-facing" => Ok("internet-facing"),
            other => Err(BuildError::new(format!("unknown scheme: {other}"))),
        }
    }

    fn attributes(&self) -> Result<Pairs, BuildError> {
        let mut attributes = self.annotations.pairs("aws-load-balancer-attributes")?;
        let cross = "aws-load-balancer-cross-zone-load-balancing-enabled";
        if let Some(on) = self.annotations.flag(cross)? {
            let key = "load_balancing.cross_zone.enabled".to_owned();
            attributes.entry(key).or_insert_with(|| on.to_string());
        }
        Ok(attributes)
    }

    fn subnets(&self, scheme: &str) -> Result<Vec<SubnetMapping>, BuildError> {
        let (cluster, all) = (&self.settings.cluster, &self.surround.subnets);
        let standing = self.surround.standing.as_ref();
        let chosen = match self.annotations.texts("aws-load-balancer-subnets") {
            Some(wanted) => subnet::named(all, &wanted, 1)?,
            None => match standing.filter(|of| of.scheme == scheme) {
                // A load balancer that is there stays where it is.
                Some(standing) => standing.subnets.clone(),
                None => subnet::discovered(cluster, all, scheme, 1)?,
            },
        };
        let allocations = self.each(&chosen, "eip-allocations", scheme == "internet-facing")?;
        let addresses = self.each(&chosen, "private-ipv4-addresses", scheme == "internal")?;
        let mappings = chosen.into_iter().enumerate();
        Ok(mappings
            .map(|(index, subnet)| SubnetMapping {
                subnet,
                allocation: allocations.get(index).cloned(),
                private_ip: addresses.get(index).cloned(),
            })
            .collect())
    }

    /// What an annotation has for each subnet.
    fn each(
        &self,
        subnets: &[String],
        what: &str,
        allowed: bool,
    ) -> Result<Vec<String>, BuildError> {
        let suffix = format!("aws-load-balancer-{what}");
        let Some(all) = self.annotations.texts(&suffix) else {
            return Ok(Vec::new());
        };
        if !allowed {
            return Err(BuildError::new(format!(
                "{what} can't be set for load balancers of this scheme"
            )));
        }
        if all.len() != subnets.len() {
            return Err(BuildError::new(format!(
                "count of {what} ({}) and subnets ({}) must match",
                all.len(),
                subnets.len()
            )));
        }
        Ok(all)
    }

    /// Who may call.
    pub(super) fn ranges(&self) -> Vec<String> {
        let own = &self.service.spec.load_balancer_source_ranges;
        let said = self.annotations.text("load-balancer-source-ranges");
        let ranges = match said {
            _ if !own.is_empty() => own.clone(),
            Some(said) => split(said),
            None => Vec::new(),
        };
        if ranges.is_empty() {
            return vec!["0.0.0.0/0".to_owned()];
        }
        ranges
    }

    fn groups(
        &mut self,
        ports: &[Port<'_>],
    ) -> Result<(Vec<GroupRef>, Option<SecurityGroup>), BuildError> {
        let suffix = "aws-load-balancer-security-groups";
        let named = security::named(&self.annotations, suffix, &self.surround.groups)?;
        if let Some(ids) = named {
            let manages = "aws-load-balancer-manage-backend-security-group-rules";
            self.backend_rules = self.annotations.flag(manages)? == Some(true);
            let mut groups: Vec<GroupRef> = ids.into_iter().map(GroupRef::Id).collect();
            if self.backend_rules {
                groups.push(GroupRef::Backend);
            }
            return Ok((groups, None));
        }
        let mut permissions = Vec::new();
        for port in ports {
            for range in self.ranges() {
                permissions.extend(port.transports().map(|protocol| Permission {
                    protocol,
                    port: port.number,
                    from: Source::Range(range.clone()),
                }));
            }
        }
        let service = self.service.identity();
        let managed = SecurityGroup {
            name: name::service_security_group(&self.settings.cluster, service),
            permissions,
            tags: self.tags.clone(),
        };
        Ok((vec![GroupRef::Managed, GroupRef::Backend], Some(managed)))
    }
}

#[cfg(test)]
mod tests;

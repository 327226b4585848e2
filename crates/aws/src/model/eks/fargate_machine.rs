//! Fargate's machines: one a pod, each with an interface of its own in one of the subnets of the pod's profile.
//!
//! They are AWS's: the account shows the interface alone. The lab says which pods want one and which have ended.
//! <https://docs.aws.amazon.com/eks/latest/userguide/fargate.html>

use super::fargate::ProfileStatus;
use super::*;
use crate::model::network_interface::{InterfaceKind, NewInterface};
use std::net::Ipv4Addr;

/// A machine.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FargateMachine {
    /// The cluster and the name of the node that it is there.
    pub key: PartKey,
    /// The pod that it is for, by its uid.
    pub pod: String,
    /// The ARN of the role that it takes: the profile's.
    pub role: String,
    /// Its interface.
    pub interface: NetworkInterfaceId,
    /// Its address.
    pub address: Ipv4Addr,
}

/// The profile that takes a pod of a namespace with these labels. A label of EKS's names one; else the first by name.
pub fn profile_of<'s>(
    state: &'s State,
    cluster: &'s ClusterKey,
    namespace: &str,
    labels: &BTreeMap<String, String>,
) -> Option<&'s FargateProfile> {
    let named = labels.get(PROFILE_LABEL);
    let mut all = of_cluster(&state.eks_fargate_profiles, cluster);
    all.find(|profile| {
        profile.status == ProfileStatus::Active
            && named.is_none_or(|named| *named == profile.key.name)
            && profile
                .selectors
                .iter()
                .any(|of| of.takes(namespace, labels))
    })
}

/// The label of a pod that a profile takes: the profile's name.
pub const PROFILE_LABEL: &str = "eks.amazonaws.com/fargate-profile";

impl State {
    /// A pod that a profile takes wants a machine; it gets one, unless it has one.
    ///
    /// # Errors
    /// There is no such profile, or none of its subnets has an address left.
    pub fn fargate_machine_wanted(
        &mut self,
        profile: &PartKey,
        pod: &str,
        now: i64,
    ) -> Result<(), Refusal> {
        let found = |state: &Self| {
            let of = state.eks_fargate_profiles.get(profile)?.clone();
            Some((of, state.eks_clusters.get(&profile.cluster)?.clone()))
        };
        let (of, cluster) = found(self).ok_or_else(|| {
            not_found(format!(
                "No Fargate Profile found with name: {}.",
                profile.name
            ))
        })?;
        let known = of_cluster(&self.eks_fargate_machines, &profile.cluster);
        if known.into_iter().any(|machine| machine.pod == pod) {
            return Ok(());
        }
        let context = context(&profile.cluster.region, now);
        let subnets = of.subnets.iter().filter_map(|id| self.subnets.get(id));
        let subnet = subnets
            .max_by_key(|subnet| subnet::available_addresses(self, subnet))
            .map(|subnet| subnet.id.clone());
        let subnet = subnet.ok_or_else(|| invalid("The profile's subnets are not there"))?;
        let new = NewInterface {
            groups: vec![cluster.cluster_group.clone()],
            description: format!("Amazon EKS Fargate {}", cluster.key.name),
            kind: InterfaceKind::Fargate,
            ..NewInterface::in_subnet(subnet)
        };
        let interface = network_interface::create(self, &context, new)?;
        network_interface::attach_to_service(self, &context, &interface)?;
        let primary = self
            .network_interfaces
            .get(&interface)
            .and_then(|made| made.primary());
        let address = primary.map_or(Ipv4Addr::UNSPECIFIED, |primary| primary.ip);
        let name = hostname::private(&profile.cluster.region, address);
        let key = PartKey::new(&profile.cluster, &format!("fargate-{name}"));
        let machine = FargateMachine {
            key: key.clone(),
            pod: pod.to_owned(),
            role: of.role.clone(),
            interface,
            address,
        };
        self.eks_fargate_machines.insert(key, Arc::new(machine));
        Ok(())
    }

    /// A machine's pod has ended: the machine goes, with its interface.
    pub fn fargate_machine_gone(&mut self, machine: &PartKey) {
        if let Some(gone) = self.eks_fargate_machines.remove(machine) {
            interface::remove(self, std::slice::from_ref(&gone.interface));
        }
    }
}

/// In which Fargate acts.
fn context(region: &str, now: i64) -> Context {
    Context {
        region: region.to_owned(),
        now,
        pace: Pace::Fast,
        quotas: false,
        caller: "eks-fargate.amazonaws.com".to_owned(),
        // Nothing secret is made.
        entropy: [0; 32],
    }
}

/// Takes a cluster's machines away with it.
pub(super) fn remove_all(state: &mut State, cluster: &ClusterKey) {
    let machines: Vec<PartKey> = of_cluster(&state.eks_fargate_machines, cluster)
        .map(|machine| machine.key.clone())
        .collect();
    for key in machines {
        state.fargate_machine_gone(&key);
    }
}

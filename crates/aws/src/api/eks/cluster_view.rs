//! How a cluster is shown.

use crate::model::State;
use crate::model::eks::{Authentication, Cluster as Of, ClusterStatus as Status};
use std::collections::BTreeSet;
use wire::Timestamp;
use wire::eks::*;

/// The logs that a control plane has.
const LOGS: [LogType; 5] = [
    LogType::Api,
    LogType::Audit,
    LogType::Authenticator,
    LogType::ControllerManager,
    LogType::Scheduler,
];

/// A cluster. What comes with its control plane is missing until that is there.
pub(super) fn wire_cluster(state: &State, of: &Of) -> Cluster {
    let ready = of.authority.is_some();
    Cluster {
        name: Some(of.key.name.clone()),
        arn: Some(of.arn(&state.settings.account)),
        created_at: Some(Timestamp(of.created)),
        version: Some(of.version.to_string()),
        endpoint: ready.then(|| of.endpoint_url()),
        role_arn: Some(of.role.clone()),
        resources_vpc_config: Some(network(of)),
        kubernetes_network_config: Some(KubernetesNetworkConfigResponse {
            service_ipv4_cidr: Some(of.service_cidr.to_string()),
            ip_family: Some(IpFamily::Ipv4),
            elastic_load_balancing: Some(ElasticLoadBalancing {
                enabled: Some(false),
            }),
            ..Default::default()
        }),
        logging: Some(logging(&of.logs)),
        identity: ready.then(|| Identity {
            oidc: Some(OIDC {
                issuer: Some(of.issuer()),
            }),
        }),
        status: Some(status(of.status)),
        certificate_authority: Some(Certificate {
            data: of.authority.clone(),
        }),
        client_request_token: of.token.clone(),
        platform_version: Some(of.version.platform()),
        tags: of.tags.clone(),
        health: Some(ClusterHealth::default()),
        access_config: Some(AccessConfigResponse {
            authentication_mode: Some(mode(of.authentication)),
            bootstrap_cluster_creator_admin_permissions: Some(of.creator_is_admin),
        }),
        upgrade_policy: Some(UpgradePolicyResponse {
            support_type: of.support.parse().ok(),
        }),
        deletion_protection: Some(of.deletion_protection),
        ..Default::default()
    }
}

fn status(of: Status) -> ClusterStatus {
    match of {
        Status::Creating => ClusterStatus::CREATING,
        Status::Active => ClusterStatus::ACTIVE,
        Status::Updating => ClusterStatus::UPDATING,
        Status::Deleting => ClusterStatus::DELETING,
        Status::Failed => ClusterStatus::FAILED,
    }
}

fn mode(of: Authentication) -> AuthenticationMode {
    match of {
        Authentication::ConfigMap => AuthenticationMode::CONFIGMAP,
        Authentication::ApiAndConfigMap => AuthenticationMode::APIANDCONFIGMAP,
        Authentication::Api => AuthenticationMode::API,
    }
}

fn network(of: &Of) -> VpcConfigResponse {
    let ids = |ids: &[crate::model::SecurityGroupId]| {
        let ids = ids.iter();
        ids.map(ToString::to_string).collect()
    };
    VpcConfigResponse {
        subnet_ids: of.subnets.iter().map(ToString::to_string).collect(),
        security_group_ids: ids(&of.security_groups),
        cluster_security_group_id: Some(of.cluster_group.to_string()),
        vpc_id: Some(of.vpc.to_string()),
        endpoint_public_access: Some(of.endpoint.public),
        endpoint_private_access: Some(of.endpoint.private),
        public_access_cidrs: of
            .endpoint
            .public_cidrs
            .iter()
            .map(ToString::to_string)
            .collect(),
    }
}

/// The logs that are on, and those that are off.
fn logging(on: &BTreeSet<String>) -> Logging {
    let setup = |enabled: bool| LogSetup {
        types: LOGS
            .into_iter()
            .filter(|kind| on.contains(kind.as_str()) == enabled)
            .collect(),
        enabled: Some(enabled),
    };
    let setups = [setup(true), setup(false)];
    Logging {
        cluster_logging: setups
            .into_iter()
            .filter(|setup| !setup.types.is_empty())
            .collect(),
    }
}

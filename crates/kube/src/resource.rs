//! Which kinds there are, and how they are named on the wire.

use crate::custom::Custom;
use std::borrow::Cow;
use std::sync::{Arc, OnceLock};

/// A kind of object as the API serves it.
#[derive(Clone, Debug, PartialEq)]
pub struct Resource {
    /// The group, empty for the core one.
    pub group: Cow<'static, str>,
    /// The version.
    pub version: Cow<'static, str>,
    /// The name in paths, `pods`.
    pub plural: Cow<'static, str>,
    /// The name of one, `pod`.
    pub singular: Cow<'static, str>,
    /// The kind, `Pod`.
    pub kind: Cow<'static, str>,
    /// Other names that clients take.
    pub short_names: Vec<Cow<'static, str>>,
    /// Whether its objects lie in namespaces.
    pub namespaced: bool,
    /// Names of several kinds at once, such as `all`.
    pub categories: Vec<Cow<'static, str>>,
    /// What there is below an object.
    pub subresources: Vec<Subresource>,
    /// Whether objects of it are kept; reviews, for one, are only answered.
    pub kept: bool,
    /// What a user's definition says of it, if it is one's.
    pub custom: Option<Arc<Custom>>,
}

/// Something below an object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Subresource {
    /// What the system says of the object.
    Status,
    /// How many there shall be.
    Scale,
    /// A pod's log.
    Log,
    /// Running a command in a pod.
    Exec,
    /// Its main process' streams.
    Attach,
    /// Connections to its ports.
    PortForward,
    /// Containers added for debugging.
    EphemeralContainers,
    /// Deletion that respects disruption budgets.
    Eviction,
    /// A pod's placement.
    Binding,
    /// A service account's token.
    Token,
    /// A namespace's last step.
    Finalize,
    /// Requests passed on to a pod, service or node.
    Proxy,
    /// What was decided on a request for a certificate.
    Approval,
}

impl Subresource {
    /// All of them.
    pub const ALL: [Self; 13] = [
        Self::Status,
        Self::Scale,
        Self::Log,
        Self::Exec,
        Self::Attach,
        Self::PortForward,
        Self::EphemeralContainers,
        Self::Eviction,
        Self::Binding,
        Self::Token,
        Self::Finalize,
        Self::Proxy,
        Self::Approval,
    ];

    /// Its name in paths.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Status => "status",
            Self::Scale => "scale",
            Self::Log => "log",
            Self::Exec => "exec",
            Self::Attach => "attach",
            Self::PortForward => "portforward",
            Self::EphemeralContainers => "ephemeralcontainers",
            Self::Eviction => "eviction",
            Self::Binding => "binding",
            Self::Token => "token",
            Self::Finalize => "finalize",
            Self::Proxy => "proxy",
            Self::Approval => "approval",
        }
    }

    /// The verbs it takes.
    pub fn verbs(self) -> &'static [&'static str] {
        match self {
            Self::Status | Self::Scale | Self::EphemeralContainers | Self::Approval => {
                &["get", "patch", "update"]
            }
            Self::Log => &["get"],
            Self::Exec | Self::Attach | Self::PortForward => &["create", "get"],
            Self::Eviction | Self::Binding | Self::Token => &["create"],
            Self::Finalize => &["update"],
            Self::Proxy => &["create", "delete", "get", "patch", "update"],
        }
    }
}

impl Resource {
    /// `v1` or `apps/v1`.
    pub fn api_version(&self) -> String {
        if self.group.is_empty() {
            self.version.to_string()
        } else {
            format!("{}/{}", self.group, self.version)
        }
    }

    /// Its name over all groups: `pods` or `deployments.apps`.
    pub fn qualified(&self) -> String {
        if self.group.is_empty() {
            self.plural.to_string()
        } else {
            format!("{}.{}", self.plural, self.group)
        }
    }

    /// The kind over all groups: `Pod` or `Deployment.apps`.
    pub fn qualified_kind(&self) -> String {
        if self.group.is_empty() {
            self.kind.to_string()
        } else {
            format!("{}.{}", self.kind, self.group)
        }
    }

    /// The name of its type in the schema's table.
    pub fn type_name(&self) -> String {
        let package = crate::schema::protobuf::package(&self.api_version());
        format!("{package}.{}", self.kind)
    }

    /// Whether it has something below its objects.
    pub fn has(&self, subresource: Subresource) -> bool {
        self.subresources.contains(&subresource)
    }

    /// The verbs it takes.
    pub fn verbs(&self) -> &'static [&'static str] {
        const ALL: [&str; 8] = [
            "create",
            "delete",
            "deletecollection",
            "get",
            "list",
            "patch",
            "update",
            "watch",
        ];
        if self.is_measured() {
            &["get", "list"]
        } else if self.kept {
            &ALL
        } else {
            &["create"]
        }
    }

    /// Whether its objects are made when they are asked for, from what kubelets measure.
    pub fn is_measured(&self) -> bool {
        self.group == crate::api::METRICS
    }
}

/// The groups in the order of their preference, each with its versions, the best first.
pub const GROUPS: [(&str, &[&str]); 19] = [
    ("", &["v1"]),
    ("apps", &["v1"]),
    ("events.k8s.io", &["v1"]),
    ("authentication.k8s.io", &["v1"]),
    ("authorization.k8s.io", &["v1"]),
    ("autoscaling", &["v2", "v1"]),
    ("batch", &["v1"]),
    ("networking.k8s.io", &["v1"]),
    ("policy", &["v1"]),
    ("rbac.authorization.k8s.io", &["v1"]),
    ("storage.k8s.io", &["v1"]),
    ("certificates.k8s.io", &["v1"]),
    ("admissionregistration.k8s.io", &["v1"]),
    ("apiextensions.k8s.io", &["v1"]),
    ("scheduling.k8s.io", &["v1"]),
    ("coordination.k8s.io", &["v1"]),
    ("discovery.k8s.io", &["v1"]),
    ("node.k8s.io", &["v1"]),
    ("metrics.k8s.io", &["v1beta1"]),
];

/// A line of the table below: group and version, plural, kind, short names, traits.
///
/// Traits: `n` namespaced, `a` category all, `r` only answered, then subresources by their names.
const TABLE: &str = "
v1 bindings Binding - nr
v1 configmaps ConfigMap cm n
v1 endpoints Endpoints ep n
v1 events Event ev n
v1 namespaces Namespace ns - status finalize
v1 nodes Node no - status proxy
v1 persistentvolumeclaims PersistentVolumeClaim pvc n status
v1 persistentvolumes PersistentVolume pv - status
v1 pods Pod po na status log exec attach portforward ephemeralcontainers eviction binding proxy
v1 podtemplates PodTemplate - n
v1 limitranges LimitRange limits n
v1 replicationcontrollers ReplicationController rc na status scale
v1 resourcequotas ResourceQuota quota n status
v1 secrets Secret - n
v1 serviceaccounts ServiceAccount sa n token
v1 services Service svc na status proxy
apps/v1 controllerrevisions ControllerRevision - n
apps/v1 daemonsets DaemonSet ds na status
apps/v1 deployments Deployment deploy na status scale
apps/v1 replicasets ReplicaSet rs na status scale
apps/v1 statefulsets StatefulSet sts na status scale
admissionregistration.k8s.io/v1 mutatingwebhookconfigurations MutatingWebhookConfiguration - -
admissionregistration.k8s.io/v1 validatingadmissionpolicies ValidatingAdmissionPolicy - - status
admissionregistration.k8s.io/v1 validatingadmissionpolicybindings ValidatingAdmissionPolicyBinding - -
admissionregistration.k8s.io/v1 validatingwebhookconfigurations ValidatingWebhookConfiguration - -
authentication.k8s.io/v1 selfsubjectreviews SelfSubjectReview - r
authentication.k8s.io/v1 tokenreviews TokenReview - r
authorization.k8s.io/v1 localsubjectaccessreviews LocalSubjectAccessReview - nr
authorization.k8s.io/v1 selfsubjectaccessreviews SelfSubjectAccessReview - r
authorization.k8s.io/v1 selfsubjectrulesreviews SelfSubjectRulesReview - r
authorization.k8s.io/v1 subjectaccessreviews SubjectAccessReview - r
autoscaling/v2 horizontalpodautoscalers HorizontalPodAutoscaler hpa na status
autoscaling/v1 horizontalpodautoscalers HorizontalPodAutoscaler hpa na status
batch/v1 cronjobs CronJob cj na status
batch/v1 jobs Job - na status
certificates.k8s.io/v1 certificatesigningrequests CertificateSigningRequest csr - status approval
node.k8s.io/v1 runtimeclasses RuntimeClass - -
networking.k8s.io/v1 ingressclasses IngressClass - -
networking.k8s.io/v1 ingresses Ingress ing n status
networking.k8s.io/v1 networkpolicies NetworkPolicy netpol n
policy/v1 poddisruptionbudgets PodDisruptionBudget pdb n status
rbac.authorization.k8s.io/v1 clusterrolebindings ClusterRoleBinding - -
rbac.authorization.k8s.io/v1 clusterroles ClusterRole - -
rbac.authorization.k8s.io/v1 rolebindings RoleBinding - n
rbac.authorization.k8s.io/v1 roles Role - n
storage.k8s.io/v1 storageclasses StorageClass sc -
apiextensions.k8s.io/v1 customresourcedefinitions CustomResourceDefinition crd,crds - status
scheduling.k8s.io/v1 priorityclasses PriorityClass pc -
coordination.k8s.io/v1 leases Lease - n
discovery.k8s.io/v1 endpointslices EndpointSlice - n
metrics.k8s.io/v1beta1 nodes NodeMetrics - r
metrics.k8s.io/v1beta1 pods PodMetrics - nr
";

/// The kinds that every cluster has. A kind that upstream acts on and Skylab doesn't yet is not among
/// them, so that nothing is accepted without effect.
pub fn built_in() -> &'static [Arc<Resource>] {
    static ALL: OnceLock<Vec<Arc<Resource>>> = OnceLock::new();
    ALL.get_or_init(|| TABLE.lines().filter_map(line).map(Arc::new).collect())
}

fn line(text: &'static str) -> Option<Resource> {
    let mut words = text.split(' ');
    let (group_version, plural, kind) = (words.next()?, words.next()?, words.next()?);
    let (short, traits) = (words.next()?, words.next()?);
    let (group, version) = group_version.split_once('/').unwrap_or(("", group_version));
    let short = short.split(',').filter(|name| *name != "-");
    Some(Resource {
        group: group.into(),
        version: version.into(),
        plural: plural.into(),
        singular: kind.to_lowercase().into(),
        kind: kind.into(),
        short_names: short.map(Cow::from).collect(),
        namespaced: traits.contains('n'),
        categories: if traits.contains('a') {
            vec!["all".into()]
        } else {
            Vec::new()
        },
        subresources: words
            .filter_map(|word| {
                Subresource::ALL
                    .into_iter()
                    .find(|sub| sub.as_str() == word)
            })
            .collect(),
        kept: !traits.contains('r'),
        custom: None,
    })
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::schema::Schema;

    /// K8S-API: every built-in kind has its type, and its group is served.
    #[test]
    fn every_kind_has_a_type() {
        for resource in built_in() {
            let served = GROUPS.iter().any(|(group, versions)| {
                *group == resource.group && versions.contains(&&*resource.version)
            });
            assert!(served, "{}", resource.qualified());
            let name = resource.type_name();
            // Definitions are checked by rules of their own.
            let own = resource.kind == "CustomResourceDefinition";
            assert!(own || Schema::get().find(&name).is_some(), "{name}");
        }
        assert_eq!(built_in().len(), TABLE.trim().lines().count());
    }
}

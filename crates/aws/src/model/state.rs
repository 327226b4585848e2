//! The account's state, its records and its source of ids.

use super::*;
use imbl::OrdMap;
use imbl::ordmap::DiffItem;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::borrow::Cow;
use std::sync::Arc;

/// A table of resources by id. Reading and cloning share; writing copies the path to one entry.
pub type Table<K, V> = OrdMap<K, Arc<V>>;

/// How fast a cloud's own waiting passes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Pace {
    /// As short as the work takes; timers run ten times faster, not below a second.
    #[default]
    Fast,
    /// The cloud's own times.
    Real,
}

impl Pace {
    /// How long a timer (a cooldown, an interval) runs, in seconds: ten times faster at the fast
    /// pace, but not below a second.
    pub fn timer(self, real: i64) -> i64 {
        match self {
            Self::Fast if real > 0 => (real / 10).max(1),
            _ => real,
        }
    }

    /// How long the cloud's own waiting takes, in seconds: none of it at the fast pace.
    pub fn waiting(self, real: i64) -> i64 {
        match self {
            Self::Fast => 0,
            Self::Real => real,
        }
    }
}

/// What is fixed when a lab's state is made.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Settings {
    /// The account's id, twelve digits.
    pub account: String,
    /// From it all ids are derived, so that equal histories give equal ids.
    pub seed: u64,
}

/// What a request brings besides its parameters.
#[derive(Clone, Debug)]
pub struct Context {
    /// The region asked, from the signature's scope.
    pub region: String,
    /// Now, in seconds since 1970.
    pub now: i64,
    /// The lab's pace.
    pub pace: Pace,
    /// Whether the cloud's default quotas hold (`--quotas none` lifts them).
    pub quotas: bool,
    /// Who asks, as an ARN.
    pub caller: String,
    /// Secret random bytes, fresh for each call: what private keys are made from.
    pub entropy: [u8; 32],
}

/// A changed record for the store: its table, its key and its new value as JSON, `None` when gone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RecordChange {
    /// The table's name.
    pub table: Cow<'static, str>,
    /// The record's key.
    pub key: String,
    /// The new value, or `None`.
    pub value: Option<Vec<u8>>,
}

/// A record that can't be read back.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// The table is not one of this version.
    #[error("the store has a table {0:?} that this version does not know")]
    UnknownTable(String),
    /// The value is damaged or of another version.
    #[error("record {key} of table {table} can't be read: {source}")]
    Record {
        /// The table.
        table: String,
        /// The record's key.
        key: String,
        /// What serde says.
        source: serde_json::Error,
    },
}

fn changes_of<K, V>(
    table: &'static str,
    old: &Table<K, V>,
    new: &Table<K, V>,
    out: &mut Vec<RecordChange>,
) where
    K: Ord + Clone + ToString,
    V: PartialEq + Serialize,
{
    if old.ptr_eq(new) {
        return;
    }
    for item in old.diff(new) {
        let (key, value) = match item {
            DiffItem::Add(key, value) => (key, Some(value)),
            DiffItem::Update {
                old: (_, before),
                new: (key, after),
            } if before != after => (key, Some(after)),
            DiffItem::Update { .. } => continue,
            DiffItem::Remove(key, _) => (key, None),
        };
        // A record is made of strings, numbers and lists: serde_json can't fail on it.
        let value = value.map(|value| serde_json::to_vec(value.as_ref()).unwrap_or_default());
        out.push(RecordChange {
            table: table.into(),
            key: key.to_string(),
            value,
        });
    }
}

macro_rules! tables {
    ($($(#[$doc:meta])* $name:ident: $key:ty => $value:ty,)*) => {
        /// The whole account. See the module's documentation.
        #[derive(Clone, Debug, PartialEq)]
        pub struct State {
            /// What is fixed for the lab.
            pub settings: Settings,
            /// How many ids have been made.
            pub ids_made: u64,
            $($(#[$doc])* pub $name: Table<$key, $value>,)*
        }

        impl State {
            /// An empty account: no default VPCs yet.
            pub fn empty(settings: Settings) -> Self {
                Self { settings, ids_made: 0, $($name: Table::new(),)* }
            }

            /// The records to write to turn `old` into `self`; the cost follows the difference.
            pub fn changes(&self, old: &Self) -> Vec<RecordChange> {
                let mut out = Vec::new();
                if self.settings != old.settings || self.ids_made != old.ids_made {
                    out.push(self.head());
                }
                $(changes_of(stringify!($name), &old.$name, &self.$name, &mut out);)*
                out
            }

            /// Takes one stored record back in.
            pub fn load(&mut self, table: &str, key: &str, value: &[u8]) -> Result<(), LoadError> {
                let failed = |source| LoadError::Record { table: table.to_owned(), key: key.to_owned(), source };
                match table {
                    "head" => {
                        let head: Head = serde_json::from_slice(value).map_err(failed)?;
                        self.settings = head.settings;
                        self.ids_made = head.ids_made;
                    }
                    $(stringify!($name) => {
                        let value = serde_json::from_slice(value).map_err(failed)?;
                        self.$name.insert(key.to_owned().into(), Arc::new(value));
                    })*
                    _ => return Err(LoadError::UnknownTable(table.to_owned())),
                }
                Ok(())
            }
        }
    };
}

#[derive(Serialize, Deserialize)]
struct Head {
    settings: Settings,
    ids_made: u64,
}

tables! {
    /// VPCs.
    vpcs: VpcId => vpc::Vpc,
    /// Subnets.
    subnets: SubnetId => subnet::Subnet,
    /// Route tables.
    route_tables: RouteTableId => route_table::RouteTable,
    /// Internet gateways.
    internet_gateways: InternetGatewayId => internet_gateway::InternetGateway,
    /// NAT gateways, deleted ones for a while too.
    nat_gateways: NatGatewayId => nat_gateway::NatGateway,
    /// Network interfaces.
    network_interfaces: NetworkInterfaceId => network_interface::NetworkInterface,
    /// Elastic IPs.
    elastic_ips: AllocationId => elastic_ip::ElasticIp,
    /// Security groups.
    security_groups: SecurityGroupId => security_group::SecurityGroup,
    /// Network ACLs.
    network_acls: NetworkAclId => network_acl::NetworkAcl,
    /// Managed prefix lists.
    prefix_lists: PrefixListId => prefix_list::PrefixList,
    /// DHCP option sets.
    dhcp_options: DhcpOptionsId => dhcp_options::DhcpOptions,
    /// Instances, terminated ones for a while too.
    instances: InstanceId => instance::Instance,
    /// Key pairs.
    key_pairs: KeyPairId => key_pair::KeyPair,
    /// Launch templates.
    launch_templates: LaunchTemplateId => launch_template::LaunchTemplate,
    /// EBS volumes.
    volumes: VolumeId => volume::Volume,
    /// Auto Scaling groups, by region and name.
    auto_scaling_groups: auto_scaling::GroupKey => auto_scaling::AutoScalingGroup,
    /// Scaling activities, by id.
    scaling_activities: String => auto_scaling::Activity,
    /// Application, network and gateway load balancers, by ARN.
    load_balancers: String => load_balancer::LoadBalancer,
    /// Their listeners, by ARN.
    listeners: String => load_balancer::Listener,
    /// Their listeners' rules, the default ones too, by ARN.
    listener_rules: String => load_balancer::Rule,
    /// Target groups, by ARN.
    target_groups: String => load_balancer::TargetGroup,
    /// What is registered with target groups.
    targets: load_balancer::TargetKey => load_balancer::Target,
    /// Classic load balancers, by region and name.
    classic_load_balancers: String => classic_load_balancer::ClassicLoadBalancer,
    /// ACM's certificates, by ARN.
    certificates: String => certificate::Certificate,
    /// EKS clusters, by region and name.
    eks_clusters: eks::ClusterKey => eks::Cluster,
    /// Their managed node groups, by cluster and name.
    eks_nodegroups: eks::PartKey => eks::Nodegroup,
    /// Their Fargate profiles, by cluster and name.
    eks_fargate_profiles: eks::PartKey => eks::FargateProfile,
    /// Their pods' machines of Fargate, by cluster and node's name.
    eks_fargate_machines: eks::PartKey => eks::FargateMachine,
    /// Their add-ons, by cluster and name.
    eks_addons: eks::PartKey => eks::Addon,
    /// Their updates, by cluster and id.
    eks_updates: eks::PartKey => eks::Update,
    /// Who may use their Kubernetes APIs, by cluster and principal.
    eks_access_entries: eks::PartKey => eks::AccessEntry,
    /// IAM's users, by name in small letters.
    iam_users: String => iam::User,
    /// Users' access keys, by id.
    iam_access_keys: String => iam::AccessKey,
    /// IAM's roles, by name in small letters.
    iam_roles: String => iam::Role,
    /// The account's managed policies, by ARN.
    iam_policies: String => iam::Policy,
    /// Instance profiles, by name in small letters.
    iam_instance_profiles: String => iam::InstanceProfile,
    /// OpenID Connect providers, by ARN.
    iam_oidc_providers: String => iam::OidcProvider,
    /// Systems Manager's parameters, by region and name.
    ssm_parameters: String => ssm::Parameter,
    /// Repositories for container images, by region and name.
    ecr_repositories: String => ecr::Repository,
    /// CloudFormation's stacks, deleted ones too, by ARN.
    stacks: String => ::cloudformation::Stack,
    /// Their change sets, by ARN.
    change_sets: String => cloudformation::ChangeSet,
    /// What can be launched, by region, where the user set it.
    capacity: String => capacity::Capacity,
    /// Idempotency tokens, by region, operation and token.
    client_tokens: String => client_token::ClientToken,
    /// Tags, by the resource's id.
    tags: String => tag::TagSet,
}

impl State {
    /// A new account, with a default VPC in every region, as AWS makes it.
    pub fn with_defaults(settings: Settings) -> Self {
        let mut state = Self::empty(settings);
        for region in region::REGIONS {
            let context = Context {
                region: region.name.to_owned(),
                now: 0,
                pace: Pace::Fast,
                quotas: false,
                caller: String::new(),
                entropy: [0; 32],
            };
            // Nothing is in an empty region that could be in the way.
            let made = vpc::create_default(&mut state, &context);
            debug_assert!(made.is_ok(), "{made:?}");
        }
        state
    }

    fn head(&self) -> RecordChange {
        let head = Head {
            settings: self.settings.clone(),
            ids_made: self.ids_made,
        };
        RecordChange {
            table: "head".into(),
            key: "head".to_owned(),
            value: serde_json::to_vec(&head).ok(),
        }
    }

    /// Seventeen fresh hexadecimal digits for an id.
    pub fn digits(&mut self) -> String {
        let mut digits = hex(&self.digest("id"));
        self.ids_made += 1;
        digits.replace_range(0..1, "0");
        digits.truncate(17);
        digits
    }

    /// Fresh bytes for something random that is not a secret (a MAC, an address to pick).
    pub fn bytes(&mut self) -> [u8; 32] {
        let bytes = self.digest("bytes");
        self.ids_made += 1;
        bytes
    }

    fn digest(&self, purpose: &str) -> [u8; 32] {
        let mut hash = Sha256::new();
        hash.update(self.settings.seed.to_be_bytes());
        hash.update(self.ids_made.to_be_bytes());
        hash.update(purpose.as_bytes());
        hash.finalize().into()
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

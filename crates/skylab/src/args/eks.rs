//! What is said of EKS clusters: eksctl's verbs and flags.

use clap::{ArgAction, Args, Subcommand};
use std::path::PathBuf;

#[derive(Debug, Subcommand)]
#[command(after_help = "\
As with eksctl, a cluster is a CloudFormation stack, and so is each node group. Everything goes through
the public APIs of AWS and Kubernetes.

Examples:
  skylab eks create cluster --name demo -N 3 --kubeconfig demo.yaml
  skylab eks create cluster -f cluster.yaml
  kubectl --kubeconfig demo.yaml get nodes
  skylab eks scale nodegroup --cluster demo --name ng-1 -N 4 -M 4
  skylab eks get nodegroup --cluster demo
  skylab eks delete cluster --name demo")]
pub(crate) enum Eks {
    /// Make a cluster or something of one
    #[command(subcommand)]
    Create(Create),
    /// Show clusters or what they have
    #[command(subcommand)]
    Get(Get),
    /// Change how many nodes there are
    #[command(subcommand)]
    Scale(Scale),
    /// Bring a cluster to another Kubernetes version
    #[command(subcommand)]
    Upgrade(Upgrade),
    /// Delete a cluster or something of one
    #[command(subcommand)]
    Delete(Delete),
    /// What is seldom needed
    #[command(subcommand)]
    Utils(Utils),
    /// Print the version of eksctl that this does as
    Version,
}

/// What can be made.
#[derive(Debug, Subcommand)]
pub(crate) enum Create {
    /// Make a cluster with a node group, from flags or a ClusterConfig file
    Cluster(Box<CreateCluster>),
    /// Add a node group
    #[command(alias = "ng")]
    Nodegroup(CreateGroup),
    /// Install an add-on of EKS
    Addon {
        /// The cluster
        #[arg(long)]
        cluster: String,
        /// The add-on
        #[arg(long)]
        name: String,
        /// Its version
        #[arg(long)]
        version: Option<String>,
        /// Its role
        #[arg(long)]
        service_account_role_arn: Option<String>,
        #[command(flatten)]
        place: Place,
    },
    /// Make a profile of Fargate
    #[command(alias = "fp")]
    Fargateprofile {
        /// The cluster
        #[arg(long, required_unless_present = "config_file")]
        cluster: Option<String>,
        /// The profile's name; one is made up if there is none
        #[arg(short = 'n', long)]
        name: Option<String>,
        /// The namespace of its pods
        #[arg(long, required_unless_present = "config_file")]
        namespace: Option<String>,
        /// Labels that its pods have, KEY=VALUE
        #[arg(short = 'l', long, value_delimiter = ',')]
        labels: Vec<String>,
        /// A ClusterConfig file: those of its profiles are made that aren't there
        #[arg(short = 'f', long, value_name = "FILE", conflicts_with_all = ["cluster", "namespace"])]
        config_file: Option<String>,
        #[command(flatten)]
        place: Place,
    },
    /// Let a principal of IAM into a cluster, by its map
    Iamidentitymapping {
        /// The cluster
        #[arg(long)]
        cluster: String,
        /// The principal: a role or a user
        #[arg(long)]
        arn: String,
        /// Whom Kubernetes knows it as
        #[arg(long, default_value = "")]
        username: String,
        /// Its groups
        #[arg(long)]
        group: Vec<String>,
        #[command(flatten)]
        place: Place,
    },
    /// Make a service account whose pods have a role of IAM
    Iamserviceaccount {
        /// The cluster
        #[arg(long)]
        cluster: String,
        /// The service account
        #[arg(long)]
        name: String,
        /// Its namespace
        #[arg(long, default_value = "default")]
        namespace: String,
        /// Policies of the role
        #[arg(long, value_delimiter = ',', required = true)]
        attach_policy_arn: Vec<String>,
        /// The role's name
        #[arg(long)]
        role_name: Option<String>,
        /// Make the role and not the account
        #[arg(long)]
        role_only: bool,
        /// Give the role to an account that is there
        #[arg(long)]
        override_existing_serviceaccounts: bool,
        /// Do it, not only say what would be done
        #[arg(long)]
        approve: bool,
        #[command(flatten)]
        place: Place,
    },
}

/// Where a cluster is.
#[derive(Clone, Debug, Args)]
pub(crate) struct Place {
    /// The region
    #[arg(short = 'r', long, default_value = eksctl::config::REGION)]
    pub(crate) region: String,
    /// The file for the kubeconfig
    #[arg(long, value_name = "FILE")]
    pub(crate) kubeconfig: Option<PathBuf>,
}

/// A node group by flags.
#[derive(Clone, Debug, Args)]
pub(crate) struct Group {
    /// The node group's name
    #[arg(long)]
    pub(crate) nodegroup_name: Option<String>,
    /// How many nodes
    #[arg(short = 'N', long)]
    pub(crate) nodes: Option<i64>,
    /// How many at least
    #[arg(short = 'm', long)]
    pub(crate) nodes_min: Option<i64>,
    /// How many at most
    #[arg(short = 'M', long)]
    pub(crate) nodes_max: Option<i64>,
    /// The nodes' instance type
    #[arg(short = 't', long, default_value = "m5.large")]
    pub(crate) node_type: String,
    /// The nodes' disks in GiB
    #[arg(long, default_value_t = 80)]
    pub(crate) node_volume_size: i64,
    /// Put the nodes into the private subnets
    #[arg(short = 'P', long)]
    pub(crate) node_private_networking: bool,
    /// The nodes' zones
    #[arg(long, value_delimiter = ',')]
    pub(crate) node_zones: Vec<String>,
    /// Whether EKS manages the group
    #[arg(long, action = ArgAction::Set, num_args = 0..=1, require_equals = true, default_value_t = true, default_missing_value = "true")]
    pub(crate) managed: bool,
}

/// A cluster by flags or by a file.
#[derive(Clone, Debug, Args)]
pub(crate) struct CreateCluster {
    /// Its name; one is made up if there is none
    #[arg(value_name = "NAME", conflicts_with = "name")]
    pub(crate) positional: Option<String>,
    /// Its name
    #[arg(short = 'n', long)]
    pub(crate) name: Option<String>,
    /// Its Kubernetes version
    #[arg(long, default_value = eksctl::config::KUBERNETES)]
    pub(crate) version: String,
    /// A ClusterConfig file, or - for standard input
    #[arg(short = 'f', long, value_name = "FILE", conflicts_with_all = ["name", "positional"])]
    pub(crate) config_file: Option<String>,
    /// Its zones, in order
    #[arg(long, value_delimiter = ',')]
    pub(crate) zones: Vec<String>,
    /// Its VPC's range
    #[arg(long)]
    pub(crate) vpc_cidr: Option<String>,
    /// Public subnets of a VPC that is there
    #[arg(long, value_delimiter = ',', value_name = "IDS", conflicts_with_all = ["vpc_cidr", "zones"])]
    pub(crate) vpc_public_subnets: Vec<String>,
    /// Private subnets of a VPC that is there
    #[arg(long, value_delimiter = ',', value_name = "IDS", conflicts_with_all = ["vpc_cidr", "zones"])]
    pub(crate) vpc_private_subnets: Vec<String>,
    /// Its NAT gateways: HighlyAvailable, Single or Disable
    #[arg(long, default_value = "Single", value_parser = ["HighlyAvailable", "Single", "Disable"])]
    pub(crate) vpc_nat_mode: String,
    /// Tags, KEY=VALUE
    #[arg(long, value_delimiter = ',')]
    pub(crate) tags: Vec<String>,
    /// Make IAM trust the cluster's tokens
    #[arg(long)]
    pub(crate) with_oidc: bool,
    /// Make no node group
    #[arg(long)]
    pub(crate) without_nodegroup: bool,
    /// Run pods of the namespaces default and kube-system on Fargate
    #[arg(long)]
    pub(crate) fargate: bool,
    /// Print the ClusterConfig instead
    #[arg(long)]
    pub(crate) dry_run: bool,
    #[command(flatten)]
    pub(crate) group: Group,
    #[command(flatten)]
    pub(crate) place: Place,
}

/// A node group of a cluster that is there.
#[derive(Clone, Debug, Args)]
pub(crate) struct CreateGroup {
    /// The cluster
    #[arg(long, required_unless_present = "config_file")]
    pub(crate) cluster: Option<String>,
    /// The node group's name
    #[arg(short = 'n', long)]
    pub(crate) name: Option<String>,
    /// A ClusterConfig file: those of its groups are made that aren't there
    #[arg(short = 'f', long, value_name = "FILE")]
    pub(crate) config_file: Option<String>,
    #[command(flatten)]
    pub(crate) group: Group,
    #[command(flatten)]
    pub(crate) place: Place,
}

/// What can be shown.
#[derive(Debug, Subcommand)]
pub(crate) enum Get {
    /// Show clusters
    #[command(alias = "clusters")]
    Cluster {
        /// Only this one
        #[arg(short = 'n', long)]
        name: Option<String>,
        #[command(flatten)]
        shown: Shown,
    },
    /// Show node groups
    #[command(aliases = ["nodegroups", "ng"])]
    Nodegroup {
        /// The cluster
        #[arg(long)]
        cluster: String,
        #[command(flatten)]
        shown: Shown,
    },
    /// Show add-ons
    #[command(alias = "addons")]
    Addon {
        /// The cluster
        #[arg(long)]
        cluster: String,
        #[command(flatten)]
        shown: Shown,
    },
    /// Show profiles of Fargate
    #[command(alias = "fp")]
    Fargateprofile {
        /// The cluster
        #[arg(long)]
        cluster: String,
        #[command(flatten)]
        shown: Shown,
    },
    /// Show whom principals of IAM are known as, by a cluster's map
    Iamidentitymapping {
        /// The cluster
        #[arg(long)]
        cluster: String,
        #[command(flatten)]
        shown: Shown,
    },
    /// Show service accounts with roles
    #[command(alias = "iamserviceaccounts")]
    Iamserviceaccount {
        /// The cluster
        #[arg(long)]
        cluster: String,
        #[command(flatten)]
        shown: Shown,
    },
}

/// How something is shown.
#[derive(Clone, Debug, Args)]
pub(crate) struct Shown {
    /// json, or table
    #[arg(short = 'o', long, default_value = "table", value_parser = ["table", "json"])]
    pub(crate) output: String,
    /// As JSON
    #[arg(long)]
    pub(crate) json: bool,
    #[command(flatten)]
    pub(crate) place: Place,
}

/// What can be scaled.
#[derive(Debug, Subcommand)]
pub(crate) enum Scale {
    /// Change how many nodes a group has
    #[command(alias = "ng")]
    Nodegroup {
        /// The cluster
        #[arg(long)]
        cluster: String,
        /// The node group
        #[arg(short = 'n', long)]
        name: String,
        /// How many nodes
        #[arg(short = 'N', long)]
        nodes: Option<i64>,
        /// How many at least
        #[arg(short = 'm', long)]
        nodes_min: Option<i64>,
        /// How many at most
        #[arg(short = 'M', long)]
        nodes_max: Option<i64>,
        #[command(flatten)]
        place: Place,
    },
}

/// What can be upgraded.
#[derive(Debug, Subcommand)]
pub(crate) enum Upgrade {
    /// Bring a cluster to another Kubernetes version
    Cluster {
        /// Its name
        #[arg(short = 'n', long)]
        name: String,
        /// The version; the next one if none is named
        #[arg(long)]
        version: Option<String>,
        /// Do it, not only say what would be done
        #[arg(long)]
        approve: bool,
        #[command(flatten)]
        place: Place,
    },
}

/// What can be deleted.
#[derive(Debug, Subcommand)]
pub(crate) enum Delete {
    /// Delete a cluster with all that was made for it
    Cluster {
        /// Its name
        #[arg(value_name = "NAME", conflicts_with = "name")]
        positional: Option<String>,
        /// Its name
        #[arg(short = 'n', long, required_unless_present = "positional")]
        name: Option<String>,
        /// Wait until everything is gone; it always does
        #[arg(short = 'w', long)]
        wait: bool,
        #[command(flatten)]
        place: Place,
    },
    /// Delete a node group
    #[command(alias = "ng")]
    Nodegroup {
        /// The cluster
        #[arg(long)]
        cluster: String,
        /// The node group
        #[arg(short = 'n', long)]
        name: String,
        #[command(flatten)]
        place: Place,
    },
    /// Remove an add-on
    Addon {
        /// The cluster
        #[arg(long)]
        cluster: String,
        /// The add-on
        #[arg(long)]
        name: String,
        #[command(flatten)]
        place: Place,
    },
    /// Delete a profile of Fargate
    #[command(alias = "fp")]
    Fargateprofile {
        /// The cluster
        #[arg(long)]
        cluster: String,
        /// The profile
        #[arg(short = 'n', long)]
        name: String,
        #[command(flatten)]
        place: Place,
    },
    /// Take a principal of IAM out of a cluster's map
    Iamidentitymapping {
        /// The cluster
        #[arg(long)]
        cluster: String,
        /// The principal
        #[arg(long)]
        arn: String,
        /// Take all its entries out
        #[arg(long)]
        all: bool,
        #[command(flatten)]
        place: Place,
    },
    /// Delete a service account and its role
    Iamserviceaccount {
        /// The cluster
        #[arg(long)]
        cluster: String,
        /// The service account
        #[arg(long)]
        name: String,
        /// Its namespace
        #[arg(long, default_value = "default")]
        namespace: String,
        #[command(flatten)]
        place: Place,
    },
}

/// What is seldom needed.
#[derive(Debug, Subcommand)]
pub(crate) enum Utils {
    /// Make IAM trust a cluster's tokens
    AssociateIamOidcProvider {
        /// The cluster
        #[arg(long)]
        cluster: String,
        /// Do it, not only say what would be done
        #[arg(long)]
        approve: bool,
        #[command(flatten)]
        place: Place,
    },
    /// Show a cluster's stacks
    DescribeStacks {
        /// The cluster
        #[arg(long)]
        cluster: String,
        #[command(flatten)]
        place: Place,
    },
    /// Write a cluster's kubeconfig
    WriteKubeconfig {
        /// The cluster
        #[arg(short = 'c', long)]
        cluster: String,
        #[command(flatten)]
        place: Place,
    },
}

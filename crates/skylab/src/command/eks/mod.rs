//! `skylab eks`: what eksctl does, against the lab.

mod means;
mod wishes;

use crate::args::{Create, Delete, Eks, Get, Utils};
use crate::failure::Failure;
use eksctl::config::{AccountName, Addon, ServiceAccount};
use eksctl::identity_mapping::{self, Mapping};
use eksctl::{
    Level, Means as _, change, create, delete, fargate, get, identity_provider, kubeconfig,
    service_account,
};
use lab::paths::StateDir;
use means::Host;

impl From<eksctl::Error> for Failure {
    fn from(error: eksctl::Error) -> Self {
        Self::new(1, error)
    }
}

pub(crate) fn run(state: &StateDir, eks: Eks) -> Result<u8, Failure> {
    match eks {
        Eks::Create(Create::Cluster(wanted)) => wishes::create_cluster(state, &wanted)?,
        Eks::Create(Create::Nodegroup(wanted)) => wishes::create_groups(state, &wanted)?,
        Eks::Create(wanted @ Create::Fargateprofile { .. }) => {
            wishes::create_profiles(state, wanted)?;
        }
        Eks::Create(other) => create_other(state, other)?,
        Eks::Get(wanted) => show(state, wanted)?,
        Eks::Scale(crate::args::Scale::Nodegroup {
            cluster,
            name,
            nodes,
            nodes_min,
            nodes_max,
            place,
        }) => {
            let host = Host::open(state, &place)?;
            change::scale(&host, &cluster, &name, (nodes_min, nodes, nodes_max))?;
        }
        Eks::Upgrade(crate::args::Upgrade::Cluster {
            name,
            version,
            approve,
            place,
        }) => {
            let host = Host::open(state, &place)?;
            change::upgrade(&host, &name, version.as_deref(), approve)?;
        }
        Eks::Delete(wanted) => remove(state, wanted)?,
        Eks::Utils(wanted) => help_out(state, wanted)?,
        Eks::Version => println!("{}", eksctl::VERSION),
    }
    Ok(0)
}

fn create_other(state: &StateDir, wanted: Create) -> Result<(), Failure> {
    match wanted {
        Create::Cluster(_) | Create::Nodegroup(_) | Create::Fargateprofile { .. } => {}
        Create::Iamidentitymapping {
            cluster,
            arn,
            username,
            group,
            place,
        } => {
            let mapping = Mapping::of(&arn, username, group)?;
            identity_mapping::create(&Host::open(state, &place)?, &cluster, &mapping)?;
        }
        Create::Addon {
            cluster,
            name,
            version,
            service_account_role_arn,
            place,
        } => {
            let addon = Addon {
                name,
                version,
                role_arn: service_account_role_arn,
                configuration_values: None,
            };
            create::addon(&Host::open(state, &place)?, &cluster, &addon)?;
        }
        Create::Iamserviceaccount {
            cluster,
            name,
            namespace,
            attach_policy_arn,
            role_name,
            role_only,
            override_existing_serviceaccounts,
            approve,
            place,
        } => {
            let account = ServiceAccount {
                metadata: AccountName { name, namespace },
                attach_policy_arns: attach_policy_arn,
                role_name,
                role_only,
            };
            let host = Host::open(state, &place)?;
            if !approve {
                host.say(
                    Level::Warning,
                    "no changes were applied, run again with '--approve' to apply the changes",
                );
                return Ok(());
            }
            let overriding = override_existing_serviceaccounts;
            service_account::create(&host, &cluster, &account, overriding)?;
        }
    }
    Ok(())
}

fn show(state: &StateDir, wanted: Get) -> Result<(), Failure> {
    let shown = match &wanted {
        Get::Cluster { shown, .. }
        | Get::Nodegroup { shown, .. }
        | Get::Addon { shown, .. }
        | Get::Fargateprofile { shown, .. }
        | Get::Iamidentitymapping { shown, .. }
        | Get::Iamserviceaccount { shown, .. } => shown.clone(),
    };
    let json = shown.json || shown.output == "json";
    let host = Host::open(state, &shown.place)?;
    match wanted {
        Get::Cluster { name, .. } => {
            get::clusters(&host, &shown.place.region, name.as_deref(), json)?;
        }
        Get::Nodegroup { cluster, .. } => get::node_groups(&host, &cluster, json)?,
        Get::Addon { cluster, .. } => get::addons(&host, &cluster, json)?,
        Get::Fargateprofile { cluster, .. } => get::fargate_profiles(&host, &cluster, json)?,
        Get::Iamidentitymapping { cluster, .. } => get::identity_mappings(&host, &cluster, json)?,
        Get::Iamserviceaccount { cluster, .. } => get::service_accounts(&host, &cluster, json)?,
    }
    Ok(())
}

fn remove(state: &StateDir, wanted: Delete) -> Result<(), Failure> {
    match wanted {
        Delete::Cluster {
            positional,
            name,
            place,
            ..
        } => {
            let name = name.or(positional).unwrap_or_default();
            delete::cluster(&Host::open(state, &place)?, &name)?;
        }
        Delete::Nodegroup {
            cluster,
            name,
            place,
        } => delete::node_group(&Host::open(state, &place)?, &cluster, &name)?,
        Delete::Addon {
            cluster,
            name,
            place,
        } => delete::addon(&Host::open(state, &place)?, &cluster, &name)?,
        Delete::Fargateprofile {
            cluster,
            name,
            place,
        } => fargate::delete(&Host::open(state, &place)?, &cluster, &name)?,
        Delete::Iamidentitymapping {
            cluster,
            arn,
            all,
            place,
        } => identity_mapping::delete(&Host::open(state, &place)?, &cluster, &arn, all)?,
        Delete::Iamserviceaccount {
            cluster,
            name,
            namespace,
            place,
        } => service_account::delete(&Host::open(state, &place)?, &cluster, &namespace, &name)?,
    }
    Ok(())
}

fn help_out(state: &StateDir, wanted: Utils) -> Result<(), Failure> {
    match wanted {
        Utils::AssociateIamOidcProvider {
            cluster,
            approve,
            place,
        } => {
            let host = Host::open(state, &place)?;
            if approve {
                identity_provider::associate(&host, &cluster)?;
            } else {
                host.say(
                    Level::Info,
                    &format!(
                        "(plan) would create IAM Open ID Connect provider for cluster \"{cluster}\""
                    ),
                );
                host.say(
                    Level::Warning,
                    "no changes were applied, run again with '--approve' to apply the changes",
                );
            }
        }
        Utils::DescribeStacks { cluster, place } => {
            get::stacks(&Host::open(state, &place)?, &cluster)?;
        }
        Utils::WriteKubeconfig { cluster, place } => {
            let host = Host::open(state, &place)?;
            kubeconfig::write(&host, &cluster, &place.region)?;
        }
    }
    Ok(())
}

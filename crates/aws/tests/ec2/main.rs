//! The EC2 API as its callers see it: parameters in, documents and AWS's own errors out. No lab, no
//! network, no clock.

#![allow(clippy::unwrap_used)]

mod account;
mod address;
mod authorization;
mod auto_scaling;
mod balanced;
mod certificate;
mod classic_load_balancer;
mod eks_access;
mod eks_addon;
mod eks_cluster;
mod eks_ground;
mod eks_nodegroup;
mod eks_packets;
mod filtering;
mod fuzz;
mod ground;
mod iam;
mod identity;
mod instance;
mod kubernetes_node;
mod listener_rule;
mod load_balancer;
mod network;
mod parameters;
mod refusals;
mod registry;
mod routing;
mod rule_action;
mod scaling_balanced;

mod sequences;
mod target_group;
mod template;
mod tokens;
mod volume;

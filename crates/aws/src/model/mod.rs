//! AWS's resources and the rules that hold between them.
//!
//! [`State`] is the whole account over all regions, a value of shared maps: cloning it is cheap, an
//! operation works on a clone and the clone is kept only when it succeeds, so a refused request
//! changes nothing. Two states can be compared by what differs ([`State::changes`]): that is what
//! the store writes and what the compiler compiles.

pub mod auto_scaling;
pub mod capacity;
pub mod certificate;
pub mod classic_load_balancer;
pub mod client_token;
pub mod cloudformation;
pub mod dhcp_options;
pub mod ecr;
pub mod eks;
pub mod elastic_ip;
pub mod error;
pub mod hostname;
pub mod iam;
pub mod id;
pub mod image;
pub mod instance;
pub mod instance_type;
pub mod internet_gateway;
pub mod key_pair;
pub mod launch_template;
pub mod load_balancer;
pub mod nat_gateway;
pub mod network_acl;
pub mod network_interface;
pub mod prefix_list;
pub mod quota;
pub mod region;
pub mod regional;
pub mod route_table;
pub mod security_group;
pub mod ssm;
pub mod state;
pub mod subnet;
pub mod tag;
pub mod transitions;
pub mod volume;
pub mod vpc;

pub use error::Refusal;
pub use id::*;
pub use state::{Context, Pace, RecordChange, Settings, State, Table};

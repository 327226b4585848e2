//! A container runtime for a Kubernetes node that is a guest of the lab: what [`cri::Runtime`] asks for,
//! by `kernel::container`.
//!
//! [`NodeRuntime`] keeps one node's sandboxes and containers; [`Hub`] is the thread that watches what all
//! containers of a lab print, and that they end. Images come from a [`RootSource`]; the built-in one
//! ([`HOST_IMAGE`]) needs none. Pods' networks are made by the CNI plugins that the node's files configure.
//!
//! Words that users see are containerd's and runc's.

mod arguments;
mod cni;
mod container;
mod files;
mod hub;
mod image;
mod log;
mod node;
mod output;
mod program;
mod sandbox;
mod words;

pub use hub::Hub;
pub use image::{
    HOST_IMAGE, HOST_IMAGE_ID, ImageConfig, ImageFiles, ImageRoot, RootSource, host_image,
    is_host_image,
};
pub use node::{NodeOptions, NodeRuntime};

//! Network plugins that keep to the Container Network Interface, version 1.1 and those before it from
//! 0.3.1 on: a container runtime starts them with `CNI_*` in their environment and their configuration
//! on standard input, and reads a result or an error from standard output.
//! <https://www.cni.dev/docs/spec/>
//!
//! * [`ptp`]: `skylab-ptp`, a routed veth a pod with an address from the node's range. It is what plain
//!   clusters use;
//! * [`portmap`]: `skylab-portmap`, ports of the node that lead to a pod's.
//!
//! [`run`] does what all plugins share; a plugin is a [`Plugin`].

mod addresses;
mod call;
mod error;
mod mappings;
pub mod portmap;
pub mod ptp;
mod result;

pub use addresses::{AddressError, Addresses};
pub use call::{Call, Command, Plugin, run};
pub use error::PluginError;
pub use result::{Interface, Ip, Outcome};

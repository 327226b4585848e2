//! OCI images for the nodes of Kubernetes clusters: their names, where they come from, and their layers
//! unpacked for overlayfs.
//!
//! * [`ImageStore`] is a directory of images on the machine. What a user imports into it (an OCI image
//!   layout or an archive) every node has.
//! * [`NodeImages`] is what one node has: that, and what it pulled from registries by its own network.
//! * [`ImageBuilder`] makes images of directories and files, the same bytes each time.

mod build;
mod compression;
mod config;
mod digest;
mod document;
mod import;
mod layer;
mod node;
mod reference;
mod registry;
#[cfg(test)]
mod scratch;
mod store;
mod tar;
mod user;

pub use build::ImageBuilder;
pub use config::ImageConfig;
pub use digest::{Digest, InvalidDigest};
pub use document::{Descriptor, Platform};
pub use node::NodeImages;
pub use reference::{Reference, Version};
pub use registry::{CertificateError, Dial, Direct, Registries};
pub use store::{Blobs, ImageStore, Incoming, StoreError, Unpacked};
pub use user::{Identity, UserError};

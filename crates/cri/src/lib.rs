//! What a kubelet asks of whatever runs containers on its node: the Container Runtime Interface
//! (`runtime.v1`) as Rust values and two traits, [`Runtime`] and [`Images`].
//! <https://github.com/kubernetes/cri-api/blob/master/pkg/apis/runtime/v1/api.proto>
//!
//! * A **sandbox** is a pod's place: its network (made by CNI), host name and ipc namespace.
//! * A **container** is a program in a sandbox, with a file system and processes of its own.
//!
//! Calls block until done; a caller on an async runtime makes them on a thread for blocking work.
//! Not modelled: Windows, user namespaces of pods, checkpoints, device plugins.

mod container;
mod image;
mod runtime;
mod sandbox;

pub use container::{
    Capabilities, Container, ContainerId, ContainerSpec, ContainerState, Mount, MountSource,
    Propagation, Resources, RunAs, Usage,
};
pub use image::{Credentials, Image, ImageError, ImageId, Images};
pub use runtime::{Event, ExecSpec, Process, Runtime, RuntimeError, Streams};
pub use sandbox::{Dns, HostPort, PortProtocol, Sandbox, SandboxId, SandboxSpec, Spaces};

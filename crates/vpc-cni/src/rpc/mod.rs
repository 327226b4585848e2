//! What the plugin and the agent say to each other: gRPC over a socket in the node's files, with
//! upstream's messages.
//! <https://github.com/aws/amazon-vpc-cni-k8s/blob/master/rpc/rpc.proto>

pub mod client;
mod frame;
pub mod message;
pub mod probe;
mod protobuf;
pub mod server;

/// The socket, as the agent and the plugin both see it.
pub const SOCKET: &str = "/var/run/aws-node/ipamd.sock";
/// Both must be of the same version.
pub const VERSION: &str = concat!("skylab-", env!("CARGO_PKG_VERSION"));

const ADD: &str = "/rpc.CNIBackend/AddNetwork";
const DELETE: &str = "/rpc.CNIBackend/DelNetwork";
const HEALTH: &str = "/grpc.health.v1.Health/Check";
/// The service that the agent's health is asked of.
pub const HEALTH_SERVICE: &str = "grpc.health.v1.aws-node";

/// gRPC's codes that are used here.
/// <https://grpc.github.io/grpc/core/md_doc_statuscodes.html>
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Code {
    /// All is well.
    Ok = 0,
    /// The request can't be read.
    InvalidArgument = 3,
    /// There is no such service.
    NotFound = 5,
    /// Client and server don't go together.
    FailedPrecondition = 9,
    /// There is no such method.
    Unimplemented = 12,
    /// Something else failed.
    Internal = 13,
}

/// A call that was answered with an error.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("rpc error: code = {code} desc = {message}")]
pub struct Status {
    /// gRPC's code as a number.
    pub code: u32,
    /// In words.
    pub message: String,
}

impl Status {
    /// An error.
    pub fn new(code: Code, message: impl Into<String>) -> Self {
        Self {
            code: code as u32,
            message: message.into(),
        }
    }
}

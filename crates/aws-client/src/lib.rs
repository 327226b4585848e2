//! Calls of AWS's public APIs, for programs that run on instances and in pods.
//!
//! * [`http`]: requests and answers, over connections that are kept;
//! * [`imds`]: an instance's metadata service; [`instance`]: the keys of its role;
//! * [`Aws`]: whoever can make a call; [`Client`]: one that signs with its role's session ([`Credentials`]);
//! * [`answer`]: what answers hold.

pub mod answer;
mod client;
mod credentials;
pub mod http;
pub mod imds;
pub mod instance;
mod sign;
mod web_identity;

pub use client::Client;
pub use credentials::{Credentials, CredentialsError, Provider};
pub use sign::{Signed, host, signed};

use std::future::Future;
use wire::call::Call;
use wire::error::ApiError;

/// Whoever can call AWS's public APIs in a region, as somebody.
pub trait Aws: Send + Sync {
    /// Makes a call; answers are as [`wire::call::read`] gives them.
    ///
    /// # Errors
    /// AWS's own; `RequestError` where there is no answer.
    fn call(&self, call: Call) -> impl Future<Output = Result<serde_json::Value, ApiError>> + Send;
}

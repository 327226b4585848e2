//! A client of Kubernetes' API for programs of a cluster: kubelets, service proxies, name servers,
//! controllers. It uses nothing but the API, over TLS, from wherever its connections are made.
//!
//! * [`Config`]: where the API is and who asks; from a pod's service account, or said outright.
//! * [`Client`]: requests. Objects are JSON values.
//! * [`Watch`]: changes as they come; [`Mirror`]: what there is, kept up to date.
//!
//! <https://kubernetes.io/docs/reference/using-api/api-concepts/>
//!
//! Not modelled: protobuf bodies, HTTP/2, exec and port-forward.

mod client;
mod config;
mod connection;
mod error;
mod mirror;
mod watch;

pub use client::{Client, Patch};
pub use config::{Config, ConfigError, Credential, Dial, Direct, Tokens};
pub use error::Error;
pub use mirror::{Mirror, Objects, key};
pub use watch::{Change, Watch};

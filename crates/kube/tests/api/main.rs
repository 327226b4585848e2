//! The API server over TLS on loopback: callers, kubelets and webhooks around it.
#![allow(clippy::unwrap_used)]

mod identity;
mod kubectl;
mod relay;
mod wire;
mod world;

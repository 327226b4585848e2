//! The API server over TLS on loopback: callers, kubelets and webhooks around it.
#![allow(clippy::unwrap_used)]

mod commands;
mod identity;
mod kubectl;
mod metrics;
mod relay;
mod wire;
mod world;

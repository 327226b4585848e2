//! The API server over TLS on loopback: callers, kubelets and webhooks around it.
#![allow(clippy::unwrap_used)]

mod audit;
mod commands;
mod identity;
mod kubectl;
mod metrics;
mod relay;
mod webhooks;
mod wire;
mod world;

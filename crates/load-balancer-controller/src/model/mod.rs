//! What is to be there: objects of Kubernetes made into load balancers, without any call.

pub mod action;
pub mod annotation;
mod auth;
mod backend;
mod build;
pub mod class;
pub mod condition;
mod error;
mod listener;
pub mod name;
pub mod object;
mod optimize;
mod rule;
mod security;
pub mod service;
pub mod stack;
mod subnet;
pub mod surround;
mod target;
#[cfg(test)]
mod tests;

pub use build::{Settings, build};
pub use error::BuildError;

use class::Params;
use object::{Ingress, Service};

/// An ingress of a group, with its class' parameters.
#[derive(Clone, Debug)]
pub struct Member<'a> {
    /// The ingress.
    pub ingress: &'a Ingress,
    /// The parameters.
    pub params: Option<&'a Params>,
}

/// Finds services.
pub trait Services {
    /// The service of a namespace with a name.
    fn service(&self, namespace: &str, name: &str) -> Option<Service>;
}

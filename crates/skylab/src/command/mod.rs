//! The commands.

pub(crate) mod capacity;
pub(crate) mod capture;
pub(crate) mod demo;
pub(crate) mod down;
pub(crate) mod eks;
pub(crate) mod env;
pub(crate) mod exec;
pub(crate) mod explain;
pub(crate) mod image;
pub(crate) mod kube;
pub(crate) mod metrics;
pub(crate) mod reset;
pub(crate) mod shell;
pub(crate) mod snapshot;
pub(crate) mod status;
pub(crate) mod up;

//! The EC2 API as its callers see it: parameters in, documents and AWS's own errors out. No lab, no
//! network, no clock.

#![allow(clippy::unwrap_used)]

mod account;
mod address;
mod auto_scaling;
mod filtering;
mod fuzz;
mod instance;
mod network;
mod parameters;
mod refusals;
mod routing;
mod sequences;
mod template;
mod tokens;

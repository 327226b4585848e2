//! AWS in Skylab.
//!
//! * [`model`]: resources and their rules. Pure: a request changes a [`model::State`] or answers
//!   with AWS's error and changes nothing.
//! * [`api`]: the operations on the wire, one file a resource family; each turns a generated
//!   request type into calls of the model and the model into a generated response type.
//! * [`Moment`]: what time brings by itself, Auto Scaling's doings among it.
//! * [`identity`]: who calls: keys, sessions, others' tokens; [`authorize`]: what a request asks of the caller's policies.
//! * [`policy`]: IAM's policy language: what documents allow, apart from all services.
//! * [`compile`]: the model as a fabric.
//! * [`explain`]: a trace in AWS's words.
//!
//! A resource has one name in all three: `route_table` is `model::route_table`,
//! `api::route_table` and `compile::route_table`.

pub mod api;
pub mod authorize;
pub mod compile;
pub mod explain;
pub mod identity;
pub mod model;
mod moment;
pub mod policy;

pub use moment::Moment;

//! The same with balancers over a generated account's fabric: what passes packets on and what ends
//! connections, with members of every state, and changes of all of it.

mod build;
pub mod compare;
pub mod generate;
mod probe;
mod relay;
pub mod scenario;

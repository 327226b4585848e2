//! Hand-built fabrics and what `walk` says of them.

#![allow(clippy::unwrap_used)]

mod balancers;
mod cluster;
mod drops;
mod policies;
mod services;
mod shapes;
mod world;

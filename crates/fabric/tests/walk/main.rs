//! Hand-built fabrics and what `walk` says of them.

#![allow(clippy::unwrap_used)]

mod drops;
mod shapes;
mod world;

//! The command itself, from outside: a lab of its own, AWS's API by signed HTTP, real packets.
//!
//! Where user namespaces are forbidden these tests say so and pass, unless
//! `SKYLAB_REQUIRE_NAMESPACES` is set.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::print_stderr)]

mod api;
mod cluster;
mod eks;
mod flags;
mod guard;
mod ingress;
mod instances;
mod kube;
mod lab;
mod load_balancers;
mod nodes;
mod outside;
mod pod_capture;
mod scaling;
mod service_load_balancer;
mod sigkill;
mod slice;
mod snapshot;
mod stacks;
mod terraform;
mod walkthrough;

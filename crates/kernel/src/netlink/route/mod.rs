//! rtnetlink: links, addresses, routes, rules and neighbours.

pub(crate) mod address;
pub(crate) mod link;
pub(crate) mod neighbour;
#[allow(
    clippy::module_inception,
    reason = "a route is what the protocol is named after"
)]
pub(crate) mod route;
pub(crate) mod rule;

/// Makes a new thing and refuses where there is one.
const NEW: i32 = libc::NLM_F_CREATE | libc::NLM_F_EXCL;
/// Makes a thing or takes the place of the one there is.
const PUT: i32 = libc::NLM_F_CREATE | libc::NLM_F_REPLACE;

#[cfg(test)]
mod tests;

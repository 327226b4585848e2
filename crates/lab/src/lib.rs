//! The running lab.
//!
//! One process, pid 1 of namespaces of its own ([`kernel::launch`]), with two sides: it keeps the
//! host's network namespace for loopback listeners only, and its threads enter the lab's places.
//!
//! * [`paths`], [`lock`], [`credentials`], [`authority`], [`store`], [`private_file`]: what a state
//!   directory holds; [`snapshot`]: all of it as one file;
//! * [`cloud`]: the one task that owns the account: carry out, commit, compile, apply, answer;
//! * [`http`]: the clouds' APIs, and [`client`] a caller of them; [`control`]: the commands;
//!   `proxy`: the proxy (SOCKS5, CONNECT);
//! * [`internet`], [`names`], [`metadata`], [`clock`], [`presence`]: what the lab is to its networks;
//! * [`guests`], [`place`]: who runs where; [`explain`]: why a packet got through or did not;
//!   [`capture`]: the packets themselves; [`metrics`]: how it fares; `balancers`: load balancers' nodes;
//! * [`run`]: all of it, from start to end.

pub mod authority;
mod balancers;
mod caller;
pub mod capture;
pub mod client;
pub mod clock;
pub mod cloud;
pub mod clusters;
pub mod control;
pub mod credentials;
pub mod entropy;
pub mod explain;
pub mod guests;
pub mod http;
pub mod internet;
pub mod issuers;
pub mod lock;
pub mod log;
pub mod metadata;
pub mod metrics;
pub mod names;
pub mod paths;
pub mod place;
pub mod presence;
pub mod private_file;
mod proxy;
pub mod run;
pub mod snapshot;
mod socket;
mod stacks;
pub mod store;
pub mod uplink;

//! `skylab demo`: the chapter's walkthroughs on real packets, from start to cleanup.
//!
//! A demo uses the lab as anybody would: the cloud's own API, programs run at places, `explain`. Each
//! claim is tried with packets and asked of the model; a demo fails when the two disagree or either
//! isn't as the chapter has it.

pub(crate) mod eks;
mod figure;
mod proof;
mod stage;
mod vpc;

pub(crate) mod probe;

pub(crate) use vpc::run as vpc;

//! `skylab demo`: the chapter's walkthroughs.

use crate::args::{Demo, Walkthrough};
use crate::demo;
use crate::failure::Failure;
use lab::paths::StateDir;

pub(crate) fn run(state: Option<&StateDir>, args: &Demo) -> Result<u8, Failure> {
    match args.walkthrough {
        Walkthrough::Vpc => demo::vpc(state, args.keep),
        Walkthrough::Eks => demo::eks::run(state, args.keep),
    }
}

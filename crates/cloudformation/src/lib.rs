//! CloudFormation without input or output.
//!
//! * [`document`]: JSON and YAML with the short forms of functions, as one value; [`template`]: what it
//!   declares, checked; [`parameter`]: values against their declarations.
//! * [`scope`]: what functions, references and conditions give.
//! * [`kind`]: a description of every resource type: its properties, and the calls of the public APIs that make,
//!   change and delete one. One file a family.
//! * [`stack`]: a stack as a state machine: which resources can go on now, by which call; what an answer
//!   changes. Whoever runs it makes the calls and keeps the record.
//!
//! <https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/introduction.html>

mod cidr;
pub mod document;
mod error;
mod graph;
pub mod kind;
pub mod parameter;
pub mod scope;
pub mod stack;
pub mod step;
pub mod template;

pub use error::TemplateError;
pub use stack::Stack;
pub use step::{Step, Verdict};
pub use template::Template;

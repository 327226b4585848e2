//! The clouds' wire protocols.
//!
//! * [`acm`], [`autoscaling`], [`cloudformation`], [`ec2`], [`ecr`], [`eks`], [`elb`], [`elbv2`], [`iam`], [`ssm`], [`sts`]: AWS's services, a type for every request and response of the operations that
//!   Skylab has, generated from AWS's published service models;
//! * [`query`]: parameters of a form or query string as a tree; [`xml`]: responses; [`json`]: the protocol that
//!   speaks JSON both ways; [`rest_json`]: the one that has paths besides;
//! * [`sigv4`]: signatures, checked and made;
//! * [`error`]: errors as each protocol writes them; [`filters`] and [`pagination`]: what Describe
//!   operations share.
//!
//! ## Adding an operation
//! Name it, with the request members that will be honoured, in `xtask/services/<service>.txt`; run
//! `cargo run -p xtask -- generate <botocore's data folder>`; write its handler. A member that isn't
//! named is refused with `UnsupportedOperation`, so nothing is silently ignored.

pub mod call;
mod enumeration;
pub mod error;
pub mod filters;
pub mod json;
mod map;
pub mod pagination;
pub mod query;
pub mod rest_json;
pub mod shape;
pub mod sigv4;
pub mod xml;

/// AWS Certificate Manager, version 2015-12-08.
#[allow(missing_docs, unused_imports, unreachable_pub)]
#[path = "generated/acm/mod.rs"]
pub mod acm;

/// Auto Scaling, version 2011-01-01.
#[allow(missing_docs, unused_imports, unreachable_pub)]
#[path = "generated/autoscaling/mod.rs"]
pub mod autoscaling;

/// AWS CloudFormation, version 2010-05-15.
#[allow(missing_docs, unused_imports, unreachable_pub)]
#[path = "generated/cloudformation/mod.rs"]
pub mod cloudformation;

/// Amazon EC2, version 2016-11-15.
#[allow(missing_docs, unused_imports, unreachable_pub)]
#[path = "generated/ec2/mod.rs"]
pub mod ec2;

/// Elastic Container Registry, version 2015-09-21.
#[allow(missing_docs, unused_imports, unreachable_pub)]
#[path = "generated/ecr/mod.rs"]
pub mod ecr;

/// Amazon EKS, version 2017-11-01.
#[allow(missing_docs, unused_imports, unreachable_pub)]
#[path = "generated/eks/mod.rs"]
pub mod eks;

/// Elastic Load Balancing, version 2012-06-01: classic load balancers.
#[allow(missing_docs, unused_imports, unreachable_pub)]
#[path = "generated/elb/mod.rs"]
pub mod elb;

/// Elastic Load Balancing, version 2015-12-01: application, network and gateway load balancers.
#[allow(missing_docs, unused_imports, unreachable_pub)]
#[path = "generated/elbv2/mod.rs"]
pub mod elbv2;

/// AWS Identity and Access Management, version 2010-05-08.
#[allow(missing_docs, unused_imports, unreachable_pub)]
#[path = "generated/iam/mod.rs"]
pub mod iam;

/// AWS Systems Manager, version 2014-11-06.
#[allow(missing_docs, unused_imports, unreachable_pub)]
#[path = "generated/ssm/mod.rs"]
pub mod ssm;

/// AWS Security Token Service, version 2011-06-15.
#[allow(missing_docs, unused_imports, unreachable_pub)]
#[path = "generated/sts/mod.rs"]
pub mod sts;

pub use shape::{Blob, Timestamp};

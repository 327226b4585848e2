//! Calls of AWS's APIs, with what was being done in their errors.

use crate::failure::Failure;
use serde_json::Value;
use wire::call::{Call, Service};

pub use aws_client::Aws;
pub(crate) use aws_client::answer::{filter, list, tag, text, texts};

/// Calls of one cluster's.
pub(crate) struct Calls<'a, A>(pub(crate) &'a A);

impl<A: Aws> Calls<'_, A> {
    /// An operation of EC2.
    pub(crate) async fn ec2(
        &self,
        doing: &'static str,
        operation: &str,
        parameters: Value,
    ) -> Result<Value, Failure> {
        self.make(Service::Ec2, doing, operation, parameters).await
    }

    /// An operation of classic load balancers.
    pub(crate) async fn classic(
        &self,
        doing: &'static str,
        operation: &str,
        parameters: Value,
    ) -> Result<Value, Failure> {
        let service = Service::ClassicLoadBalancing;
        self.make(service, doing, operation, parameters).await
    }

    async fn make(
        &self,
        service: Service,
        doing: &'static str,
        operation: &str,
        parameters: Value,
    ) -> Result<Value, Failure> {
        let answer = self.0.call(Call::new(service, operation, parameters)).await;
        answer.map_err(|error| Failure::refused(doing, operation, error))
    }
}

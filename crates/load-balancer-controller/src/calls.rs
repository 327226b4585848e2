//! Calls of AWS, page by page.

use crate::failure::Failure;
use aws_client::Aws;
use aws_client::answer::{list, text};
use serde_json::{Value, json};
use wire::call::{Call, Service};

/// Calls with the controller's role.
#[derive(Debug)]
pub(crate) struct Calls<A>(pub(crate) A);

impl<A: Aws> Calls<A> {
    async fn make(
        &self,
        service: Service,
        operation: &str,
        parameters: Value,
    ) -> Result<Value, Failure> {
        let answer = self.0.call(Call::new(service, operation, parameters)).await;
        answer.map_err(|error| Failure::Aws {
            service: match service {
                Service::LoadBalancing => "Elastic Load Balancing v2",
                Service::Acm => "ACM",
                _ => "EC2",
            },
            operation: operation.to_owned(),
            error,
        })
    }

    /// An operation of EC2.
    pub(crate) async fn ec2(&self, operation: &str, parameters: Value) -> Result<Value, Failure> {
        self.make(Service::Ec2, operation, parameters).await
    }

    /// An operation of Elastic Load Balancing.
    pub(crate) async fn elb(&self, operation: &str, parameters: Value) -> Result<Value, Failure> {
        self.make(Service::LoadBalancing, operation, parameters)
            .await
    }

    /// An operation of ACM.
    pub(crate) async fn acm(&self, operation: &str, parameters: Value) -> Result<Value, Failure> {
        self.make(Service::Acm, operation, parameters).await
    }

    /// All of a listing of Elastic Load Balancing's.
    pub(crate) async fn all(
        &self,
        operation: &str,
        mut parameters: Value,
        member: &str,
    ) -> Result<Vec<Value>, Failure> {
        let mut all = Vec::new();
        loop {
            let answer = self.elb(operation, parameters.clone()).await?;
            all.extend_from_slice(list(&answer, member));
            match text(&answer, "NextMarker") {
                "" => return Ok(all),
                marker => parameters["Marker"] = json!(marker),
            }
        }
    }
}

//! Calls of AWS's APIs, and their answers' values.

use crate::failure::Failure;
use serde_json::{Value, json};
use std::future::Future;
use wire::call::{Call, Service};
use wire::error::ApiError;

/// Whoever can call AWS's public APIs in the cluster's region, with the cluster's role.
pub trait Aws: Send + Sync {
    /// Makes a call; answers are as [`wire::call::read`] gives them.
    ///
    /// # Errors
    /// AWS's own.
    fn call(&self, call: Call) -> impl Future<Output = Result<Value, ApiError>> + Send;
}

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

/// A filter of EC2's.
pub(crate) fn filter(name: &str, value: &str) -> Value {
    json!({"Name": name, "Value": [value]})
}

/// A member's text; empty where there is none.
pub(crate) fn text<'v>(value: &'v Value, name: &str) -> &'v str {
    value[name].as_str().unwrap_or_default()
}

/// A member's elements.
pub(crate) fn list<'v>(value: &'v Value, name: &str) -> &'v [Value] {
    value[name].as_array().map_or(&[], Vec::as_slice)
}

/// A member's elements that are texts.
pub(crate) fn texts(value: &Value, name: &str) -> Vec<String> {
    let texts = list(value, name).iter().filter_map(Value::as_str);
    texts.map(str::to_owned).collect()
}

/// A tag's value of something of EC2's.
pub(crate) fn tag<'v>(value: &'v Value, key: &str) -> Option<&'v str> {
    let mut tags = list(value, "tagSet").iter();
    tags.find(|tag| tag["key"] == key)
        .map(|tag| text(tag, "value"))
}

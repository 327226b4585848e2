//! Calls of AWS's services as their callers make them: an operation and its parameters as a signed HTTP request,
//! and the answer as one JSON value whatever the service's protocol.
//!
//! Parameters have the names that they have on the wire: EC2's lists are called by their singular
//! (`SubnetId`), the query protocol's by their plural, REST JSON's begin with a small letter.

mod answer;
mod rest;

pub use answer::read;

use crate::error::ApiError;
use crate::query::encode;
use crate::sigv4::{Key, Signable, sign};
use serde_json::{Map, Value};

/// A service that is called.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Service {
    /// AWS Certificate Manager.
    Acm,
    /// Auto Scaling.
    AutoScaling,
    /// The first generation of load balancers.
    ClassicLoadBalancing,
    /// CloudFormation.
    CloudFormation,
    /// EC2.
    Ec2,
    /// EKS.
    Eks,
    /// IAM.
    Iam,
    /// The second generation of load balancers.
    LoadBalancing,
    /// Systems Manager.
    Ssm,
    /// The Security Token Service.
    Sts,
}

/// How a service is spoken to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Protocol {
    /// EC2's own, in a version.
    Ec2(&'static str),
    /// The query protocol, in a version.
    Query(&'static str),
    /// JSON, with what its operations' names begin with.
    Json(&'static str),
    /// JSON, with the operation in the method and the path.
    Rest,
}

/// An operation with its parameters.
#[derive(Clone, Debug, PartialEq)]
pub struct Call {
    /// The service.
    pub service: Service,
    /// The operation's name.
    pub operation: String,
    /// An object; members that are null are left out.
    pub parameters: Value,
}

/// A request that lacks a signature.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unsigned {
    /// The HTTP method.
    pub method: &'static str,
    /// The path.
    pub path: String,
    /// The query string, without the question mark.
    pub query: String,
    /// Headers but for the host's.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: String,
    /// The service's name in signatures.
    service: &'static str,
}

/// Who calls.
#[derive(Clone, Copy, Debug)]
pub struct Caller<'a> {
    /// The access key's id.
    pub access_key: &'a str,
    /// Its secret.
    pub secret: &'a str,
    /// The region.
    pub region: &'a str,
    /// The host that the request names.
    pub host: &'a str,
}

impl Service {
    /// Its name in signatures and host names.
    pub fn name(self) -> &'static str {
        match self {
            Self::Acm => "acm",
            Self::AutoScaling => "autoscaling",
            Self::ClassicLoadBalancing | Self::LoadBalancing => "elasticloadbalancing",
            Self::CloudFormation => "cloudformation",
            Self::Ec2 => "ec2",
            Self::Eks => "eks",
            Self::Iam => "iam",
            Self::Ssm => "ssm",
            Self::Sts => "sts",
        }
    }

    /// Its name as other services tell of it.
    pub fn title(self) -> &'static str {
        match self {
            Self::Acm => "Acm",
            Self::AutoScaling => "AutoScaling",
            Self::ClassicLoadBalancing => "ElasticLoadBalancing",
            Self::CloudFormation => "CloudFormation",
            Self::Ec2 => "Ec2",
            Self::Eks => "Eks",
            Self::Iam => "Iam",
            Self::LoadBalancing => "ElasticLoadBalancingV2",
            Self::Ssm => "Ssm",
            Self::Sts => "Sts",
        }
    }

    fn protocol(self) -> Protocol {
        match self {
            Self::Acm => Protocol::Json("CertificateManager"),
            Self::AutoScaling => Protocol::Query("2011-01-01"),
            Self::ClassicLoadBalancing => Protocol::Query("2012-06-01"),
            Self::CloudFormation => Protocol::Query("2010-05-15"),
            Self::Ec2 => Protocol::Ec2("2016-11-15"),
            Self::Eks => Protocol::Rest,
            Self::Iam => Protocol::Query("2010-05-08"),
            Self::LoadBalancing => Protocol::Query("2015-12-01"),
            Self::Ssm => Protocol::Json("AmazonSSM"),
            Self::Sts => Protocol::Query("2011-06-15"),
        }
    }
}

impl Call {
    /// A call.
    pub fn new(service: Service, operation: impl Into<String>, parameters: Value) -> Self {
        Self {
            service,
            operation: operation.into(),
            parameters,
        }
    }

    /// The call as a request.
    ///
    /// # Errors
    /// `InvalidAction`: the operation is none whose method and path are known here.
    pub fn request(&self) -> Result<Unsigned, ApiError> {
        let given = without_nulls(&self.parameters);
        let mut request = Unsigned {
            method: "POST",
            path: "/".to_owned(),
            query: String::new(),
            headers: Vec::new(),
            body: String::new(),
            service: self.service.name(),
        };
        let kind = match self.service.protocol() {
            Protocol::Ec2(version) => {
                request.body = self.form(&given, version, "");
                "application/x-www-form-urlencoded; charset=utf-8"
            }
            Protocol::Query(version) => {
                request.body = self.form(&given, version, ".member");
                "application/x-www-form-urlencoded; charset=utf-8"
            }
            Protocol::Json(prefix) => {
                let target = format!("{prefix}.{}", self.operation);
                request.headers.push(("x-amz-target".to_owned(), target));
                request.body = given.to_string();
                crate::json::CONTENT_TYPE
            }
            Protocol::Rest => {
                rest::fill(&mut request, &self.operation, given)?;
                "application/json"
            }
        };
        let kind = ("content-type".to_owned(), kind.to_owned());
        request.headers.push(kind);
        Ok(request)
    }

    /// The parameters as a form. `list` stands between a list's name and its elements' numbers.
    fn form(&self, given: &Value, version: &str, list: &str) -> String {
        let mut body = format!("Action={}&Version={version}", self.operation);
        flatten("", given, list, &mut |name, value| {
            body.push_str(&format!("&{}={}", encode(name), encode(value)));
        });
        body
    }
}

impl Unsigned {
    /// The request's headers, with its signature at a moment in seconds since 1970.
    pub fn signed(&self, caller: &Caller<'_>, now: i64) -> Vec<(String, String)> {
        let mut headers = self.headers.clone();
        headers.push(("host".to_owned(), caller.host.to_owned()));
        let signable = Signable {
            method: self.method,
            path: &self.path,
            query: &self.query,
            headers: &headers,
            body: self.body.as_bytes(),
        };
        let key = Key {
            access_key: caller.access_key,
            secret: caller.secret,
            region: caller.region,
            service: self.service,
        };
        let signature = sign(&signable, &key, now);
        headers.extend(signature);
        headers
    }
}

/// The same without members that are null.
fn without_nulls(value: &Value) -> Value {
    match value {
        Value::Object(members) => {
            let there = members.iter().filter(|(_, member)| !member.is_null());
            let kept = there.map(|(name, member)| (name.clone(), without_nulls(member)));
            Value::Object(kept.collect::<Map<_, _>>())
        }
        Value::Array(items) => Value::Array(items.iter().map(without_nulls).collect()),
        other => other.clone(),
    }
}

/// Gives each leaf of a value with its dotted name.
fn flatten(name: &str, value: &Value, list: &str, give: &mut dyn FnMut(&str, &str)) {
    match value {
        Value::Null => {}
        Value::String(text) => give(name, text),
        Value::Bool(_) | Value::Number(_) => give(name, &value.to_string()),
        Value::Array(items) => {
            for (index, item) in items.iter().enumerate() {
                flatten(&format!("{name}{list}.{}", index + 1), item, list, give);
            }
        }
        Value::Object(members) => {
            for (member, value) in members {
                let name = if name.is_empty() {
                    member.clone()
                } else {
                    format!("{name}.{member}")
                };
                flatten(&name, value, list, give);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use serde_json::json;

    #[test]
    fn each_protocol_writes_a_call_in_its_own_way() {
        let given = json!({ "Filter": [{ "Name": "vpc-id", "Value": ["vpc-1"] }], "Not": null });
        let call = Call::new(Service::Ec2, "DescribeSubnets", given);
        assert_eq!(
            call.request().unwrap().body,
            "Action=DescribeSubnets&Version=2016-11-15&Filter.1.Name=vpc-id&Filter.1.Value.1=vpc-1"
        );
        let given = json!({ "Names": ["a", "b"], "PageSize": 3 });
        let call = Call::new(Service::LoadBalancing, "DescribeLoadBalancers", given);
        assert_eq!(
            call.request().unwrap().body,
            "Action=DescribeLoadBalancers&Version=2015-12-01&Names.member.1=a&Names.member.2=b&PageSize=3"
        );
        let given = json!({ "name": "c", "principalArn": "arn:aws:iam::1:role/x" });
        let request = Call::new(Service::Eks, "DescribeAccessEntry", given);
        let request = request.request().unwrap();
        assert_eq!(request.method, "GET");
        assert_eq!(
            request.path,
            "/clusters/c/access-entries/arn%3Aaws%3Aiam%3A%3A1%3Arole%2Fx"
        );
        let given = json!({ "Name": "/aws/x" });
        let call = Call::new(Service::Ssm, "GetParameter", given);
        let request = call.request().unwrap();
        assert_eq!(request.body, r#"{"Name":"/aws/x"}"#);
        assert_eq!(request.headers[0].1, "AmazonSSM.GetParameter");
    }
}

//! AWS's APIs over HTTP: a request's signature, its service, its operation, its answer.

use super::{plain, request_id, respond};
use crate::cloud::{Cloud, Rules, unix_time};
use crate::entropy;
use crate::guests::Consoles;
use crate::metrics::{self, Family, Labels};
use crate::proxy::same;
use aws::api::Answer;
use aws::model::{Context, InstanceId, State};
use bytes::Bytes;
use http::request::Parts;
use http_body_util::Full;
use hyper::Response;
use std::borrow::Cow;
use std::time::Instant;
use wire::error::ApiError;
use wire::query::{Node, pairs};
use wire::sigv4::{self, Claim, Signable};

/// Which keys are good.
#[derive(Clone)]
pub struct Keys {
    /// The lab's access key's id.
    pub id: String,
    /// Its secret.
    pub secret: String,
    /// Whether any other is as good (`--any-key`).
    pub any: bool,
    /// The token of the lab's metrics.
    pub metrics: String,
}

/// AWS's APIs of one lab.
pub struct Api {
    cloud: Cloud,
    keys: Keys,
    rules: Rules,
    consoles: Consoles,
}

/// The services that answer here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Service {
    Acm,
    AutoScaling,
    /// The first generation of load balancers.
    ClassicLoadBalancing,
    Ec2,
    Eks,
    Iam,
    /// The second generation of load balancers.
    LoadBalancing,
    Sts,
}

/// A request, understood.
enum Operation {
    Acm(wire::acm::Request),
    AutoScaling(wire::autoscaling::Request),
    ClassicLoadBalancing(wire::elb::Request),
    Ec2(wire::ec2::Request),
    Eks(wire::eks::Request),
    Iam(wire::iam::Request),
    LoadBalancing(wire::elbv2::Request),
    Sts(wire::sts::Request),
}

impl Service {
    fn name(self) -> &'static str {
        match self {
            Self::Acm => "acm",
            Self::AutoScaling => "autoscaling",
            Self::Ec2 => "ec2",
            Self::Eks => "eks",
            Self::Iam => "iam",
            Self::ClassicLoadBalancing | Self::LoadBalancing => "elasticloadbalancing",
            Self::Sts => "sts",
        }
    }

    /// The type of its responses.
    fn content_type(self) -> &'static str {
        match self {
            Self::Acm => wire::json::CONTENT_TYPE,
            Self::Eks => wire::rest_json::CONTENT_TYPE,
            _ => "text/xml;charset=UTF-8",
        }
    }

    /// An error as it writes it.
    fn write(self, error: &ApiError, id: &str) -> String {
        match self {
            Self::Acm => error.json(),
            Self::AutoScaling => error.query(wire::autoscaling::NAMESPACE, id),
            Self::ClassicLoadBalancing => error.query(wire::elb::NAMESPACE, id),
            Self::Ec2 => error.ec2(id),
            Self::Eks => error.rest_json(),
            Self::Iam => error.query(wire::iam::NAMESPACE, id),
            Self::LoadBalancing => error.query(wire::elbv2::NAMESPACE, id),
            Self::Sts => error.query(wire::sts::NAMESPACE, id),
        }
    }
}

impl Operation {
    fn name(&self) -> &'static str {
        match self {
            Self::Acm(request) => request.name(),
            Self::AutoScaling(request) => request.name(),
            Self::ClassicLoadBalancing(request) => request.name(),
            Self::Ec2(request) => request.name(),
            Self::Eks(request) => request.name(),
            Self::Iam(request) => request.name(),
            Self::LoadBalancing(request) => request.name(),
            Self::Sts(request) => request.name(),
        }
    }
}

/// The operation of a request that names none that there is.
const UNKNOWN: &str = "-";

const CALLS: Family = Family {
    name: "skylab_api_calls_total",
    help: "Calls of the clouds' APIs, by operation and outcome.",
};
const CALL_TIME: Family = Family {
    name: "skylab_api_call_seconds",
    help: "How long calls of the clouds' APIs take, by operation.",
};

impl Api {
    /// The APIs of an account.
    pub fn new(cloud: Cloud, keys: Keys, rules: Rules, consoles: Consoles) -> Self {
        Self {
            cloud,
            keys,
            rules,
            consoles,
        }
    }

    /// Answers a request.
    pub(super) async fn answer(&self, head: &Parts, body: Bytes) -> Response<Full<Bytes>> {
        let id = request_id::fresh();
        let begun = Instant::now();
        let call = Call::read(head, &body);
        let (service, operation, outcome) = self.outcome(&call, &body, &id).await;
        let took = begun.elapsed();
        // A REST service's operation is not named by its request.
        let action = call.action().unwrap_or(operation);
        let took_us = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
        let answer = match &outcome {
            Ok(_) => "OK".into(),
            Err(error) => Cow::Owned(error.code.clone()),
        };
        let mut labels: Labels = vec![
            ("service", service.name().into()),
            ("action", operation.into()),
        ];
        self.cloud.metrics().took(CALL_TIME, labels.clone(), took);
        labels.push(("code", answer));
        self.cloud.metrics().count(CALLS, labels, 1);
        match outcome {
            Ok(body) => {
                tracing::info!(request = id, action, status = 200, took_us, "api call");
                respond(200, service.content_type(), &id, body)
            }
            Err(error) => {
                let (code, status) = (error.code.as_str(), error.status);
                tracing::info!(request = id, action, status, code, took_us, "api call");
                let body = service.write(&error, &id);
                let mut response = respond(status, service.content_type(), &id, body);
                if service == Service::Eks
                    && let Ok(kind) = http::HeaderValue::from_str(code)
                {
                    let name = http::HeaderName::from_static(wire::rest_json::ERROR_TYPE);
                    response.headers_mut().insert(name, kind);
                }
                response
            }
        }
    }

    /// The lab's metrics, for whoever has their token.
    pub(super) fn metrics(&self, head: &Parts) -> Response<Full<Bytes>> {
        let bearer = head
            .headers
            .get(http::header::AUTHORIZATION)
            .and_then(|value| value.as_bytes().strip_prefix(b"Bearer "));
        if head.method != http::Method::GET {
            return plain(405, "metrics are read with GET");
        }
        if !bearer.is_some_and(|bearer| same(bearer, self.keys.metrics.as_bytes())) {
            return plain(
                401,
                "metrics need their token; see: skylab metrics --scrape-config",
            );
        }
        let page = self.cloud.metrics().page();
        respond(200, metrics::CONTENT_TYPE, &request_id::fresh(), page)
    }

    async fn outcome(
        &self,
        call: &Call,
        body: &[u8],
        id: &str,
    ) -> (Service, &'static str, Result<String, ApiError>) {
        let claim = match call.verify(&self.keys, body) {
            Ok(claim) => claim,
            Err(error) => return (Service::Ec2, UNKNOWN, Err(error)),
        };
        let service = match claim.service.as_str() {
            "acm" => Service::Acm,
            "autoscaling" => Service::AutoScaling,
            "ec2" => Service::Ec2,
            "eks" => Service::Eks,
            "elasticloadbalancing" => call.generation(),
            "iam" => Service::Iam,
            "sts" => Service::Sts,
            other => {
                let message = format!(
                    "Skylab does not have the service {other:?} yet; it has acm, autoscaling, ec2, eks, elasticloadbalancing, iam and sts"
                );
                return (Service::Sts, UNKNOWN, Err(unsupported(message)));
            }
        };
        match call.operation(service, body) {
            Ok(operation) => {
                let name = operation.name();
                (service, name, self.carry_out(operation, claim, id).await)
            }
            Err(error) => (service, UNKNOWN, Err(error)),
        }
    }

    async fn carry_out(
        &self,
        operation: Operation,
        claim: Claim,
        id: &str,
    ) -> Result<String, ApiError> {
        let snapshot = self.cloud.snapshot();
        let account = &snapshot.state.settings.account;
        let context = Context {
            region: claim.region,
            now: unix_time(),
            pace: self.rules.pace,
            quotas: self.rules.quotas,
            caller: format!("arn:aws:iam::{account}:root"),
            entropy: entropy::bytes()
                .map_err(|error| ApiError::new("InternalError", error.to_string()))?,
        };
        if reads(&operation) {
            let console = &self.consoles;
            return run(&snapshot.state, &context, operation, id, console)
                .map(|answer| answer.body);
        }
        let (request, consoles) = (id.to_owned(), self.consoles.clone());
        self.cloud
            .change(id, move |state| {
                match run(state, &context, operation, &request, &consoles) {
                    Ok(answer) => (answer.state, Ok(answer.body)),
                    Err(error) => (None, Err(error)),
                }
            })
            .await
            .unwrap_or_else(|failure| {
                tracing::error!(request = id, %failure, "a change failed");
                Err(ApiError::new("InternalError", failure.to_string()))
            })
    }
}

fn unsupported(message: String) -> ApiError {
    let mut error = ApiError::new("UnsupportedOperation", message);
    error.status = 501;
    error
}

fn run(
    state: &State,
    context: &Context,
    operation: Operation,
    id: &str,
    consoles: &Consoles,
) -> Result<Answer, ApiError> {
    match operation {
        Operation::Acm(request) => aws::api::certificate(state, context, request),
        Operation::AutoScaling(request) => aws::api::auto_scaling(state, context, request, id),
        Operation::ClassicLoadBalancing(request) => {
            aws::api::classic_load_balancer::answer(state, context, request, id)
        }
        Operation::Ec2(request) => {
            let console = |instance: &InstanceId| Some(consoles.read(instance));
            aws::api::ec2(state, context, request, id, &console)
        }
        Operation::Eks(request) => aws::api::eks::answer(state, context, request),
        Operation::Iam(request) => aws::api::iam::answer(state, context, request, id),
        Operation::LoadBalancing(request) => {
            aws::api::load_balancer::answer(state, context, request, id)
        }
        Operation::Sts(request) => aws::api::sts(state, context, &request, id),
    }
}

/// Whether an operation only looks: then the published snapshot is enough.
fn reads(operation: &Operation) -> bool {
    aws::api::reads_only(operation.name())
}

/// An HTTP request as far as AWS's protocols look at it.
struct Call {
    method: String,
    path: String,
    query: String,
    headers: Vec<(String, String)>,
    parameters: Vec<(String, String)>,
}

impl Call {
    fn read(head: &Parts, body: &[u8]) -> Self {
        let headers = head
            .headers
            .iter()
            .map(|(name, value)| {
                let value = String::from_utf8_lossy(value.as_bytes()).into_owned();
                (name.as_str().to_owned(), value)
            })
            .collect();
        let query = head.uri.query().unwrap_or_default().to_owned();
        let mut parameters = pairs(&query);
        parameters.extend(pairs(&String::from_utf8_lossy(body)));
        Self {
            method: head.method.as_str().to_owned(),
            path: head.uri.path().to_owned(),
            query,
            headers,
            parameters,
        }
    }

    fn parameter(&self, name: &str) -> Option<&str> {
        self.parameters
            .iter()
            .find(|(key, _)| key == name)
            .map(|(_, value)| value.as_str())
    }

    /// Which of the two generations of load balancers is spoken to: they share a name and differ in their version.
    fn generation(&self) -> Service {
        match self.parameter("Version") {
            Some(aws::api::classic_load_balancer::VERSION) => Service::ClassicLoadBalancing,
            _ => Service::LoadBalancing,
        }
    }

    fn verify(&self, keys: &Keys, body: &[u8]) -> Result<Claim, ApiError> {
        let signable = Signable {
            method: &self.method,
            path: &self.path,
            query: &self.query,
            headers: &self.headers,
            body,
        };
        let secret = |id: &str| (id == keys.id).then(|| keys.secret.clone());
        sigv4::verify(&signable, secret, keys.any, unix_time())
    }

    /// The operation's name: a parameter, or the end of a header in the JSON protocol.
    fn action(&self) -> Option<&str> {
        let target = self
            .headers
            .iter()
            .find(|(name, _)| name == "x-amz-target")
            .and_then(|(_, target)| target.rsplit_once('.'));
        target
            .map(|(_, action)| action)
            .or_else(|| self.parameter("Action"))
    }

    fn operation(&self, service: Service, body: &[u8]) -> Result<Operation, ApiError> {
        if service == Service::Eks {
            let call = wire::rest_json::Call {
                method: &self.method,
                path: &self.path,
                query: &self.query,
                body,
            };
            return aws::api::eks::parse(&call).map(Operation::Eks);
        }
        let action = self.action().ok_or_else(|| {
            let message = "The request must contain the parameter Action.";
            ApiError::new("MissingAction", message)
        })?;
        let own = self.parameters.iter().filter(|(name, _)| {
            !(name == "Action" || name == "Version" || name.starts_with("X-Amz-"))
        });
        let parameters = Node::tree(own.cloned());
        match service {
            Service::Acm => wire::acm::Request::parse(action, body).map(Operation::Acm),
            Service::AutoScaling => {
                wire::autoscaling::Request::parse(action, &parameters).map(Operation::AutoScaling)
            }
            Service::ClassicLoadBalancing => {
                aws::api::classic_load_balancer::parse(action, &parameters)
                    .map(Operation::ClassicLoadBalancing)
            }
            // Read above: it names no action.
            Service::Eks => Err(unsupported(action.to_owned())),
            Service::Ec2 => wire::ec2::Request::parse(action, &parameters).map(Operation::Ec2),
            Service::Iam => aws::api::iam::parse(action, &parameters).map(Operation::Iam),
            Service::LoadBalancing => {
                aws::api::load_balancer::parse(action, &parameters).map(Operation::LoadBalancing)
            }
            Service::Sts => wire::sts::Request::parse(action, &parameters).map(Operation::Sts),
        }
    }
}

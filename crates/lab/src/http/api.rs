//! AWS's APIs over HTTP: a request's signature, its service, its operation, its answer.

use super::call::Call;
use super::service::{Operation, Service, unsupported};
use super::{plain, request_id, respond};
use crate::cloud::{Cloud, Rules, Snapshot, unix_time};
use crate::entropy;
use crate::guests::Consoles;
use crate::issuers::IssuerBook;
use crate::metrics::{self, Family, Labels};
use crate::proxy::same;
use aws::api::Answer;
use aws::authorize::{self, Asking};
use aws::identity::{Caller, Keyring, Party, Seal};
use aws::model::{Context, InstanceId, State};
use bytes::Bytes;
use http::request::Parts;
use http_body_util::Full;
use hyper::Response;
use std::borrow::Cow;
use std::sync::Arc;
use std::time::Instant;
use wire::error::ApiError;
use wire::query::Node;

/// Which keys are good.
#[derive(Clone)]
pub struct Keys {
    /// The lab's access key's id.
    pub id: String,
    /// Its secret.
    pub secret: String,
    /// Whether any other is as good (`--any-key`).
    pub any: bool,
    /// What sessions' credentials are made and read with.
    pub seal: Seal,
    /// The token of the lab's metrics.
    pub metrics: String,
}

impl Keys {
    /// The keys of an account: the lab's own, its users' and its sessions'.
    pub(crate) fn keyring<'k>(&'k self, state: &'k State) -> Keyring<'k> {
        Keyring {
            state,
            seal: &self.seal,
            root: (&self.id, &self.secret),
            any: self.any,
        }
    }
}

/// AWS's APIs of one lab.
pub struct Api {
    pub(super) cloud: Cloud,
    keys: Keys,
    rules: Rules,
    consoles: Consoles,
    issuers: Arc<IssuerBook>,
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
    pub fn new(
        cloud: Cloud,
        keys: Keys,
        rules: Rules,
        consoles: Consoles,
        issuers: Arc<IssuerBook>,
    ) -> Self {
        Self {
            cloud,
            keys,
            rules,
            consoles,
            issuers,
        }
    }

    /// The account as it is now.
    pub(super) fn snapshot(&self) -> Arc<Snapshot> {
        self.cloud.snapshot()
    }

    /// What sessions' credentials are read with.
    pub(super) fn seal(&self) -> &Seal {
        &self.keys.seal
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
        let snapshot = self.cloud.snapshot();
        let (named, region, caller) = match self.caller(call, &snapshot.state, body) {
            Ok(known) => known,
            Err(error) => {
                let claimed = call.claimed(body);
                let service = claimed.and_then(|name| Service::of(&name, call));
                return (service.unwrap_or(Service::Ec2), UNKNOWN, Err(error));
            }
        };
        let Some(service) = Service::of(&named, call) else {
            let message = format!(
                "Skylab does not have the service {named:?} yet; it has acm, autoscaling, cloudformation, ec2, ecr, eks, elasticloadbalancing, iam, ssm and sts"
            );
            return (Service::Sts, UNKNOWN, Err(unsupported(message)));
        };
        match call.operation(service, body) {
            Ok(operation) => {
                let name = operation.name();
                let asked = Asked {
                    service,
                    parameters: service.parameters(call, body),
                    path: call.path.clone(),
                    caller,
                    operation,
                };
                (service, name, self.carry_out(asked, region, id).await)
            }
            Err(error) => (service, UNKNOWN, Err(error)),
        }
    }

    /// The service that is called, the region, and who calls: nobody where the operation needs no signature.
    fn caller(
        &self,
        call: &Call,
        state: &State,
        body: &[u8],
    ) -> Result<(String, String, Option<Caller>), ApiError> {
        if call.needs_no_signature() {
            let region = call.region_of_host();
            let region = region.unwrap_or_else(|| GLOBAL.to_owned());
            return Ok((Service::Sts.name().to_owned(), region, None));
        }
        let verified = call.verify(&self.keys, state, body)?;
        let claim = verified.claim;
        Ok((claim.service, claim.region, Some(verified.caller)))
    }

    /// What a caller asks in a region, now.
    pub(super) fn context(
        &self,
        region: String,
        caller: Option<&Caller>,
    ) -> Result<Context, ApiError> {
        Ok(Context {
            region,
            now: unix_time(),
            pace: self.rules.pace,
            quotas: self.rules.quotas,
            caller: caller.map(|caller| caller.arn.clone()).unwrap_or_default(),
            entropy: entropy::bytes()
                .map_err(|error| ApiError::new("InternalError", error.to_string()))?,
        })
    }

    /// What operations need besides the state.
    pub(super) fn place(&self) -> Place {
        Place {
            consoles: self.consoles.clone(),
            seal: self.keys.seal.clone(),
            issuers: self.issuers.clone(),
        }
    }

    async fn carry_out(&self, asked: Asked, region: String, id: &str) -> Result<String, ApiError> {
        let snapshot = self.cloud.snapshot();
        let context = self.context(region, asked.caller.as_ref())?;
        let place = self.place();
        if reads(&asked.operation) {
            return run(&snapshot.state, &context, asked, id, &place).map(|answer| answer.body);
        }
        let request = id.to_owned();
        self.cloud
            .change(id, move |state| {
                match run(state, &context, asked, &request, &place) {
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

/// The region of services that are in none.
const GLOBAL: &str = "us-east-1";

/// A request, understood, and who made it.
pub(super) struct Asked {
    pub(super) service: Service,
    pub(super) operation: Operation,
    pub(super) parameters: Node,
    pub(super) path: String,
    pub(super) caller: Option<Caller>,
}

/// What operations need besides the state.
pub(super) struct Place {
    consoles: Consoles,
    seal: Seal,
    issuers: Arc<IssuerBook>,
}

pub(super) fn run(
    state: &State,
    context: &Context,
    asked: Asked,
    id: &str,
    place: &Place,
) -> Result<Answer, ApiError> {
    if let Some(caller) = &asked.caller {
        let asking = Asking {
            service: asked.service.name(),
            operation: asked.operation.name(),
            parameters: &asked.parameters,
            path: &asked.path,
        };
        authorize::check(state, context, caller, asking)?;
    }
    let party = Party {
        caller: asked.caller.as_ref(),
        seal: &place.seal,
        issuers: place.issuers.as_ref(),
    };
    match asked.operation {
        Operation::Acm(request) => aws::api::certificate(state, context, request),
        Operation::AutoScaling(request) => aws::api::auto_scaling(state, context, request, id),
        Operation::ClassicLoadBalancing(request) => {
            aws::api::classic_load_balancer::answer(state, context, request, id)
        }
        Operation::CloudFormation(request) => {
            aws::api::cloudformation::answer(state, context, request, id)
        }
        Operation::Ec2(request) => {
            let console = |instance: &InstanceId| Some(place.consoles.read(instance));
            aws::api::ec2(state, context, request, id, &console)
        }
        Operation::Ecr(request) => aws::api::ecr::answer(state, context, party, request),
        Operation::Eks(request) => aws::api::eks::answer(state, context, request),
        Operation::Iam(request) => aws::api::iam::answer(state, context, request, id),
        Operation::LoadBalancing(request) => {
            aws::api::load_balancer::answer(state, context, request, id)
        }
        Operation::Ssm(request) => aws::api::ssm::answer(state, context, request),
        Operation::Sts(request) => aws::api::sts::answer(state, context, party, request, id),
    }
}

/// Whether an operation only looks: then the published snapshot is enough.
pub(super) fn reads(operation: &Operation) -> bool {
    // Sessions are nowhere stored.
    matches!(operation, Operation::Sts(_)) || aws::api::reads_only(operation.name())
}

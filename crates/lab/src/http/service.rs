//! The services that answer, and their requests: which service a call is for, how it is read, how refusals are
//! written.

use super::call::Call;
use aws::authorize;
use wire::error::ApiError;
use wire::query::Node;

/// The services that answer here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Service {
    Acm,
    AutoScaling,
    /// The first generation of load balancers.
    ClassicLoadBalancing,
    CloudFormation,
    Ec2,
    Ecr,
    Eks,
    Iam,
    /// The second generation of load balancers.
    LoadBalancing,
    Ssm,
    Sts,
}

/// A request, understood.
pub(super) enum Operation {
    Acm(wire::acm::Request),
    AutoScaling(wire::autoscaling::Request),
    ClassicLoadBalancing(wire::elb::Request),
    CloudFormation(wire::cloudformation::Request),
    Ec2(wire::ec2::Request),
    Ecr(wire::ecr::Request),
    Eks(wire::eks::Request),
    Iam(wire::iam::Request),
    LoadBalancing(wire::elbv2::Request),
    Ssm(wire::ssm::Request),
    Sts(wire::sts::Request),
}

impl Service {
    /// The service of a name in signatures.
    pub(super) fn of(name: &str, call: &Call) -> Option<Self> {
        Some(match name {
            "acm" => Self::Acm,
            "autoscaling" => Self::AutoScaling,
            "cloudformation" => Self::CloudFormation,
            "ec2" => Self::Ec2,
            "ecr" => Self::Ecr,
            "eks" => Self::Eks,
            "elasticloadbalancing" => call.generation(),
            "iam" => Self::Iam,
            "ssm" => Self::Ssm,
            "sts" => Self::Sts,
            _ => return None,
        })
    }

    /// A request's parameters, as policies see them.
    pub(super) fn parameters(self, call: &Call, body: &[u8]) -> Node {
        match self {
            Self::Acm | Self::Ecr | Self::Eks | Self::Ssm => {
                // What is no JSON was refused when the request was read.
                authorize::of_json(&serde_json::from_slice(body).unwrap_or_default())
            }
            _ => call.own_parameters(),
        }
    }

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Acm => "acm",
            Self::AutoScaling => "autoscaling",
            Self::CloudFormation => "cloudformation",
            Self::Ec2 => "ec2",
            Self::Ecr => "ecr",
            Self::Eks => "eks",
            Self::Iam => "iam",
            Self::ClassicLoadBalancing | Self::LoadBalancing => "elasticloadbalancing",
            Self::Ssm => "ssm",
            Self::Sts => "sts",
        }
    }

    /// The type of its responses.
    pub(super) fn content_type(self) -> &'static str {
        match self {
            Self::Acm | Self::Ecr | Self::Ssm => wire::json::CONTENT_TYPE,
            Self::Eks => wire::rest_json::CONTENT_TYPE,
            _ => "text/xml;charset=UTF-8",
        }
    }

    /// An error as it writes it.
    pub(super) fn write(self, error: &ApiError, id: &str) -> String {
        match self {
            Self::Acm | Self::Ecr | Self::Ssm => error.json(),
            Self::AutoScaling => error.query(wire::autoscaling::NAMESPACE, id),
            Self::ClassicLoadBalancing => error.query(wire::elb::NAMESPACE, id),
            Self::CloudFormation => error.query(wire::cloudformation::NAMESPACE, id),
            Self::Ec2 => error.ec2(id),
            Self::Eks => error.rest_json(),
            Self::Iam => error.query(wire::iam::NAMESPACE, id),
            Self::LoadBalancing => error.query(wire::elbv2::NAMESPACE, id),
            Self::Sts => error.query(wire::sts::NAMESPACE, id),
        }
    }
}

impl Operation {
    pub(super) fn name(&self) -> &'static str {
        match self {
            Self::Acm(request) => request.name(),
            Self::AutoScaling(request) => request.name(),
            Self::ClassicLoadBalancing(request) => request.name(),
            Self::CloudFormation(request) => request.name(),
            Self::Ec2(request) => request.name(),
            Self::Ecr(request) => request.name(),
            Self::Eks(request) => request.name(),
            Self::Iam(request) => request.name(),
            Self::LoadBalancing(request) => request.name(),
            Self::Ssm(request) => request.name(),
            Self::Sts(request) => request.name(),
        }
    }
}

/// Refuses what AWS has and Skylab hasn't.
pub(super) fn unsupported(message: String) -> ApiError {
    let mut error = ApiError::new("UnsupportedOperation", message);
    error.status = 501;
    error
}

impl Call {
    /// Which of the two generations of load balancers is spoken to: they share a name and differ in their version.
    fn generation(&self) -> Service {
        match self.parameter("Version") {
            Some(aws::api::classic_load_balancer::VERSION) => Service::ClassicLoadBalancing,
            _ => Service::LoadBalancing,
        }
    }

    pub(super) fn operation(&self, service: Service, body: &[u8]) -> Result<Operation, ApiError> {
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
        let parameters = self.own_parameters();
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
            Service::CloudFormation => {
                aws::api::cloudformation::parse(action, &parameters).map(Operation::CloudFormation)
            }
            Service::Ec2 => wire::ec2::Request::parse(action, &parameters).map(Operation::Ec2),
            Service::Ecr => wire::ecr::Request::parse(action, body).map(Operation::Ecr),
            Service::Iam => aws::api::iam::parse(action, &parameters).map(Operation::Iam),
            Service::LoadBalancing => {
                aws::api::load_balancer::parse(action, &parameters).map(Operation::LoadBalancing)
            }
            Service::Ssm => wire::ssm::Request::parse(action, body).map(Operation::Ssm),
            Service::Sts => wire::sts::Request::parse(action, &parameters).map(Operation::Sts),
        }
    }
}

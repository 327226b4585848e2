//! An account to call: requests as they come on the wire, answers as they go.

use aws::Moment;
use aws::model::{Context, InstanceId, Pace, Settings, State};
use wire::ec2::Request;
use wire::query::Node;

/// The region that calls go to.
pub(crate) const REGION: &str = "us-west-2";

/// An account, its clock and its quotas.
#[derive(Clone)]
pub(crate) struct Account {
    pub(crate) state: State,
    pub(crate) region: String,
    pub(crate) now: i64,
    pub(crate) quotas: bool,
}

/// What a call answered.
#[derive(Clone, Debug)]
pub(crate) struct Document(pub(crate) String);

/// A refusal: the code and the words.
pub(crate) type Refused = (String, String);

fn moment(now: i64, quotas: bool) -> Moment {
    Moment {
        now,
        pace: Pace::Fast,
        quotas,
    }
}

impl Account {
    /// A new account, as AWS makes it.
    pub(crate) fn new() -> Self {
        let settings = Settings {
            account: "123456789012".to_owned(),
            seed: 7,
        };
        let mut state = State::with_defaults(settings);
        let now = 1_700_000_000;
        let _ = moment(now, true).advance(&mut state);
        Self {
            state,
            region: REGION.to_owned(),
            now,
            quotas: true,
        }
    }

    pub(crate) fn context(&self) -> Context {
        Context {
            region: self.region.clone(),
            now: self.now,
            pace: Pace::Fast,
            quotas: self.quotas,
            caller: "arn:aws:iam::123456789012:root".to_owned(),
            entropy: [7; 32],
        }
    }

    /// Calls an operation; a refused one leaves the account as it was.
    pub(crate) fn call(
        &mut self,
        action: &str,
        parameters: &[(&str, &str)],
    ) -> Result<Document, Refused> {
        let pairs = parameters
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        let refused = |error: wire::error::ApiError| (error.code, error.message);
        let request = Request::parse(action, &Node::tree(pairs)).map_err(refused)?;
        let silent = |_: &InstanceId| None;
        let answer = aws::api::ec2(&self.state, &self.context(), request, "request", &silent)
            .map_err(refused)?;
        if let Some(state) = answer.state {
            self.state = state;
        }
        Ok(Document(answer.body))
    }

    /// Calls an Auto Scaling operation; time goes on a little after it.
    pub(crate) fn scaling(
        &mut self,
        action: &str,
        parameters: &[(&str, &str)],
    ) -> Result<Document, Refused> {
        let pairs = parameters
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        let refused = |error: wire::error::ApiError| (error.code, error.message);
        let tree = Node::tree(pairs);
        let request = wire::autoscaling::Request::parse(action, &tree).map_err(refused)?;
        let answer = aws::api::auto_scaling(&self.state, &self.context(), request, "request")
            .map_err(refused)?;
        if let Some(state) = answer.state {
            self.state = state;
            self.wait(0);
        }
        Ok(Document(answer.body))
    }

    /// Calls an operation of Elastic Load Balancing's second generation.
    pub(crate) fn balancing(
        &mut self,
        action: &str,
        parameters: &[(&str, &str)],
    ) -> Result<Document, Refused> {
        let pairs = parameters
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        let refused = |error: wire::error::ApiError| (error.code, error.message);
        let request =
            aws::api::load_balancer::parse(action, &Node::tree(pairs)).map_err(refused)?;
        let answer =
            aws::api::load_balancer::answer(&self.state, &self.context(), request, "request")
                .map_err(refused)?;
        if let Some(state) = answer.state {
            self.state = state;
            self.wait(0);
        }
        Ok(Document(answer.body))
    }

    /// Calls an operation of Elastic Load Balancing's first generation.
    pub(crate) fn classic(
        &mut self,
        action: &str,
        parameters: &[(&str, &str)],
    ) -> Result<Document, Refused> {
        let pairs = parameters
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        let refused = |error: wire::error::ApiError| (error.code, error.message);
        let request =
            aws::api::classic_load_balancer::parse(action, &Node::tree(pairs)).map_err(refused)?;
        let answer = aws::api::classic_load_balancer::answer(
            &self.state,
            &self.context(),
            request,
            "request",
        )
        .map_err(refused)?;
        if let Some(state) = answer.state {
            self.state = state;
            self.wait(0);
        }
        Ok(Document(answer.body))
    }

    /// Calls an operation of EKS: its method, its path with a query string, its body.
    pub(crate) fn eks(
        &mut self,
        method: &str,
        target: &str,
        body: &serde_json::Value,
    ) -> Result<serde_json::Value, Refused> {
        let (path, query) = target.split_once('?').unwrap_or((target, ""));
        let text = match body {
            serde_json::Value::Null => String::new(),
            body => body.to_string(),
        };
        let call = wire::rest_json::Call {
            method,
            path,
            query,
            body: text.as_bytes(),
        };
        let refused = |error: wire::error::ApiError| (error.code, error.message);
        let request = aws::api::eks::parse(&call).map_err(refused)?;
        let answer =
            aws::api::eks::answer(&self.state, &self.context(), request).map_err(refused)?;
        if let Some(state) = answer.state {
            self.state = state;
            self.wait(0);
        }
        Ok(serde_json::from_str(&answer.body).unwrap())
    }

    /// Calls an operation that must succeed.
    pub(crate) fn ok(&mut self, action: &str, parameters: &[(&str, &str)]) -> Document {
        self.call(action, parameters)
            .unwrap_or_else(|(code, message)| panic!("{action}: {code}: {message}"))
    }

    /// Calls an operation that must succeed and gives an element of the answer.
    pub(crate) fn make(
        &mut self,
        element: &str,
        action: &str,
        parameters: &[(&str, &str)],
    ) -> String {
        self.ok(action, parameters).one(element)
    }

    /// Calls an operation that must be refused, and gives AWS's code. Nothing may have changed.
    pub(crate) fn refused(&mut self, action: &str, parameters: &[(&str, &str)]) -> String {
        let before = self.state.clone();
        match self.call(action, parameters) {
            Ok(document) => panic!("{action} succeeded: {}", document.0),
            Err((code, _)) => {
                assert!(
                    self.state.changes(&before).is_empty(),
                    "{action} changed something"
                );
                code
            }
        }
    }

    /// Lets time pass, so that what is under way ends.
    pub(crate) fn wait(&mut self, seconds: i64) {
        self.now += seconds;
        let _ = moment(self.now, self.quotas).advance(&mut self.state);
    }

    pub(crate) fn vpc(&mut self, cidr: &str) -> String {
        self.make("vpcId", "CreateVpc", &[("CidrBlock", cidr)])
    }

    pub(crate) fn subnet(&mut self, vpc: &str, cidr: &str) -> String {
        self.make(
            "subnetId",
            "CreateSubnet",
            &[("VpcId", vpc), ("CidrBlock", cidr)],
        )
    }

    pub(crate) fn interface(&mut self, subnet: &str) -> String {
        self.make(
            "networkInterfaceId",
            "CreateNetworkInterface",
            &[("SubnetId", subnet)],
        )
    }

    pub(crate) fn group(&mut self, vpc: &str, name: &str) -> String {
        let parameters = [
            ("GroupName", name),
            ("GroupDescription", name),
            ("VpcId", vpc),
        ];
        self.make("groupId", "CreateSecurityGroup", &parameters)
    }

    /// A running instance.
    pub(crate) fn instance(&mut self, subnet: &str, more: &[(&str, &str)]) -> String {
        let image = self.make("imageId", "DescribeImages", &[]);
        let mut parameters = vec![
            ("ImageId", image.as_str()),
            ("MinCount", "1"),
            ("MaxCount", "1"),
            ("SubnetId", subnet),
        ];
        if !more.iter().any(|(name, _)| *name == "InstanceType") {
            parameters.push(("InstanceType", "t3.micro"));
        }
        parameters.extend(more);
        let id = self.make("instanceId", "RunInstances", &parameters);
        self.wait(60);
        id
    }

    /// An internet gateway attached to a VPC.
    pub(crate) fn internet_gateway(&mut self, vpc: &str) -> String {
        let gateway = self.make("internetGatewayId", "CreateInternetGateway", &[]);
        self.ok(
            "AttachInternetGateway",
            &[("InternetGatewayId", &gateway), ("VpcId", vpc)],
        );
        gateway
    }

    /// A VPC's resource of a kind: its id.
    pub(crate) fn of_vpc(&mut self, element: &str, action: &str, vpc: &str) -> String {
        self.make(
            element,
            action,
            &[("Filter.1.Name", "vpc-id"), ("Filter.1.Value.1", vpc)],
        )
    }
}

impl Document {
    pub(crate) fn all(&self, element: &str) -> Vec<String> {
        let (open, close) = (format!("<{element}>"), format!("</{element}>"));
        let rest = self.0.split(&open).skip(1);
        rest.filter_map(|rest| Some(rest.split_once(&close)?.0.to_owned()))
            .collect()
    }

    pub(crate) fn one(&self, element: &str) -> String {
        let first = self.all(element).into_iter().next();
        first.unwrap_or_else(|| panic!("no {element} in {}", self.0))
    }
}

//! Where Kubernetes clusters stand.

use crate::account::Account;
use crate::iam;
use aws::model::eks::ClusterKey;
use serde_json::{Value, json};

/// The role of clusters.
pub(crate) const ROLE: &str = "arn:aws:iam::123456789012:role/cluster";

/// Who may take the roles.
const TRUST: &str = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Service":["eks.amazonaws.com","ec2.amazonaws.com","eks-fargate-pods.amazonaws.com"]},"Action":"sts:AssumeRole"}]}"#;

/// An account with a VPC of two zones that reaches the internet.
pub(crate) struct Ground {
    pub(crate) account: Account,
    pub(crate) vpc: String,
    pub(crate) subnets: [String; 2],
}

impl Ground {
    pub(crate) fn new() -> Self {
        Self::within("192.168.0.0/16", ["192.168.0.0/19", "192.168.32.0/19"])
    }

    pub(crate) fn within(cidr: &str, subnets: [&str; 2]) -> Self {
        let mut account = Account::new();
        for role in ["cluster", "node", "pods", "dev"] {
            let asked = [("RoleName", role), ("AssumeRolePolicyDocument", TRUST)];
            iam::ok(&mut account, "CreateRole", &asked);
        }
        let vpc = account.vpc(cidr);
        account.internet_gateway(&vpc);
        let mut zones = ["us-west-2a", "us-west-2b"].into_iter();
        let subnets = subnets.map(|cidr| {
            let asked = [
                ("VpcId", vpc.as_str()),
                ("CidrBlock", cidr),
                ("AvailabilityZone", zones.next().unwrap()),
            ];
            account.make("subnetId", "CreateSubnet", &asked)
        });
        for attribute in ["EnableDnsSupport.Value", "EnableDnsHostnames.Value"] {
            let asked = [("VpcId", vpc.as_str()), (attribute, "true")];
            account.ok("ModifyVpcAttribute", &asked);
        }
        Self {
            account,
            vpc,
            subnets,
        }
    }

    /// A request for a cluster, with more or other members.
    pub(crate) fn request(&self, name: &str, more: &Value) -> Value {
        let mut asked = json!({
            "name": name,
            "roleArn": ROLE,
            "resourcesVpcConfig": { "subnetIds": self.subnets },
        });
        merge(&mut asked, more);
        asked
    }

    /// Makes a cluster whose control plane is there: as it is shown.
    pub(crate) fn cluster(&mut self, name: &str, more: &Value) -> Value {
        let asked = self.request(name, more);
        self.ok("POST", "/clusters", &asked);
        self.ready(name);
        self.shown(name)
    }

    /// The lab says that a control plane is there.
    pub(crate) fn ready(&mut self, name: &str) {
        let key = self.key(name);
        self.account.state.control_plane_ready(&key, "UEVN");
        self.account.wait(0);
    }

    pub(crate) fn key(&self, name: &str) -> ClusterKey {
        ClusterKey::new(&self.account.region, name)
    }

    pub(crate) fn shown(&mut self, name: &str) -> Value {
        let target = format!("/clusters/{name}");
        self.ok("GET", &target, &Value::Null)["cluster"].clone()
    }

    pub(crate) fn ok(&mut self, method: &str, target: &str, body: &Value) -> Value {
        let answer = self.account.eks(method, target, body);
        answer.unwrap_or_else(|(code, message)| panic!("{method} {target}: {code}: {message}"))
    }

    /// Calls what must be refused: the code and the words. Nothing may have changed.
    pub(crate) fn refusal(&mut self, method: &str, target: &str, body: &Value) -> (String, String) {
        let before = self.account.state.clone();
        match self.account.eks(method, target, body) {
            Ok(answer) => panic!("{method} {target} {body} succeeded: {answer}"),
            Err(refusal) => {
                assert!(self.account.state.changes(&before).is_empty(), "{target}");
                refusal
            }
        }
    }

    pub(crate) fn refused(&mut self, method: &str, target: &str, body: &Value) -> String {
        self.refusal(method, target, body).0
    }
}

/// Puts one object's members in another, below too.
fn merge(into: &mut Value, more: &Value) {
    for (key, value) in more.as_object().into_iter().flatten() {
        match &mut into[key] {
            present @ Value::Object(_) if value.is_object() => merge(present, value),
            place => *place = value.clone(),
        }
    }
}

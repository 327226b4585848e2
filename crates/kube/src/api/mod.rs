//! The API: requests in, answers and changes out.
//!
//! <https://kubernetes.io/docs/reference/using-api/api-concepts/>

mod admission;
mod body;
pub mod connect;
pub(crate) mod conversion;
mod defaults;
mod delete;
mod discovery;
mod field_labels;
#[cfg(test)]
mod fuzz;
mod metrics;
mod nesting;
mod node;
mod older;
mod operations;
mod patch;
mod policy;
pub mod rbac;
mod read;
mod request;
mod reviews;
mod status;
mod subresource;
mod table;
mod validation;
mod watch;
pub mod webhook;
mod write;

pub(crate) use admission::CLEANUP;
pub(crate) use connect::kubelet;
pub(crate) use metrics::GROUP as METRICS;
pub(crate) use node::rules as node_rules;
pub use read::Selection;
pub use request::{Method, Request, Target};
pub use status::{Cause, Status};
pub use watch::{Event, EventKind, Filter};
pub use webhook::{Answers, Question};

use crate::registry;
use crate::resource::Resource;
use crate::schema::rfc3339;
use crate::store::{Change, Key, Store};
use serde_json::Value;
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use std::fmt::Write;
use std::sync::Arc;
pub use workloads::{Pace, PodRange};

/// Who asks.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct User {
    /// The name, `system:serviceaccount:default:web`.
    pub name: String,
    /// The groups.
    pub groups: Vec<String>,
    /// What tells them from others of the same name; empty where nothing does.
    pub uid: String,
    /// What else is known of them.
    pub extra: BTreeMap<String, Vec<String>>,
    /// What the cloud that the cluster belongs to lets them do, besides what roles of the cluster do.
    pub grants: Vec<Grant>,
}

/// Rights that a cloud gives somebody in a cluster, without a binding there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Grant {
    /// What they may do.
    pub rights: Rights,
    /// Where: in these namespaces, whose names may end with `*`; `None` for the whole cluster.
    pub namespaces: Option<Vec<String>>,
}

/// What somebody may do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Rights {
    /// What a `ClusterRole` says, as it is now.
    Role(String),
    /// What rules say that are written as a role's.
    Rules(Vec<Value>),
}

impl User {
    /// Somebody without a token.
    pub fn anonymous() -> Self {
        Self {
            name: "system:anonymous".to_owned(),
            groups: vec!["system:unauthenticated".to_owned()],
            ..Self::default()
        }
    }

    /// As reviews and audit events tell of them: a `UserInfo`.
    pub fn value(&self) -> Value {
        let mut value = serde_json::json!({"username": self.name, "groups": self.groups});
        if !self.uid.is_empty() {
            value["uid"] = serde_json::json!(self.uid);
        }
        if !self.extra.is_empty() {
            value["extra"] = serde_json::json!(self.extra);
        }
        value
    }
}

/// What a cluster is set to.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Addresses of services lie here.
    pub service_cidr: (std::net::Ipv4Addr, u8),
    /// Node ports lie here.
    pub node_ports: std::ops::RangeInclusive<u16>,
    /// The certificate that vouches for the API, in PEM.
    pub authority: String,
    /// The version that the API says it has, `1.32`.
    pub version: String,
    /// How fast the control plane's own waiting passes.
    pub pace: Pace,
    /// Where nodes get their pods' addresses from; `None` where something else gives them.
    pub pod_range: Option<PodRange>,
    /// Where the API answers: the endpoints of the service `default/kubernetes`; none where nothing says.
    pub api_endpoints: Vec<std::net::SocketAddrV4>,
}

/// What a request brings besides itself.
#[derive(Clone, Debug)]
pub struct Context<'a> {
    /// Who asks.
    pub user: &'a User,
    /// Now, in seconds since 1970.
    pub now: i64,
    /// Fresh random bytes.
    pub entropy: [u8; 32],
    /// The cluster's settings.
    pub settings: &'a Settings,
    /// What pods and nodes use.
    pub metrics: &'a crate::metrics::Metrics,
    /// What webhooks have answered so far.
    pub answers: &'a Answers,
}

/// What a request is answered with.
#[derive(Clone, Debug)]
pub enum Answer {
    /// A document.
    Document {
        /// The HTTP status.
        code: u16,
        /// The document.
        body: Value,
        /// Its form, where it isn't plain JSON.
        content_type: Option<&'static str>,
    },
    /// Plain text.
    Text(String),
    /// Changes as they come.
    Watch(Filter),
    /// The request goes on to a node, a pod or a service.
    Backend(Box<connect::Backend>),
    /// There is nothing to say.
    Nothing,
    /// A service account's token, to be signed.
    Token {
        /// The request, its spec filled in.
        request: Value,
        /// The account.
        account: Arc<Value>,
        /// The name and uid of the node where the pod is that the token is bound to.
        node: Value,
    },
    /// Whom a token stands for, to be looked at.
    TokenReview(Value),
    /// Webhooks are to be asked first; nothing has happened. The cluster asks them and carries the request
    /// out anew; nobody else sees this.
    Questions(Vec<Question>),
}

impl Answer {
    fn document(code: u16, body: Value) -> Self {
        Self::Document {
            code,
            body,
            content_type: None,
        }
    }
}

/// A request, carried out.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// The answer.
    pub answer: Answer,
    /// The changed store and what changed in it.
    pub changed: Option<(Store, Vec<Change>)>,
    /// What the user should know, for `Warning` headers.
    pub warnings: Vec<String>,
    /// What the audit log should know.
    pub annotations: Vec<(String, String)>,
}

/// A request under way: it works on a clone of the store, which is kept only if it succeeds.
struct Call<'a> {
    store: Store,
    context: &'a Context<'a>,
    request: &'a Request,
    warnings: Vec<String>,
    annotations: Vec<(String, String)>,
    questions: Vec<Question>,
    made: u32,
}

/// Carries out a request.
///
/// # Errors
/// Kubernetes' own; nothing has changed then.
pub fn handle(store: &Store, context: &Context<'_>, request: &Request) -> Result<Outcome, Status> {
    let mut call = Call {
        store: store.clone(),
        context,
        request,
        warnings: Vec::new(),
        annotations: Vec::new(),
        questions: Vec::new(),
        made: 0,
    };
    let mut changes = Vec::new();
    let answer = match Target::parse(&request.path)? {
        None => discovery::answer(&call)?,
        Some(target) => {
            let found = registry::by_path(store, &target.group, &target.version, &target.plural);
            let resource = found.ok_or_else(Status::no_such_path)?;
            rbac::check(&call.store, context.user, request, &target, &resource)?;
            let answer = carry_out(&mut call, &resource, target);
            if !call.questions.is_empty() {
                return Ok(Outcome {
                    answer: Answer::Questions(call.questions),
                    changed: None,
                    warnings: Vec::new(),
                    annotations: Vec::new(),
                });
            }
            let (answer, made) = answer?;
            changes = made;
            answer
        }
    };
    let dry_run = call.is_dry_run();
    Ok(Outcome {
        answer,
        changed: (!changes.is_empty() && !dry_run).then_some((call.store, changes)),
        warnings: call.warnings,
        annotations: call.annotations,
    })
}

/// Carries out a request in the version that it speaks of, whatever version objects are stored in.
fn carry_out(
    call: &mut Call<'_>,
    resource: &Resource,
    target: Target,
) -> Result<(Answer, Vec<Change>), Status> {
    let brought = conversion::bring(call, resource, &target)?;
    let answer = dispatch(call, resource, target)?;
    if !call.questions.is_empty() {
        return Ok((answer, Vec::new()));
    }
    let changes = conversion::put_back(call, resource, brought)?;
    Ok((answer, changes))
}

fn dispatch(call: &mut Call<'_>, resource: &Resource, target: Target) -> Result<Answer, Status> {
    if let Some(newer) = older::newer(resource)
        && call.request.method != Method::Get
    {
        return older::answer(call, resource, newer, target);
    }
    if let Some(subresource) = target.subresource {
        if !resource.has(subresource) {
            return Err(Status::no_such_path());
        }
        return subresource::answer(call, resource, target, subresource);
    }
    if resource.is_measured() {
        return metrics::answer(call, resource, &target);
    }
    if !resource.kept {
        return reviews::answer(call, resource, &target);
    }
    match (call.request.method, &target.name) {
        (Method::Get, None) => read::list(call, resource, &target),
        (Method::Get, Some(name)) => read::get(call, resource, &target, name),
        (Method::Post, None) => write::create(call, resource, &target),
        (Method::Put, Some(name)) => write::replace(call, resource, &target, name),
        (Method::Patch, Some(name)) => patch::patch(call, resource, &target, name),
        (Method::Delete, Some(name)) => delete::delete(call, resource, &target, name),
        (Method::Delete, None) => delete::collection(call, resource, &target),
        _ => Err(Status::method_not_allowed()),
    }
}

impl Call<'_> {
    /// Whether nothing is to change.
    fn is_dry_run(&self) -> bool {
        let dry = self.request.parameter("dryRun");
        dry.is_some_and(|dry| !dry.is_empty())
    }

    /// Now, as Kubernetes writes it.
    fn now(&self) -> String {
        rfc3339(self.context.now)
    }

    fn random(&mut self) -> [u8; 32] {
        let mut hash = Sha256::new();
        hash.update(self.context.entropy);
        hash.update(self.made.to_be_bytes());
        self.made += 1;
        hash.finalize().into()
    }

    /// A fresh uid.
    fn uid(&mut self) -> String {
        let bytes = self.random();
        let mut hex = String::with_capacity(32);
        for byte in &bytes[..16] {
            // Writing to a string can't fail.
            let _ = write!(hex, "{byte:02x}");
        }
        // The version and variant of a random UUID.
        format!(
            "{}-{}-4{}-a{}-{}",
            &hex[..8],
            &hex[8..12],
            &hex[13..16],
            &hex[17..20],
            &hex[20..]
        )
    }

    /// Five letters for a generated name; no vowels, so that no words come of it.
    fn suffix(&mut self) -> String {
        const LETTERS: &[u8] = b"bcdfghjklmnpqrstvwxz2456789";
        self.random()[..5]
            .iter()
            .map(|byte| char::from(LETTERS[usize::from(*byte) % LETTERS.len()]))
            .collect()
    }
}

/// The key of an object that a path names.
fn key(resource: &Resource, target: &Target, name: &str) -> Key {
    let namespace = target.namespace.as_deref().unwrap_or_default();
    Key::new(&resource.qualified(), namespace, name)
}

//! Whether a caller may do what a request asks.
//!
//! A request asks one or more questions, each an action on a resource with keys; all must be answered by
//! the caller's policies. The root user is asked nothing. What an action's resources are follows
//! <https://docs.aws.amazon.com/service-authorization/latest/reference/reference_policies_actions-resources-contextkeys.html>:
//!
//! * EC2 ([`ec2`](self)): each resource that the request names by id at its top level (and the interfaces of
//!   RunInstances), of the kinds that the action has; a kind that the action must have and the request doesn't
//!   name is asked as `<kind>/*`, as what is about to be made. Actions without kinds, all Describe among them, are
//!   asked on `*`. Ids of associations other than interfaces', addresses' and profiles' are not resolved.
//! * Elastic Load Balancing: the resources whose ARNs stand in the request; what is made by its name.
//! * Tags that come with a creation of EC2's ask for `ec2:CreateTags` besides, with the key `ec2:CreateAction`.
//! * Handing an instance or a cluster its role asks for `iam:PassRole`; a role inside a launch template is not asked.
//! * Keys that every request has: `aws:PrincipalArn`, `aws:PrincipalAccount`, `aws:PrincipalType`,
//!   `aws:PrincipalTag/…`, `aws:userid`, `aws:username`, `aws:RequestedRegion`, `aws:CurrentTime`,
//!   `aws:EpochTime`; besides, of resources and requests, tags, and those above. Others are absent.

mod ec2;
mod identity;
mod load_balancing;
mod other;
mod parameters;

pub use parameters::of_json;

use crate::identity::{Caller, Principal};
use crate::model::iam::{Holder, role, tags, user};
use crate::model::{Context, State};
use crate::policy::{self, Decision, Document, Keys, Kind};
use std::collections::BTreeMap;
use wire::Timestamp;
use wire::error::ApiError;
use wire::query::Node;

/// A request as policies see it.
#[derive(Clone, Copy, Debug)]
pub struct Asking<'a> {
    /// The service, as signatures name it.
    pub service: &'a str,
    /// The operation's name.
    pub operation: &'a str,
    /// Its parameters.
    pub parameters: &'a Node,
    /// The HTTP path, where the service has resources in it.
    pub path: &'a str,
}

/// An action on a resource.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Question {
    action: String,
    resource: String,
    keys: Keys,
}

/// Where questions are made.
struct Place<'a> {
    state: &'a State,
    context: &'a Context,
    asking: Asking<'a>,
}

/// Checks that a caller may do what it asks.
///
/// # Errors
/// `AccessDenied`, `AccessDeniedException` or `UnauthorizedOperation`, as the service says it.
pub fn check(
    state: &State,
    context: &Context,
    caller: &Caller,
    asking: Asking<'_>,
) -> Result<(), ApiError> {
    let Some(holder) = caller.holder() else {
        return Ok(());
    };
    // Who one is may be asked by anybody, and roles' trust is STS's own matter.
    if asking.service == "sts" {
        return Ok(());
    }
    let place = Place {
        state,
        context,
        asking,
    };
    let documents = documents(state, holder);
    let of_caller = keys_of(state, context, caller);
    for question in place.questions() {
        let mut keys = of_caller.clone();
        keys.extend(question.keys);
        let asked = policy::Asked {
            action: &question.action,
            resource: &question.resource,
            keys: &keys,
        };
        let why = match policy::evaluate(&documents, asked) {
            Decision::Allowed => continue,
            Decision::Denied => "with an explicit deny in an identity-based policy".to_owned(),
            Decision::NotAllowed => format!(
                "because no identity-based policy allows the {} action",
                question.action
            ),
        };
        return Err(refusal(
            asking.service,
            caller,
            &question.action,
            &question.resource,
            &why,
        ));
    }
    Ok(())
}

/// The documents that hold for a user or role. One that can't be read allows nothing; none is stored.
pub(crate) fn documents(state: &State, holder: Holder<'_>) -> Vec<Document> {
    let grants = holder.grants(state);
    let texts = grants.map(|grants| grants.documents(state));
    texts
        .unwrap_or_default()
        .into_iter()
        .filter_map(|text| Document::parse(text, Kind::Identity).ok())
        .collect()
}

fn refusal(service: &str, caller: &Caller, action: &str, resource: &str, why: &str) -> ApiError {
    let on = match resource {
        "*" => String::new(),
        arn => format!(" on resource: {arn}"),
    };
    let words = format!(
        "User: {} is not authorized to perform: {action}{on} {why}",
        caller.arn
    );
    match service {
        "ec2" => ApiError::new(
            "UnauthorizedOperation",
            format!("You are not authorized to perform this operation. {words}"),
        ),
        "acm" | "ecr" | "ssm" => ApiError::new("AccessDeniedException", words),
        "eks" => {
            let mut error = ApiError::new("AccessDeniedException", words);
            error.status = 403;
            error
        }
        _ => ApiError::new("AccessDenied", words),
    }
}

/// The keys that every request of a caller has.
fn keys_of(state: &State, context: &Context, caller: &Caller) -> Keys {
    let mut keys = Keys::default();
    keys.put("aws:PrincipalArn", caller.principal_arn.as_str());
    keys.put("aws:PrincipalAccount", caller.account.as_str());
    keys.put("aws:userid", caller.user_id.as_str());
    keys.put("aws:RequestedRegion", context.region.as_str());
    keys.put("aws:CurrentTime", Timestamp(context.now).iso());
    keys.put("aws:EpochTime", context.now.to_string());
    let tagged = match &caller.principal {
        Principal::Root => return keys,
        Principal::User { name, .. } => {
            keys.put("aws:PrincipalType", "User");
            keys.put("aws:username", name.as_str());
            tags::Tagged::User(name)
        }
        Principal::Role { name, .. } => {
            keys.put("aws:PrincipalType", "AssumedRole");
            tags::Tagged::Role(name)
        }
    };
    for (key, value) in tags::of(state, tagged).into_iter().flatten() {
        keys.put(&format!("aws:PrincipalTag/{key}"), value.as_str());
    }
    keys
}

/// The keys for tags that a request brings.
fn request_tags(keys: &mut Keys, given: &BTreeMap<String, String>) {
    for (key, value) in given {
        keys.put(&format!("aws:RequestTag/{key}"), value.as_str());
        keys.put("aws:TagKeys", key.as_str());
    }
}

/// The keys for tags that a resource has, under AWS's common name and the service's own.
fn resource_tags(keys: &mut Keys, service: &str, own: &BTreeMap<String, String>) {
    for (key, value) in own {
        keys.put(&format!("aws:ResourceTag/{key}"), value.as_str());
        keys.put(&format!("{service}:ResourceTag/{key}"), value.as_str());
    }
}

impl Place<'_> {
    fn questions(&self) -> Vec<Question> {
        let questions = match self.asking.service {
            "ec2" => self.ec2(),
            "elasticloadbalancing" => self.load_balancing(),
            "iam" => self.identity(),
            _ => self.others(),
        };
        match questions.is_empty() {
            true => vec![self.on("*".to_owned(), Keys::default())],
            false => questions,
        }
    }

    /// The name of the operation's action.
    fn action(&self) -> String {
        format!("{}:{}", self.asking.service, self.asking.operation)
    }

    /// The question whether the operation may be done on a resource.
    fn on(&self, resource: String, keys: Keys) -> Question {
        Question {
            action: self.action(),
            resource,
            keys,
        }
    }

    /// An ARN of the service in this region.
    fn arn(&self, resource: &str) -> String {
        let (service, region) = (self.asking.service, &self.context.region);
        let account = &self.state.settings.account;
        format!("arn:aws:{service}:{region}:{account}:{resource}")
    }

    /// The question whether a role may be handed to a service.
    fn pass_role(&self, role: &str, service: &str) -> Question {
        let mut keys = Keys::default();
        keys.put("iam:PassedToService", service);
        Question {
            action: "iam:PassRole".to_owned(),
            resource: role.to_owned(),
            keys,
        }
    }

    /// A role's ARN by its name, as good as can be for one that there isn't.
    fn role_arn(&self, name: &str) -> String {
        let account = &self.state.settings.account;
        let found = role::find(self.state, name).map(|of| of.arn.clone());
        found.unwrap_or_else(|_| format!("arn:aws:iam::{account}:role/{name}"))
    }

    /// A user's ARN by its name, as good as can be for one that there isn't.
    fn user_arn(&self, name: &str) -> String {
        let account = &self.state.settings.account;
        let found = user::find(self.state, name).map(|of| of.arn.clone());
        found.unwrap_or_else(|_| format!("arn:aws:iam::{account}:user/{name}"))
    }
}

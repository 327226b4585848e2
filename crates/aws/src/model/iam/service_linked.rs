//! Roles that are linked to a service: the service's own, with a name and permissions that AWS gives.
//!
//! <https://docs.aws.amazon.com/IAM/latest/UserGuide/using-service-linked-roles.html>

use super::role::NewRole;
use super::*;

struct Linked {
    service: &'static str,
    role: &'static str,
    policy: &'static str,
    /// Whether there may be several, told apart by a suffix.
    suffix: bool,
}

const fn linked(service: &'static str, role: &'static str, policy: &'static str) -> Linked {
    Linked {
        service,
        role,
        policy,
        suffix: false,
    }
}

/// The services that have such roles here.
const SERVICES: [Linked; 5] = [
    linked(
        "eks.amazonaws.com",
        "AWSServiceRoleForAmazonEKS",
        "AmazonEKSServiceRolePolicy",
    ),
    linked(
        "eks-nodegroup.amazonaws.com",
        "AWSServiceRoleForAmazonEKSNodegroup",
        "AWSServiceRoleForAmazonEKSNodegroup",
    ),
    linked(
        "eks-fargate.amazonaws.com",
        "AWSServiceRoleForAmazonEKSForFargate",
        "AmazonEKSForFargateServiceRolePolicy",
    ),
    linked(
        "elasticloadbalancing.amazonaws.com",
        "AWSServiceRoleForElasticLoadBalancing",
        "AWSElasticLoadBalancingServiceRolePolicy",
    ),
    Linked {
        suffix: true,
        ..linked(
            "autoscaling.amazonaws.com",
            "AWSServiceRoleForAutoScaling",
            "AutoScalingServiceRolePolicy",
        )
    },
];

/// The name of a service's linked role, if it has one.
pub fn role_name(service: &str) -> Option<&'static str> {
    known(service).ok().map(|linked| linked.role)
}

fn known(service: &str) -> Result<&'static Linked, Refusal> {
    let found = SERVICES.iter().find(|linked| linked.service == service);
    found.ok_or_else(|| {
        Refusal::new(
            "InvalidInput",
            format!("Service Linked Role cannot be created for {service}: the service principal is not valid or its linked role is not available."),
        )
    })
}

fn make(
    state: &mut State,
    context: &Context,
    of: &Linked,
    name: String,
    description: Option<String>,
) -> Role {
    let service = of.service;
    let new = NewRole {
        name,
        path: Path::of_aws(&format!("/aws-service-role/{service}/")),
        trust: format!(
            r#"{{"Version":"2012-10-17","Statement":[{{"Effect":"Allow","Principal":{{"Service":"{service}"}},"Action":"sts:AssumeRole"}}]}}"#
        ),
        description,
        longest_session: role::SESSION,
        tags: Tags::new(),
    };
    let mut made = role::insert(state, context, new, Some(service.to_owned()));
    let policy = format!("arn:aws:iam::aws:policy/aws-service-role/{}", of.policy);
    made.grants.attached.insert(policy);
    state
        .iam_roles
        .insert(key(&made.name), Arc::new(made.clone()));
    made
}

/// Makes a service's linked role.
///
/// # Errors
/// `InvalidInput`: the service has none, no suffix, or the role is there already.
pub fn create(
    state: &mut State,
    context: &Context,
    service: &str,
    suffix: Option<&str>,
    description: Option<String>,
) -> Result<Role, Refusal> {
    let of = known(service)?;
    let name = match suffix {
        None => of.role.to_owned(),
        Some(suffix) if of.suffix => format!("{}_{suffix}", of.role),
        Some(_) => {
            return Err(Refusal::new(
                "InvalidInput",
                format!("Custom suffix is not allowed for {service}"),
            ));
        }
    };
    name::check(&name, "customSuffix", 64)?;
    if state.iam_roles.contains_key(&key(&name)) {
        return Err(Refusal::new(
            "InvalidInput",
            format!(
                "Service role name {name} has been taken in this account, please try a different suffix."
            ),
        ));
    }
    Ok(make(state, context, of, name, description))
}

/// Sees to it that a service has its linked role, as services do when they first need it.
///
/// # Errors
/// `InvalidInput`: the service has none.
pub fn ensure(state: &mut State, context: &Context, service: &str) -> Result<Role, Refusal> {
    let of = known(service)?;
    match state.iam_roles.get(&key(of.role)) {
        Some(role) => Ok(role.as_ref().clone()),
        None => Ok(make(state, context, of, of.role.to_owned(), None)),
    }
}

/// Whether a service still needs its role: then it can't be deleted.
fn in_use(state: &State, service: &str) -> bool {
    match service {
        "elasticloadbalancing.amazonaws.com" => {
            !state.load_balancers.is_empty() || !state.classic_load_balancers.is_empty()
        }
        "autoscaling.amazonaws.com" => !state.auto_scaling_groups.is_empty(),
        _ => false,
    }
}

/// How a deletion ended: services answer at once here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Deletion {
    /// The role is gone.
    Succeeded,
    /// The service still uses it.
    Failed,
}

/// Deletes a linked role, if its service no longer needs it. The id tells the deletion's end.
///
/// # Errors
/// `NoSuchEntity`, `InvalidInput` for a role that is none.
pub fn delete(state: &mut State, name: &str) -> Result<String, Refusal> {
    let role = role::find(state, name)?.clone();
    let Some(service) = &role.linked_to else {
        return Err(Refusal::new(
            "InvalidInput",
            format!("The role {name} is not a service-linked role."),
        ));
    };
    let uuid = auto_scaling::uuid(state);
    let path = role.path.as_str().trim_end_matches('/');
    if !in_use(state, service) {
        state.iam_roles.remove(&key(name));
    }
    Ok(format!("task{path}/{}/{uuid}", role.name))
}

/// How a deletion ended.
///
/// # Errors
/// `NoSuchEntity` for an id that is no deletion's.
pub fn deletion(state: &State, id: &str) -> Result<Deletion, Refusal> {
    let mut parts = id.rsplit('/');
    let (uuid, name) = (parts.next(), parts.next());
    match (uuid, name) {
        (Some(_), Some(name)) if id.starts_with("task/aws-service-role/") => {
            Ok(match state.iam_roles.contains_key(&key(name)) {
                true => Deletion::Failed,
                false => Deletion::Succeeded,
            })
        }
        _ => Err(missing(format!("Deletion task {id} cannot be found."))),
    }
}

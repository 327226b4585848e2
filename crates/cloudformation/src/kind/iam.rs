//! IAM: roles, policies, instance profiles and identity providers.

use super::ask::{Ask, member};
use super::{Kind, fixed, live, tags, unchanging};
use crate::step::{ID, Step, Steps, id};
use serde_json::{Value, json};
use wire::call::Service::Iam;

pub(super) const KINDS: &[Kind] = &[
    Kind {
        name: "AWS::IAM::Role",
        properties: &[
            fixed("RoleName"),
            fixed("Path"),
            live("AssumeRolePolicyDocument").required(),
            live("Description"),
            live("ManagedPolicyArns"),
            live("MaxSessionDuration"),
            live("PermissionsBoundary"),
            live("Policies"),
            live("Tags"),
        ],
        attributes: &["Arn", "RoleId"],
        create: create_role,
        update: update_role,
        delete: delete_role,
    },
    Kind {
        name: "AWS::IAM::Policy",
        properties: &[
            fixed("PolicyName").required(),
            live("PolicyDocument").required(),
            live("Roles"),
        ],
        attributes: &["Id"],
        create: create_policy,
        update: update_policy,
        delete: delete_policy,
    },
    Kind {
        name: "AWS::IAM::ManagedPolicy",
        properties: &[
            fixed("ManagedPolicyName"),
            fixed("Path"),
            fixed("Description"),
            live("PolicyDocument").required(),
            live("Roles"),
        ],
        attributes: &["PolicyArn"],
        create: create_managed,
        update: update_managed,
        delete: delete_managed,
    },
    Kind {
        name: "AWS::IAM::InstanceProfile",
        properties: &[
            fixed("InstanceProfileName"),
            fixed("Path"),
            live("Roles").required(),
        ],
        attributes: &["Arn"],
        create: create_profile,
        update: update_profile,
        delete: delete_profile,
    },
    Kind {
        name: "AWS::IAM::OIDCProvider",
        properties: &[
            fixed("Url"),
            fixed("ClientIdList"),
            fixed("ThumbprintList"),
            fixed("Tags"),
        ],
        attributes: &["Arn"],
        create: create_provider,
        update: unchanging,
        delete: delete_provider,
    },
];

const GONE: &[&str] = &["NoSuchEntity"];

/// A policy document as a text: it may be given as an object or as one.
fn document(value: &Value) -> Value {
    match value {
        Value::Object(_) => Value::from(value.to_string()),
        other => other.clone(),
    }
}

fn texts(values: &[Value]) -> Vec<String> {
    values
        .iter()
        .filter_map(Value::as_str)
        .map(str::to_owned)
        .collect()
}

/// What is in one list and not in the other.
fn only(these: &[Value], those: &[Value]) -> Vec<Value> {
    these
        .iter()
        .filter(|of| !those.contains(of))
        .cloned()
        .collect()
}

fn attach(role: &Value, policies: &[Value]) -> Vec<Step> {
    let step = |arn: &Value| {
        Step::new(
            Iam,
            "AttachRolePolicy",
            json!({ "RoleName": role, "PolicyArn": arn }),
        )
    };
    policies.iter().map(step).collect()
}

fn detach(role: &Value, policies: &[Value]) -> Vec<Step> {
    let step = |arn: &Value| {
        let given = json!({ "RoleName": role, "PolicyArn": arn });
        Step::new(Iam, "DetachRolePolicy", given).tolerates(GONE)
    };
    policies.iter().map(step).collect()
}

fn put_inline(role: &Value, policy: &Value) -> Step {
    let given = json!({
        "RoleName": role,
        "PolicyName": member(policy, "PolicyName"),
        "PolicyDocument": document(policy.get("PolicyDocument").unwrap_or(&Value::Null)),
    });
    Step::new(Iam, "PutRolePolicy", given)
}

fn delete_inline(role: &Value, name: &str) -> Step {
    let given = json!({ "RoleName": role, "PolicyName": name });
    Step::new(Iam, "DeleteRolePolicy", given).tolerates(GONE)
}

fn create_role(ask: &Ask<'_>) -> Steps {
    let name = ask.name("RoleName", 64);
    let given = json!({
        "RoleName": name,
        "Path": ask.get("Path"),
        "AssumeRolePolicyDocument": document(&ask.get("AssumeRolePolicyDocument")),
        "Description": ask.get("Description"),
        "MaxSessionDuration": ask.get("MaxSessionDuration"),
        "PermissionsBoundary": ask.get("PermissionsBoundary"),
        "Tags": tags::listed(ask),
    });
    let made = Step::new(Iam, "CreateRole", given)
        .learns(ID, "/Role/RoleName")
        .learns("Arn", "/Role/Arn")
        .learns("RoleId", "/Role/RoleId");
    let mut steps = vec![made];
    steps.extend(attach(&id(), &ask.list("ManagedPolicyArns")));
    steps.extend(
        ask.list("Policies")
            .iter()
            .map(|policy| put_inline(&id(), policy)),
    );
    Ok(steps)
}

fn update_role(ask: &Ask<'_>) -> Steps {
    let role = Value::from(ask.id());
    let mut steps = Vec::new();
    if ask.changed("AssumeRolePolicyDocument") {
        let document = document(&ask.get("AssumeRolePolicyDocument"));
        let given = json!({ "RoleName": role, "PolicyDocument": document });
        steps.push(Step::new(Iam, "UpdateAssumeRolePolicy", given));
    }
    if ask.changed("Description") || ask.changed("MaxSessionDuration") {
        let given = json!({
            "RoleName": role,
            "Description": ask.text("Description").unwrap_or_default(),
            "MaxSessionDuration": ask.text("MaxSessionDuration").unwrap_or_else(|| "3600".to_owned()),
        });
        steps.push(Step::new(Iam, "UpdateRole", given));
    }
    if ask.changed("PermissionsBoundary") {
        let boundary = ask.get("PermissionsBoundary");
        let (operation, given) = if boundary.is_null() {
            ("DeleteRolePermissionsBoundary", json!({ "RoleName": role }))
        } else {
            let given = json!({ "RoleName": role, "PermissionsBoundary": boundary });
            ("PutRolePermissionsBoundary", given)
        };
        steps.push(Step::new(Iam, operation, given));
    }
    let (before, after) = (
        ask.list_before("ManagedPolicyArns"),
        ask.list("ManagedPolicyArns"),
    );
    steps.extend(attach(&role, &only(&after, &before)));
    steps.extend(detach(&role, &only(&before, &after)));
    let (before, after) = (ask.list_before("Policies"), ask.list("Policies"));
    let kept: Vec<Option<String>> = after
        .iter()
        .map(|policy| member(policy, "PolicyName"))
        .collect();
    steps.extend(
        only(&after, &before)
            .iter()
            .map(|policy| put_inline(&role, policy)),
    );
    let names = before
        .iter()
        .filter_map(|policy| member(policy, "PolicyName"));
    let gone = names.filter(|name| !kept.contains(&Some(name.clone())));
    steps.extend(gone.map(|name| delete_inline(&role, &name)));
    if let Some(difference) = tags::difference(ask) {
        if !difference.gone.is_empty() {
            let given = json!({ "RoleName": role, "TagKeys": difference.gone });
            steps.push(Step::new(Iam, "UntagRole", given));
        }
        if !difference.new.is_empty() {
            let given = json!({ "RoleName": role, "Tags": tags::pairs(&difference.new) });
            steps.push(Step::new(Iam, "TagRole", given));
        }
    }
    Ok(steps)
}

fn delete_role(ask: &Ask<'_>) -> Steps {
    let role = Value::from(ask.id());
    let mut steps = detach(&role, &ask.list("ManagedPolicyArns"));
    let inline = ask.list("Policies");
    let names = inline
        .iter()
        .filter_map(|policy| member(policy, "PolicyName"));
    steps.extend(names.map(|name| delete_inline(&role, &name)));
    let given = json!({ "RoleName": role });
    steps.push(Step::new(Iam, "DeleteRole", given).tolerates(GONE));
    Ok(steps)
}

/// An inline policy of several roles. Its physical id is nothing that IAM knows.
fn create_policy(ask: &Ask<'_>) -> Steps {
    let name = Value::from(ask.name("", 64));
    let policy = Value::Object(ask.properties.clone());
    let roles = ask.list("Roles");
    if roles.is_empty() {
        return Err("At least one of [Groups,Roles,Users] must be non-empty.".to_owned());
    }
    let steps = roles.iter().map(|role| {
        put_inline(role, &policy)
            .knows(ID, name.clone())
            .knows("Id", name.clone())
    });
    Ok(steps.collect())
}

fn update_policy(ask: &Ask<'_>) -> Steps {
    let policy = Value::Object(ask.properties.clone());
    let (before, after) = (ask.list_before("Roles"), ask.list("Roles"));
    let mut steps: Vec<Step> = after.iter().map(|role| put_inline(role, &policy)).collect();
    let name = ask.required("PolicyName")?;
    let gone = only(&before, &after);
    steps.extend(gone.iter().map(|role| delete_inline(role, &name)));
    Ok(steps)
}

fn delete_policy(ask: &Ask<'_>) -> Steps {
    let name = ask.required("PolicyName")?;
    let roles = ask.list("Roles");
    Ok(roles
        .iter()
        .map(|role| delete_inline(role, &name))
        .collect())
}

fn create_managed(ask: &Ask<'_>) -> Steps {
    let given = json!({
        "PolicyName": ask.name("ManagedPolicyName", 128),
        "Path": ask.get("Path"),
        "Description": ask.get("Description"),
        "PolicyDocument": document(&ask.get("PolicyDocument")),
    });
    let made = Step::new(Iam, "CreatePolicy", given)
        .learns(ID, "/Policy/Arn")
        .learns("PolicyArn", "/Policy/Arn");
    let mut steps = vec![made];
    let attach = |role: &Value| {
        Step::new(
            Iam,
            "AttachRolePolicy",
            json!({ "RoleName": role, "PolicyArn": id() }),
        )
    };
    steps.extend(ask.list("Roles").iter().map(attach));
    Ok(steps)
}

fn update_managed(ask: &Ask<'_>) -> Steps {
    let arn = Value::from(ask.id());
    let mut steps = Vec::new();
    if ask.changed("PolicyDocument") {
        let document = document(&ask.get("PolicyDocument"));
        let given = json!({ "PolicyArn": arn, "PolicyDocument": document, "SetAsDefault": true });
        steps.push(Step::new(Iam, "CreatePolicyVersion", given));
    }
    let (before, after) = (ask.list_before("Roles"), ask.list("Roles"));
    let arns = [arn];
    steps.extend(
        only(&after, &before)
            .iter()
            .flat_map(|role| attach(role, &arns)),
    );
    steps.extend(
        only(&before, &after)
            .iter()
            .flat_map(|role| detach(role, &arns)),
    );
    Ok(steps)
}

fn delete_managed(ask: &Ask<'_>) -> Steps {
    let arns = [Value::from(ask.id())];
    let mut steps: Vec<Step> = ask
        .list("Roles")
        .iter()
        .flat_map(|role| detach(role, &arns))
        .collect();
    let given = json!({ "PolicyArn": ask.id() });
    steps.push(Step::new(Iam, "DeletePolicy", given).tolerates(GONE));
    Ok(steps)
}

fn create_profile(ask: &Ask<'_>) -> Steps {
    let given = json!({
        "InstanceProfileName": ask.name("InstanceProfileName", 128),
        "Path": ask.get("Path"),
    });
    let made = Step::new(Iam, "CreateInstanceProfile", given)
        .learns(ID, "/InstanceProfile/InstanceProfileName")
        .learns("Arn", "/InstanceProfile/Arn");
    let mut steps = vec![made];
    steps.extend(
        texts(&ask.list("Roles"))
            .iter()
            .map(|role| add_role(&id(), role)),
    );
    Ok(steps)
}

fn add_role(profile: &Value, role: &str) -> Step {
    let given = json!({ "InstanceProfileName": profile, "RoleName": role });
    Step::new(Iam, "AddRoleToInstanceProfile", given)
}

fn remove_role(profile: &Value, role: &str) -> Step {
    let given = json!({ "InstanceProfileName": profile, "RoleName": role });
    Step::new(Iam, "RemoveRoleFromInstanceProfile", given).tolerates(GONE)
}

fn update_profile(ask: &Ask<'_>) -> Steps {
    let profile = Value::from(ask.id());
    let (before, after) = (ask.list_before("Roles"), ask.list("Roles"));
    let gone = texts(&only(&before, &after));
    let mut steps: Vec<Step> = gone
        .iter()
        .map(|role| remove_role(&profile, role))
        .collect();
    let new = texts(&only(&after, &before));
    steps.extend(new.iter().map(|role| add_role(&profile, role)));
    Ok(steps)
}

fn delete_profile(ask: &Ask<'_>) -> Steps {
    let profile = Value::from(ask.id());
    let roles = texts(&ask.list("Roles"));
    let mut steps: Vec<Step> = roles
        .iter()
        .map(|role| remove_role(&profile, role))
        .collect();
    let given = json!({ "InstanceProfileName": profile });
    steps.push(Step::new(Iam, "DeleteInstanceProfile", given).tolerates(GONE));
    Ok(steps)
}

fn create_provider(ask: &Ask<'_>) -> Steps {
    let given = json!({
        "Url": ask.get("Url"),
        "ClientIDList": ask.get("ClientIdList"),
        "ThumbprintList": ask.get("ThumbprintList"),
        "Tags": tags::listed(ask),
    });
    let step = Step::new(Iam, "CreateOpenIDConnectProvider", given)
        .learns(ID, "/OpenIDConnectProviderArn")
        .learns("Arn", "/OpenIDConnectProviderArn");
    Ok(vec![step])
}

fn delete_provider(ask: &Ask<'_>) -> Steps {
    let given = json!({ "OpenIDConnectProviderArn": ask.id() });
    Ok(vec![
        Step::new(Iam, "DeleteOpenIDConnectProvider", given).tolerates(GONE),
    ])
}

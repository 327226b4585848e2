#![allow(clippy::unwrap_used)]
use super::*;
use crate::step::Verdict;
use serde_json::{Value, json};
use wire::error::ApiError;

struct Outside;

impl World for Outside {
    fn zones(&self, region: &str) -> Vec<String> {
        ["a", "b"].map(|zone| format!("{region}{zone}")).to_vec()
    }

    fn export(&self, name: &str) -> Option<String> {
        (name == "taken").then(|| "x".to_owned())
    }
}

const NETWORK: &str = "
Resources:
  VPC: { Type: 'AWS::EC2::VPC', Properties: { CidrBlock: 10.0.0.0/16 } }
  Gateway: { Type: 'AWS::EC2::InternetGateway' }
  Attachment:
    Type: AWS::EC2::VPCGatewayAttachment
    Properties: { VpcId: !Ref VPC, InternetGatewayId: !Ref Gateway }
  Group:
    Type: AWS::EC2::SecurityGroup
    Properties: { GroupDescription: nodes, VpcId: !Ref VPC }
Outputs:
  VPC: { Value: !Ref VPC, Export: { Name: !Sub '${AWS::StackName}::VPC' } }
";

fn definition(template: &str) -> Definition {
    Definition {
        template: template.to_owned(),
        parameters: BTreeMap::new(),
        tags: BTreeMap::new(),
        capabilities: Vec::new(),
    }
}

fn create(template: &str, on_failure: OnFailure) -> Stack {
    let start = Start {
        id: "arn:aws:cloudformation:us-west-2:1:stack/net/u".to_owned(),
        name: "net".to_owned(),
        account: "1".to_owned(),
        region: "us-west-2".to_owned(),
        definition: definition(template),
        on_failure,
        protected: false,
        timeout_minutes: None,
        token: None,
    };
    Stack::create(start, &Outside, 0)
}

/// An answer that has everything any step learns.
fn anything(due: &Due, number: usize) -> Value {
    let id = format!("{}-{number}", due.logical);
    json!({
        "vpc": { "vpcId": id, "cidrBlock": "10.0.0.0/16" },
        "internetGateway": { "internetGatewayId": id },
        "groupId": id,
        "securityGroupInfo": [{ "groupId": "sg-d", "vpcId": "vpc-x" }],
        "networkAclSet": [{ "networkAclId": "acl-d" }],
    })
}

/// Carries on until nothing is due; the calls of the resources named fail, when they make or change.
fn run(stack: &mut Stack, failing: &[&str]) -> Vec<String> {
    let mut calls = Vec::new();
    while let Some(due) = stack.due().into_iter().next() {
        calls.push(format!("{} {}", due.call.operation, due.logical));
        let fails = failing.contains(&due.logical.as_str()) && due.verb != Verb::Delete;
        let answer = if fails {
            Err(ApiError::new("Denied", "no"))
        } else {
            Ok(anything(&due, calls.len()))
        };
        let verdict = due.judge(&answer);
        stack.learn(&due, verdict, &Outside, 1);
    }
    calls
}

fn statuses(stack: &Stack) -> Vec<&str> {
    let own = stack.events.iter().filter(|event| event.kind == TYPE);
    own.map(|event| event.status.as_str()).collect()
}

fn place(calls: &[String], call: &str) -> usize {
    calls
        .iter()
        .position(|of| of == call)
        .unwrap_or_else(|| panic!("{call} in {calls:?}"))
}

/// AWS-EKSCTL: what others need is made first and deleted last; outputs and exports follow.
#[test]
fn a_stack_is_made_and_deleted_in_the_order_of_its_needs() {
    let mut stack = create(NETWORK, OnFailure::Rollback);
    // What needs nothing starts at once, side by side.
    assert_eq!(stack.due().len(), 2);
    let calls = run(&mut stack, &[]);
    assert!(place(&calls, "AttachInternetGateway Attachment") > place(&calls, "CreateVpc VPC"));
    assert_eq!(stack.status, StackStatus::CreateComplete);
    let output = &stack.outputs[0];
    assert_eq!(output.export.as_deref(), Some("net::VPC"));
    assert_eq!(
        Some(&output.value),
        stack.resource("VPC").unwrap().physical.as_ref()
    );
    let told: Vec<&str> = stack
        .events
        .iter()
        .filter(|event| event.logical == "VPC")
        .map(|event| event.status.as_str())
        .collect();
    assert_eq!(
        told,
        [
            "CREATE_IN_PROGRESS",
            "CREATE_IN_PROGRESS",
            "CREATE_COMPLETE"
        ]
    );

    stack.delete(&[], &Outside, 2);
    let calls = run(&mut stack, &[]);
    assert!(place(&calls, "DeleteVpc VPC") > place(&calls, "DeleteSecurityGroup Group"));
    assert!(place(&calls, "DeleteVpc VPC") > place(&calls, "DetachInternetGateway Attachment"));
    assert_eq!(stack.status, StackStatus::DeleteComplete);
    assert!(stack.resources.iter().all(Resource::gone));
}

#[test]
fn a_failure_takes_back_what_was_made_and_no_more() {
    let mut stack = create(NETWORK, OnFailure::Rollback);
    let calls = run(&mut stack, &["Group"]);
    assert_eq!(stack.status, StackStatus::RollbackComplete);
    assert!(!calls.contains(&"DeleteSecurityGroup Group".to_owned()));
    place(&calls, "DeleteVpc VPC");
    let ends = [
        "CREATE_IN_PROGRESS",
        "ROLLBACK_IN_PROGRESS",
        "ROLLBACK_COMPLETE",
    ];
    assert_eq!(statuses(&stack), ends);
    let reason = "no (Service: Ec2, Status Code: 400, Error Code: Denied)";
    assert!(
        stack
            .events
            .iter()
            .any(|event| event.reason.as_deref() == Some(reason))
    );

    let mut kept = create(NETWORK, OnFailure::Nothing);
    run(&mut kept, &["Group"]);
    assert_eq!(kept.status, StackStatus::CreateFailed);
    assert!(kept.resource("VPC").unwrap().physical.is_some());
}

#[test]
fn an_update_changes_in_place_or_replaces_and_cleans_up() {
    let mut stack = create(NETWORK, OnFailure::Rollback);
    run(&mut stack, &[]);
    let vpc = stack.resource("VPC").unwrap().physical.clone();
    let group = stack.resource("Group").unwrap().physical.clone();
    let next = NETWORK
        .replace("GroupDescription: nodes", "GroupDescription: other")
        .replace("10.0.0.0/16 }", "10.0.0.0/16, EnableDnsHostnames: true }");
    let planned = stack.plan(&definition(&next), &Outside).unwrap();
    let actions: Vec<(&str, Action)> = planned
        .iter()
        .map(|of| (of.logical.as_str(), of.action))
        .collect();
    let expected = [
        (
            "Group",
            Action::Modify {
                replace: Some(true),
            },
        ),
        (
            "VPC",
            Action::Modify {
                replace: Some(false),
            },
        ),
    ];
    assert_eq!(actions, expected);
    stack.update(definition(&next), &Outside, 3);
    let calls = run(&mut stack, &[]);
    assert_eq!(stack.status, StackStatus::UpdateComplete);
    place(&calls, "ModifyVpcAttribute VPC");
    assert!(
        place(&calls, "DeleteSecurityGroup Group") > place(&calls, "CreateSecurityGroup Group")
    );
    assert_eq!(stack.resource("VPC").unwrap().physical, vpc);
    assert_ne!(stack.resource("Group").unwrap().physical, group);
    assert_eq!(stack.resources.len(), 4);

    let without = NETWORK.split("  Group:").next().unwrap().to_owned();
    stack.update(definition(&without), &Outside, 4);
    let calls = run(&mut stack, &[]);
    place(&calls, "DeleteSecurityGroup Group");
    assert_eq!(stack.resources.len(), 3);
}

#[test]
fn a_failed_update_brings_back_what_was() {
    let mut stack = create(NETWORK, OnFailure::Rollback);
    run(&mut stack, &[]);
    let group = stack.resource("Group").unwrap().physical.clone();
    let next = NETWORK.replace("GroupDescription: nodes", "GroupDescription: other")
        + "
  X: { Value: 1, Export: { Name: taken } }";
    stack.update(definition(&next), &Outside, 3);
    let calls = run(&mut stack, &[]);
    place(&calls, "CreateSecurityGroup Group");
    assert_eq!(stack.status, StackStatus::UpdateRollbackComplete);
    assert_eq!(stack.resource("Group").unwrap().physical, group);
    assert_eq!(stack.definition.template, NETWORK);
    let told = statuses(&stack);
    assert!(
        told.contains(&"UPDATE_ROLLBACK_COMPLETE_CLEANUP_IN_PROGRESS"),
        "{told:?}"
    );
}

/// A lab that is killed goes on from the record alone.
#[test]
fn the_record_says_everything() {
    let mut stack = create(NETWORK, OnFailure::Rollback);
    for _ in 0..40 {
        let record = serde_json::to_string(&stack).unwrap();
        stack = serde_json::from_str(&record).unwrap();
        let Some(due) = stack.due().pop() else {
            break;
        };
        let verdict = due.judge(&Ok(anything(&due, 7)));
        stack.learn(&due, verdict, &Outside, 1);
    }
    assert_eq!(stack.status, StackStatus::CreateComplete);
}

#[test]
fn what_was_broken_off_is_not_called_any_more() {
    let mut stack = create(NETWORK, OnFailure::Rollback);
    let due = stack.due();
    let verdict = Verdict::Failed("no".to_owned());
    stack.learn(&due[0], verdict, &Outside, 1);
    assert!(!stack.wants(&due[1]));
    assert_eq!(stack.status, StackStatus::RollbackComplete);
}

#[test]
fn policies_keep_resources() {
    let kept = NETWORK.replace("Gateway: {", "Gateway: { DeletionPolicy: Retain,");
    let mut stack = create(&kept, OnFailure::Rollback);
    run(&mut stack, &[]);
    stack.delete(&[], &Outside, 2);
    let calls = run(&mut stack, &[]);
    assert!(!calls.contains(&"DeleteInternetGateway Gateway".to_owned()));
    assert_eq!(stack.status, StackStatus::DeleteComplete);
    let gateway = stack
        .resources
        .iter()
        .find(|of| of.logical == "Gateway")
        .unwrap();
    assert_eq!(gateway.status.to_string(), "DELETE_SKIPPED");
}

#[test]
fn templates_that_cannot_be_say_why() {
    for (template, words) in [
        (
            "Description: x",
            "Template format error: At least one Resources member must be defined.",
        ),
        (
            "Resources: { A: { Type: 'AWS::Nope::Thing' }, B: { Type: 'AWS::A::B' } }",
            "Template format error: Unrecognized resource types: [AWS::A::B, AWS::Nope::Thing]",
        ),
        (
            "Resources: { A: { Type: 'AWS::EC2::VPC', Properties: { CidrBlock: !Ref X } } }",
            "Template format error: Unresolved resource dependencies [X] in the Resources block of the template",
        ),
        (
            "Resources: { A: { Type: 'AWS::EC2::VPC', DependsOn: B }, B: { Type: 'AWS::EC2::VPC', DependsOn: A } }",
            "Circular dependency between resources: [A, B]",
        ),
        (
            "Resources: { A: { Type: 'AWS::EC2::VPC' } }\nOutputs: { O: { Value: !GetAtt A.Nope } }",
            "Template error: resource A does not support attribute type Nope in Fn::GetAtt",
        ),
        (
            "Transform: AWS::Serverless-2016-10-31\nResources: { A: { Type: 'AWS::EC2::VPC' } }",
            "The section Transform is not implemented by Skylab",
        ),
    ] {
        assert_eq!(Template::read(template).unwrap_err().to_string(), words);
    }
}

#[test]
fn what_cannot_be_deleted_keeps_what_it_needs() {
    let mut stack = create(NETWORK, OnFailure::Rollback);
    run(&mut stack, &[]);
    stack.delete(&[], &Outside, 2);
    while let Some(due) = stack.due().into_iter().next() {
        let answer = match due.logical.as_str() {
            "Group" => Err(ApiError::new("Denied", "no")),
            _ => Ok(anything(&due, 1)),
        };
        stack.learn(&due, due.judge(&answer), &Outside, 3);
    }
    assert_eq!(stack.status, StackStatus::DeleteFailed);
    let reason = "The following resource(s) failed to delete: [Group]. ";
    assert_eq!(stack.reason.as_deref(), Some(reason));
    assert_eq!(
        stack.resource("VPC").map(|of| of.status.to_string()),
        None,
        "what is doomed isn't wanted"
    );
    // Deleted again, the group may be left where it is.
    stack.delete(&["Group".to_owned()], &Outside, 4);
    run(&mut stack, &[]);
    assert_eq!(stack.status, StackStatus::DeleteComplete);
}

//! CloudFormation in a running lab, by aws-cli: a stack like eksctl's is made, changed, rolled back, deleted.

use crate::lab::{Lab, text};
use crate::walkthrough::{absent, client, runs};
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::thread;
use std::time::{Duration, Instant};

/// A template as a file in the lab's state, which goes with it.
fn file(lab: &Lab, name: &str, template: &str) -> String {
    let path: PathBuf = lab.state().join(name);
    std::fs::write(&path, template).unwrap();
    format!("file://{}", path.display())
}

fn run(lab: &Lab, words: &[&str]) -> Output {
    let mut command = client(lab, "aws", Path::new("/tmp"));
    command
        .args(words)
        .args(["--output", "text"])
        .output()
        .unwrap()
}

fn aws(lab: &Lab, words: &[&str]) -> String {
    let output = run(lab, words);
    let said = text(&output.stderr);
    assert!(
        output.status.success(),
        "{words:?}: {said}\n{}",
        events(lab)
    );
    text(&output.stdout).trim().to_owned()
}

/// What happened to the stack, for those who look for the reason.
fn events(lab: &Lab) -> String {
    let words = [
        "cloudformation",
        "describe-stack-events",
        "--stack-name",
        "net",
        "--query",
    ];
    let query = "StackEvents[].[LogicalResourceId,ResourceStatus,ResourceStatusReason]";
    text(&run(lab, &[&words[..], &[query]].concat()).stdout)
}

/// Waits until a stack, by its ARN, stands as it should.
fn settle(lab: &Lab, stack: &str, wanted: &str) {
    let begun = Instant::now();
    loop {
        let words = ["cloudformation", "describe-stacks", "--stack-name", stack];
        let status = aws(
            lab,
            &[&words[..], &["--query", "Stacks[0].StackStatus"]].concat(),
        );
        if status == wanted {
            return;
        }
        let going = status.ends_with("_IN_PROGRESS");
        let waited = begun.elapsed() < Duration::from_secs(120);
        assert!(going && waited, "{status}, not {wanted}:\n{}", events(lab));
        thread::sleep(Duration::from_millis(300));
    }
}

const TEMPLATE: &str = "
Parameters:
  Cidr: { Type: String, Default: 192.168.0.0/16 }
Resources:
  VPC:
    Type: AWS::EC2::VPC
    Properties:
      CidrBlock: !Ref Cidr
      EnableDnsHostnames: true
      Tags: [{ Key: Name, Value: !Sub '${AWS::StackName}/VPC' }]
  InternetGateway: { Type: AWS::EC2::InternetGateway }
  VPCGatewayAttachment:
    Type: AWS::EC2::VPCGatewayAttachment
    Properties: { VpcId: !Ref VPC, InternetGatewayId: !Ref InternetGateway }
  PublicRouteTable:
    Type: AWS::EC2::RouteTable
    Properties: { VpcId: !Ref VPC }
  PublicSubnetRoute:
    Type: AWS::EC2::Route
    DependsOn: [VPCGatewayAttachment]
    Properties: { RouteTableId: !Ref PublicRouteTable, DestinationCidrBlock: 0.0.0.0/0, GatewayId: !Ref InternetGateway }
  SubnetPublic:
    Type: AWS::EC2::Subnet
    Properties:
      VpcId: !Ref VPC
      AvailabilityZone: !Select [0, !GetAZs '']
      CidrBlock: !Select [0, !Cidr [!GetAtt VPC.CidrBlock, 8, 13]]
      MapPublicIpOnLaunch: true
  RouteTableAssociation:
    Type: AWS::EC2::SubnetRouteTableAssociation
    Properties: { SubnetId: !Ref SubnetPublic, RouteTableId: !Ref PublicRouteTable }
  NATIP: { Type: AWS::EC2::EIP, Properties: { Domain: vpc }, DependsOn: [VPCGatewayAttachment] }
  NATGateway:
    Type: AWS::EC2::NatGateway
    Properties: { SubnetId: !Ref SubnetPublic, AllocationId: !GetAtt NATIP.AllocationId }
  NodeSecurityGroup:
    Type: AWS::EC2::SecurityGroup
    Properties: { GroupDescription: Communication between all nodes in the cluster, VpcId: !Ref VPC }
  IngressInterNodeGroupSG:
    Type: AWS::EC2::SecurityGroupIngress
    Properties: { GroupId: !Ref NodeSecurityGroup, SourceSecurityGroupId: !Ref NodeSecurityGroup, IpProtocol: '-1', FromPort: 0, ToPort: 65535 }
  ServiceRole:
    Type: AWS::IAM::Role
    Properties:
      AssumeRolePolicyDocument: { Version: 2012-10-17, Statement: [{ Effect: Allow, Action: 'sts:AssumeRole', Principal: { Service: eks.amazonaws.com } }] }
      ManagedPolicyArns: [!Sub 'arn:${AWS::Partition}:iam::aws:policy/AmazonEKSClusterPolicy']
Outputs:
  VPC: { Value: !Ref VPC, Export: { Name: !Sub '${AWS::StackName}::VPC' } }
  Role: { Value: !GetAtt ServiceRole.Arn }
";

/// AWS-EKSCTL: CloudFormation's API makes a stack like eksctl's, changes it by a change set, takes back what fails,
/// and deletes it with all that it made; a lab that is killed meanwhile goes on.
#[test]
fn a_stack_like_eksctls_is_made_changed_and_deleted() {
    if !runs(Command::new("aws").arg("--version")) {
        return absent("aws");
    }
    let Some(lab) = Lab::start(&["--packets", "none"]) else {
        return;
    };
    let body = file(&lab, "net.yaml", TEMPLATE);
    let named = ["--stack-name", "net"];
    let create = ["cloudformation", "create-stack", "--template-body", &body];
    let refused = run(&lab, &[&create[..], &named].concat());
    assert!(text(&refused.stderr).contains("InsufficientCapabilitiesException"));
    let iam = [
        "--capabilities",
        "CAPABILITY_IAM",
        "--tags",
        "Key=team,Value=net",
    ];
    aws(&lab, &[&create[..], &named, &iam].concat());
    lab.kill();
    lab.gone();
    assert!(lab.up(&["--packets", "none"]).status.success());
    let described = [
        "cloudformation",
        "describe-stacks",
        "--query",
        "Stacks[0].StackId",
    ];
    let stack = aws(&lab, &[&described[..], &named].concat());
    settle(&lab, &stack, "CREATE_COMPLETE");
    // aws-cli's waiters know the end when they see it.
    aws(
        &lab,
        &[
            &["cloudformation", "wait", "stack-create-complete"][..],
            &named,
        ]
        .concat(),
    );

    let query = [
        "--query",
        "Stacks[0].Outputs[?OutputKey=='VPC'].OutputValue",
    ];
    let vpc = aws(
        &lab,
        &[&["cloudformation", "describe-stacks"][..], &named, &query].concat(),
    );
    let tags = ["ec2", "describe-tags", "--filters"];
    let of = format!("Name=resource-id,Values={vpc}");
    let tags = aws(&lab, &[&tags[..], &[&of]].concat());
    for tag in ["net/VPC", "aws:cloudformation:stack-name", "team"] {
        assert!(tags.contains(tag), "{tag} in {tags}");
    }
    assert!(aws(&lab, &["cloudformation", "list-exports"]).contains("net::VPC"));

    // `deploy` makes a change set and executes it.
    let next = TEMPLATE.replace("MapPublicIpOnLaunch: true", "MapPublicIpOnLaunch: false");
    file(&lab, "next.yaml", &next);
    let path = lab.state().join("next.yaml");
    let deploy = [
        "cloudformation",
        "deploy",
        "--template-file",
        path.to_str().unwrap(),
    ];
    aws(&lab, &[&deploy[..], &named, &iam[..2]].concat());
    let unchanged = run(&lab, &[&deploy[..], &named, &iam[..2]].concat());
    let said = text(&unchanged.stderr) + &text(&unchanged.stdout);
    assert!(said.contains("No changes to deploy"), "{said}");

    // A subnet that can't be: everything goes back to what it was.
    let other = "  Other:
    Type: AWS::EC2::Subnet
    Properties: { VpcId: !Ref VPC, CidrBlock: 10.9.0.0/24 }
Outputs:";
    let wrong = next.replace("Outputs:", other);
    let wrong = file(&lab, "wrong.yaml", &wrong);
    let update = ["cloudformation", "update-stack", "--template-body", &wrong];
    aws(&lab, &[&update[..], &named, &iam[..2]].concat());
    settle(&lab, &stack, "UPDATE_ROLLBACK_COMPLETE");
    assert!(
        events(&lab).contains("Ec2, Status Code: 400, Error Code: InvalidSubnet.Range"),
        "{}",
        events(&lab)
    );

    aws(
        &lab,
        &[&["cloudformation", "delete-stack"][..], &named].concat(),
    );
    settle(&lab, &stack, "DELETE_COMPLETE");
    aws(
        &lab,
        &[
            &["cloudformation", "wait", "stack-delete-complete"][..],
            &named,
        ]
        .concat(),
    );
    let left = aws(
        &lab,
        &[
            "ec2",
            "describe-vpcs",
            "--filters",
            "Name=is-default,Values=false",
        ],
    );
    assert_eq!(left, "");
    assert!(!aws(&lab, &["iam", "list-roles"]).contains("ServiceRole"));
}

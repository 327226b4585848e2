#![allow(clippy::unwrap_used)]
use super::*;
use serde_json::json;

struct Outside;

impl World for Outside {
    fn zones(&self, region: &str) -> Vec<String> {
        ["a", "b"].map(|zone| format!("{region}{zone}")).to_vec()
    }

    fn export(&self, name: &str) -> Option<String> {
        (name == "net::VPC").then(|| "vpc-9".to_owned())
    }
}

const TEMPLATE: &str = "
Parameters:
  Stage: { Type: String, Default: test }
  Ports: { Type: CommaDelimitedList, Default: '80, 443' }
Mappings:
  Sizes: { test: { Nodes: 1 }, prod: { Nodes: 3 } }
Conditions:
  IsProd: !Equals [!Ref Stage, prod]
  NotProd: !Not [!Condition IsProd]
  Both: !And [!Condition IsProd, !Condition NotProd]
  Either: !Or [!Condition IsProd, !Condition NotProd]
Resources:
  VPC: { Type: 'AWS::EC2::VPC', Properties: { CidrBlock: 10.0.0.0/16 } }
  Later: { Type: 'AWS::EC2::InternetGateway' }
";

/// What an expression in YAML gives in the template above, with one resource made.
fn eval(expression: &str) -> Result<Option<Value>, Unanswered> {
    let template = Template::read(TEMPLATE).unwrap();
    let parameters = template.parameters.iter().map(|(name, declared)| {
        let value = declared.default.clone().unwrap();
        (
            name.clone(),
            Given {
                value,
                stored: None,
            },
        )
    });
    let parameters = parameters.collect();
    let place = Place {
        account: "123456789012".to_owned(),
        region: "us-west-2".to_owned(),
        stack: "net".to_owned(),
        id: "arn:aws:cloudformation:us-west-2:123456789012:stack/net/x".to_owned(),
    };
    let attributes = [("CidrBlock".to_owned(), json!("10.0.0.0/16"))]
        .into_iter()
        .collect();
    let known = |name: &str| {
        (name == "VPC").then_some(Known {
            physical: "vpc-1",
            attributes: &attributes,
        })
    };
    let scope = Scope {
        template: &template,
        parameters: &parameters,
        place: &place,
        world: &Outside,
        resources: &known,
        imported: RefCell::default(),
    };
    let document = crate::document::read(&format!("X: {expression}")).unwrap();
    scope.value(&document["X"])
}

/// AWS-EKSCTL: every function that a template may use gives what AWS documents.
#[test]
fn functions_give_what_they_should() {
    let cases = [
        ("!Ref VPC", json!("vpc-1")),
        ("!Ref AWS::Region", json!("us-west-2")),
        ("!Ref Ports", json!(["80", "443"])),
        ("!GetAtt VPC.CidrBlock", json!("10.0.0.0/16")),
        (
            "!Sub '${AWS::StackName}/${VPC}-${VPC.CidrBlock}-${!Kept}'",
            json!("net/vpc-1-10.0.0.0/16-${Kept}"),
        ),
        ("!Sub ['${A}${Stage}', { A: !Ref VPC }]", json!("vpc-1test")),
        ("!Join ['-', [a, !Ref VPC, 3]]", json!("a-vpc-1-3")),
        ("!Select [1, !Ref Ports]", json!("443")),
        ("!Select ['0', !GetAZs '']", json!("us-west-2a")),
        ("!GetAZs eu-west-1", json!(["eu-west-1a", "eu-west-1b"])),
        ("!Split ['|', 'a|b|']", json!(["a", "b", ""])),
        ("!If [IsProd, big, small]", json!("small")),
        ("!If [Either, !If [Both, 1, 2], 3]", json!(2)),
        ("!FindInMap [Sizes, !Ref Stage, Nodes]", json!(1)),
        (
            "!FindInMap [Sizes, none, Nodes, { DefaultValue: 7 }]",
            json!(7),
        ),
        ("!ImportValue 'net::VPC'", json!("vpc-9")),
        ("!Base64 'hi'", json!("aGk=")),
        (
            "!Select [2, !Cidr [!GetAtt VPC.CidrBlock, 3, 8]]",
            json!("10.0.2.0/24"),
        ),
        ("[a, !Ref AWS::NoValue, b]", json!(["a", "b"])),
        ("{ K: !Ref AWS::NoValue, L: 1 }", json!({ "L": 1 })),
        ("!Ref AWS::Partition", json!("aws")),
    ];
    for (expression, expected) in cases {
        assert_eq!(eval(expression), Ok(Some(expected)), "{expression}");
    }
    assert_eq!(eval("!Ref AWS::NoValue"), Ok(None));
}

#[test]
fn what_gives_nothing_says_why() {
    assert_eq!(
        eval("!Ref Later"),
        Err(Unanswered::Later("Later".to_owned()))
    );
    for (expression, words) in [
        ("!ImportValue nobody", "No export named nobody found."),
        (
            "!Select [5, [a]]",
            "Template error: Fn::Select cannot select nonexistent value at index 5",
        ),
        (
            "!FindInMap [Sizes, x, Nodes]",
            "Template error: Unable to get mapping for Sizes::x::Nodes",
        ),
        (
            "!If [Nope, 1, 2]",
            "Template error: unresolved condition dependency Nope",
        ),
        (
            "!Transform { Name: x }",
            "Fn::Transform is not implemented by Skylab",
        ),
        ("'{{resolve:ssm:x}}'", "is not implemented by Skylab"),
        (
            "!Sub '${Ports.x}'",
            "Unresolved resource dependencies [Ports]",
        ),
    ] {
        let error = eval(expression).unwrap_err().to_string();
        assert!(error.contains(words), "{expression}: {error}");
    }
}

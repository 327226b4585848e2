//! Parameters for images and repositories for containers: the two services that speak JSON beside clusters'.

use crate::account::{Account, Refused};
use aws::identity::{Caller, NoIssuers, Party, Seal};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use wire::error::ApiError;

fn refused(error: ApiError) -> Refused {
    (error.code, error.message)
}

fn ssm(account: &mut Account, operation: &str, body: &Value) -> Result<Value, Refused> {
    let request = wire::ssm::Request::parse(operation, body.to_string().as_bytes());
    let request = request.map_err(refused)?;
    let context = account.context();
    let answer = aws::api::ssm::answer(&account.state, &context, request).map_err(refused)?;
    if let Some(state) = answer.state {
        account.state = state;
    }
    Ok(serde_json::from_str(&answer.body).unwrap())
}

fn ecr(
    account: &mut Account,
    seal: &Seal,
    operation: &str,
    body: &Value,
) -> Result<Value, Refused> {
    let request = wire::ecr::Request::parse(operation, body.to_string().as_bytes());
    let request = request.map_err(refused)?;
    let (context, root) = (account.context(), Caller::root(&account.state));
    let party = Party {
        caller: Some(&root),
        seal,
        issuers: &NoIssuers,
    };
    let answer =
        aws::api::ecr::answer(&account.state, &context, party, request).map_err(refused)?;
    if let Some(state) = answer.state {
        account.state = state;
    }
    Ok(serde_json::from_str(&answer.body).unwrap())
}

/// AWS-EKS: the image that EKS recommends for a version is found by its published parameter, and is there.
#[test]
fn images_are_found_by_parameters() {
    let mut account = Account::new();
    for system in ["amazon-linux-2023/x86_64/standard", "amazon-linux-2"] {
        let name = format!("/aws/service/eks/optimized-ami/1.30/{system}/recommended/image_id");
        let got = ssm(&mut account, "GetParameter", &json!({ "Name": name })).unwrap();
        let id = got["Parameter"]["Value"].as_str().unwrap().to_owned();
        let told = account.ok("DescribeImages", &[("ImageId.1", &id)]);
        assert!(told.one("name").contains("-1.30-v"), "{system}");
        assert_eq!(told.one("imageOwnerId"), "602401143452");
    }
    let path = json!({ "Path": "/aws/service/ami-amazon-linux-latest" });
    let listed = ssm(&mut account, "GetParametersByPath", &path).unwrap();
    assert!(listed["Parameters"].as_array().unwrap().len() >= 5);
    let gone = ssm(&mut account, "GetParameter", &json!({ "Name": "/aws/x" })).unwrap_err();
    assert_eq!(gone.0, "ParameterNotFound");
}

/// AWS-IAM: the account's own parameters have versions and tags, and can't take AWS's names.
#[test]
fn own_parameters() {
    let mut account = Account::new();
    let put = json!({ "Name": "/own/a", "Type": "String", "Value": "1", "AllowedPattern": "",
        "Tags": [{ "Key": "k", "Value": "v" }] });
    assert_eq!(
        ssm(&mut account, "PutParameter", &put).unwrap()["Version"],
        1
    );
    let again = ssm(&mut account, "PutParameter", &put).unwrap_err();
    assert_eq!(again.0, "ParameterAlreadyExists");
    let over = json!({ "Name": "/own/a", "Value": "2", "Overwrite": true });
    assert_eq!(
        ssm(&mut account, "PutParameter", &over).unwrap()["Version"],
        2
    );
    let named = json!({ "ResourceType": "Parameter", "ResourceId": "/own/a" });
    let tags = ssm(&mut account, "ListTagsForResource", &named).unwrap();
    assert_eq!(tags["TagList"], json!([{ "Key": "k", "Value": "v" }]));
    let filter = json!({ "ParameterFilters": [{ "Key": "Name", "Values": ["/own/a"] }] });
    let found = ssm(&mut account, "DescribeParameters", &filter).unwrap();
    assert_eq!(found["Parameters"][0]["Version"], 2);
    let theirs = json!({ "Name": "/aws/x", "Type": "String", "Value": "1" });
    assert_eq!(
        ssm(&mut account, "PutParameter", &theirs).unwrap_err().0,
        "ValidationException"
    );
    let delete = json!({ "Names": ["/own/a", "/own/b"] });
    let gone = ssm(&mut account, "DeleteParameters", &delete).unwrap();
    assert_eq!(gone["InvalidParameters"], json!(["/own/b"]));
}

/// AWS-EKS: repositories come and go, and a password is a session of its caller.
#[test]
fn repositories_and_passwords() {
    let mut account = Account::new();
    let seal = Seal::new(b"lab");
    let name = json!({ "repositoryName": "team/app" });
    let made = ecr(&mut account, &seal, "CreateRepository", &name).unwrap()["repository"].clone();
    let uri = "123456789012.dkr.ecr.us-west-2.amazonaws.com/team/app";
    assert_eq!(made["repositoryUri"], uri);
    let again = ecr(&mut account, &seal, "CreateRepository", &name).unwrap_err();
    assert_eq!(again.0, "RepositoryAlreadyExistsException");
    let tag =
        json!({ "resourceArn": made["repositoryArn"], "tags": [{ "Key": "a", "Value": "b" }] });
    ecr(&mut account, &seal, "TagResource", &tag).unwrap();
    let tags = ecr(&mut account, &seal, "ListTagsForResource", &tag).unwrap();
    assert_eq!(tags["tags"], tag["tags"]);
    ecr(&mut account, &seal, "DeleteRepository", &name).unwrap();
    let asked = json!({ "repositoryNames": ["team/app"] });
    let gone = ecr(&mut account, &seal, "DescribeRepositories", &asked).unwrap_err();
    assert_eq!(gone.0, "RepositoryNotFoundException");
    let given = ecr(&mut account, &seal, "GetAuthorizationToken", &json!({})).unwrap();
    let token = given["authorizationData"][0]["authorizationToken"]
        .as_str()
        .unwrap();
    let text = String::from_utf8(STANDARD.decode(token).unwrap()).unwrap();
    let password = text.strip_prefix("AWS:").unwrap();
    let session = |now| aws::api::ecr::session_of(&seal, password, now);
    assert!(session(account.now + 43_199).is_some());
    assert!(session(account.now + 43_200).is_none());
    assert!(aws::api::ecr::session_of(&Seal::new(b"x"), password, account.now).is_none());
}

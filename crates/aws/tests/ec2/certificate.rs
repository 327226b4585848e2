//! AWS Certificate Manager: certificates brought and asked for.

use crate::account::{Account, Refused};
use crate::ground::Ground;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

const EC: (&str, &str) = (
    include_str!("certificates/ec.crt"),
    include_str!("certificates/ec.key"),
);
const RSA: (&str, &str) = (
    include_str!("certificates/rsa.crt"),
    include_str!("certificates/rsa.key"),
);
/// A time at which the two certificates are valid.
const VALID: i64 = 1_900_000_000;

fn call(account: &mut Account, operation: &str, body: &Value) -> Result<Value, Refused> {
    let refused = |error: wire::error::ApiError| (error.code, error.message);
    let body = body.to_string();
    let request = wire::acm::Request::parse(operation, body.as_bytes()).map_err(refused)?;
    let answer =
        aws::api::certificate(&account.state, &account.context(), request).map_err(refused)?;
    if let Some(state) = answer.state {
        account.state = state;
    }
    Ok(serde_json::from_str(&answer.body).unwrap())
}

fn ok(account: &mut Account, operation: &str, body: &Value) -> Value {
    call(account, operation, body)
        .unwrap_or_else(|(code, message)| panic!("{operation}: {code}: {message}"))
}

fn pem(certificate: &str, key: &str) -> Value {
    json!({ "Certificate": STANDARD.encode(certificate), "PrivateKey": STANDARD.encode(key) })
}

fn import(account: &mut Account, (certificate, key): (&str, &str)) -> String {
    let made = ok(account, "ImportCertificate", &pem(certificate, key));
    made["CertificateArn"].as_str().unwrap().to_owned()
}

fn account() -> Account {
    let mut account = Account::new();
    account.now = VALID;
    account
}

/// AWS-ALB: an imported certificate is issued, and shows what it says.
#[test]
fn imported_certificates_are_read() {
    let mut account = account();
    let arn = import(&mut account, EC);
    let named = json!({ "CertificateArn": arn });
    let told = ok(&mut account, "DescribeCertificate", &named)["Certificate"].clone();
    assert_eq!(told["DomainName"], "www.example.com");
    let names = json!(["www.example.com", "*.example.com", "192.0.2.1"]);
    assert_eq!(told["SubjectAlternativeNames"], names);
    assert_eq!(told["Status"], "ISSUED");
    assert_eq!(told["Type"], "IMPORTED");
    assert_eq!(told["KeyAlgorithm"], "EC_prime256v1");
    assert_eq!(told["SignatureAlgorithm"], "SHA256WITHECDSA");
    assert_eq!(told["Subject"], "O=Skylab,CN=www.example.com");
    assert_eq!(told["Issuer"], "Skylab");
    assert!(
        told["NotAfter"].as_i64().unwrap() - told["NotBefore"].as_i64().unwrap() == 36_500 * 86_400
    );
    let got = ok(&mut account, "GetCertificate", &named);
    assert_eq!(got["Certificate"], EC.0);
    let rsa = import(&mut account, RSA);
    let listed = ok(&mut account, "ListCertificates", &json!({}));
    let listed = listed["CertificateSummaryList"].as_array().unwrap().clone();
    assert_eq!(
        listed.len(),
        1,
        "elliptic curves are listed only if asked for"
    );
    assert_eq!(listed[0]["CertificateArn"], rsa);
    let both = json!({ "Includes": { "keyTypes": ["EC_prime256v1", "RSA_2048"] } });
    let listed = ok(&mut account, "ListCertificates", &both);
    assert_eq!(
        listed["CertificateSummaryList"].as_array().unwrap().len(),
        2
    );
    let mut again = pem(RSA.0, RSA.1);
    again["CertificateArn"] = json!(arn);
    ok(&mut account, "ImportCertificate", &again);
    let told = ok(&mut account, "DescribeCertificate", &named);
    assert_eq!(told["Certificate"]["DomainName"], "shop.example.com");
    ok(&mut account, "DeleteCertificate", &named);
    let gone = call(&mut account, "GetCertificate", &named).unwrap_err();
    assert_eq!(gone.0, "ResourceNotFoundException");
}

/// AWS-ALB: what can't be read or doesn't belong together is refused.
#[test]
fn certificates_that_cant_be_are_refused() {
    let mut account = account();
    let two = format!("{}{}", EC.0, EC.0);
    for (body, words) in [
        (pem(EC.0, RSA.1), "does not match"),
        (pem("nothing", EC.1), "PEM format"),
        (pem(&two, EC.1), "more than one certificate"),
        (pem(EC.0, EC.0), "private key"),
    ] {
        let (code, message) = call(&mut account, "ImportCertificate", &body).unwrap_err();
        assert_eq!(code, "ValidationException");
        assert!(message.contains(words), "{message}");
    }
    account.now = 1_000_000_000;
    let early = call(&mut account, "ImportCertificate", &pem(EC.0, EC.1)).unwrap_err();
    assert!(early.1.contains("not valid yet"), "{early:?}");
    account.now = 6_000_000_000;
    let late = call(&mut account, "ImportCertificate", &pem(EC.0, EC.1)).unwrap_err();
    assert!(late.1.contains("expired"), "{late:?}");
    let odd = json!({ "CertificateArn": "x" });
    let odd = call(&mut account, "DescribeCertificate", &odd).unwrap_err();
    assert_eq!(odd.0, "InvalidArnException");
}

/// AWS-ALB: a certificate that was asked for waits for its name to be shown to be the user's.
#[test]
fn requested_certificates_wait() {
    let mut account = account();
    let asked = json!({
        "DomainName": "Example.com", "SubjectAlternativeNames": ["*.example.com"],
        "ValidationMethod": "DNS", "IdempotencyToken": "t",
        "Tags": [{ "Key": "a", "Value": "1" }],
    });
    let arn = ok(&mut account, "RequestCertificate", &asked)["CertificateArn"].clone();
    let again = ok(&mut account, "RequestCertificate", &asked)["CertificateArn"].clone();
    assert_eq!(arn, again);
    let named = json!({ "CertificateArn": arn });
    let told = ok(&mut account, "DescribeCertificate", &named)["Certificate"].clone();
    assert_eq!(told["Status"], "PENDING_VALIDATION");
    assert_eq!(told["DomainName"], "example.com");
    let records = told["DomainValidationOptions"].as_array().unwrap();
    let record = |index: usize| records[index]["ResourceRecord"]["Name"].as_str().unwrap();
    assert_eq!(
        record(0),
        record(1),
        "a name and its wildcard share their record"
    );
    assert!(record(0).ends_with(".example.com."));
    let waiting = call(&mut account, "GetCertificate", &named).unwrap_err();
    assert_eq!(waiting.0, "RequestInProgressException");
    let tags = ok(&mut account, "ListTagsForCertificate", &named);
    assert_eq!(tags["Tags"], json!([{ "Key": "a", "Value": "1" }]));
    let remove = json!({ "CertificateArn": arn, "Tags": [{ "Key": "a" }] });
    ok(&mut account, "RemoveTagsFromCertificate", &remove);
    let tags = ok(&mut account, "ListTagsForCertificate", &named);
    assert_eq!(tags["Tags"], json!([]));
    for domain in [
        "example",
        "a..example.com",
        "-a.example.com",
        "*.*.example.com",
    ] {
        let refused = call(
            &mut account,
            "RequestCertificate",
            &json!({ "DomainName": domain }),
        );
        assert_eq!(refused.unwrap_err().0, "ValidationException", "{domain}");
    }
}

/// AWS-ALB, AWS-NLB: listeners that end TLS have a default certificate and others, which are in use as long.
#[test]
fn listeners_have_certificates() {
    let mut ground = Ground::new();
    ground.account.now = VALID;
    let (first, second) = (
        import(&mut ground.account, EC),
        import(&mut ground.account, RSA),
    );
    let balancer = ground.balancer("site", &[]);
    let asked = [
        ("LoadBalancerArn", balancer.as_str()),
        ("Protocol", "HTTPS"),
        ("Port", "443"),
        ("Certificates.member.1.CertificateArn", first.as_str()),
        ("DefaultActions.member.1.Type", "fixed-response"),
        (
            "DefaultActions.member.1.FixedResponseConfig.StatusCode",
            "404",
        ),
    ];
    let made = ground.ok("CreateListener", &asked);
    assert_eq!(made.one("SslPolicy"), "ELBSecurityPolicy-2016-08");
    assert_eq!(made.one("Mode"), "off");
    let listener = made.one("ListenerArn");
    let more = [
        ("ListenerArn", listener.as_str()),
        ("Certificates.member.1.CertificateArn", second.as_str()),
    ];
    ground.ok("AddListenerCertificates", &more);
    let own = [("ListenerArn", listener.as_str())];
    let told = ground.ok("DescribeListenerCertificates", &own);
    assert_eq!(told.all("CertificateArn"), [first.clone(), second.clone()]);
    assert_eq!(told.all("IsDefault"), ["true", "false"]);
    let named = json!({ "CertificateArn": second });
    let told = ok(&mut ground.account, "DescribeCertificate", &named);
    assert_eq!(told["Certificate"]["InUseBy"], json!([balancer]));
    let held = call(&mut ground.account, "DeleteCertificate", &named).unwrap_err();
    assert_eq!(held.0, "ResourceInUseException");
    let default = [
        more[0],
        ("Certificates.member.1.CertificateArn", first.as_str()),
    ];
    assert_eq!(
        ground.refused("RemoveListenerCertificates", &default),
        "OperationNotPermitted"
    );
    ground.ok("RemoveListenerCertificates", &more);
    ok(&mut ground.account, "DeleteCertificate", &named);
    let asked = json!({ "DomainName": "pending.example.com" });
    let pending = ok(&mut ground.account, "RequestCertificate", &asked);
    let pending = pending["CertificateArn"].as_str().unwrap().to_owned();
    let more = [
        ("ListenerArn", listener.as_str()),
        ("Certificates.member.1.CertificateArn", pending.as_str()),
    ];
    assert_eq!(
        ground.refused("AddListenerCertificates", &more),
        "UnsupportedCertificate"
    );
}

//! Against AWS's published examples, and against what must be refused.

use super::*;

const SECRET: &str = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY";
/// 2015-08-30T12:36:00Z.
const THEN: i64 = 1_440_938_160;

fn headers(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
    pairs
        .iter()
        .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
        .collect()
}

fn secret(key: &str) -> Option<String> {
    (key == "AKIDEXAMPLE").then(|| SECRET.to_owned())
}

/// AWS's own example (aws-sig-v4-test-suite, get-vanilla).
#[test]
fn the_published_example_verifies() {
    let headers = headers(&[
        ("host", "example.amazonaws.com"),
        ("x-amz-date", "20150830T123600Z"),
        (
            "authorization",
            "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/service/aws4_request, SignedHeaders=host;x-amz-date, Signature=5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31",
        ),
    ]);
    let request = Signable {
        method: "GET",
        path: "/",
        query: "",
        headers: &headers,
        body: b"",
    };
    let claim = verify(&request, secret, false, THEN).unwrap();
    assert_eq!(
        (claim.region.as_str(), claim.service.as_str()),
        ("us-east-1", "service")
    );
    let late = verify(&request, secret, false, THEN + 1000).unwrap_err();
    assert_eq!(late.code, "RequestExpired");
    let tampered = Signable {
        body: b"x",
        ..request
    };
    assert_eq!(
        verify(&tampered, secret, false, THEN).unwrap_err().code,
        "SignatureDoesNotMatch"
    );
}

#[test]
fn what_is_signed_verifies_and_a_changed_byte_does_not() {
    let key = Key {
        access_key: "AKIDEXAMPLE",
        secret: SECRET,
        region: "us-west-2",
        service: "ec2",
    };
    let mut all = headers(&[
        ("host", "127.0.0.1:4566"),
        ("content-type", "application/x-www-form-urlencoded"),
    ]);
    let request = Signable {
        method: "POST",
        path: "/",
        query: "a=b%20c",
        headers: &all,
        body: b"Action=DescribeVpcs",
    };
    let signed = sign(&request, &key, THEN);
    all.extend(signed);
    let request = Signable {
        method: "POST",
        path: "/",
        query: "a=b%20c",
        headers: &all,
        body: b"Action=DescribeVpcs",
    };
    assert_eq!(
        verify(&request, secret, false, THEN).unwrap().service,
        "ec2"
    );
    let changed = Signable {
        body: b"Action=DeleteVpc",
        ..request
    };
    let error = verify(&changed, secret, false, THEN).unwrap_err();
    assert_eq!((error.code.as_str(), error.status), ("AuthFailure", 401));
    let unknown = verify(&request, |_| None, false, THEN).unwrap_err();
    assert_eq!(unknown.code, "AuthFailure");
}

#[test]
fn missing_and_broken_signatures_have_awss_codes() {
    let none = Signable {
        method: "POST",
        path: "/",
        query: "",
        headers: &[],
        body: b"",
    };
    assert_eq!(
        verify(&none, secret, false, THEN).unwrap_err().code,
        "MissingAuthenticationToken"
    );
    let broken = headers(&[
        ("authorization", "AWS4-HMAC-SHA256 Credential=x"),
        ("x-amz-date", "ab"),
    ]);
    let broken = Signable {
        headers: &broken,
        ..none
    };
    assert_eq!(
        verify(&broken, secret, false, THEN).unwrap_err().code,
        "IncompleteSignature"
    );
}

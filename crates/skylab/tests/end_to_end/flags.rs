//! What the flags of `up` promise.

use crate::api::Api;
use crate::lab::Lab;
use std::io::{Read, Write};
use std::net::TcpStream;

/// `--any-key` takes keys that other tools bring, `--quotas none` lifts AWS's quotas; without them
/// both hold.
#[test]
fn keys_and_quotas_can_be_lifted() {
    let Some(open) = Lab::start(&["--packets", "none", "--any-key", "--quotas", "none"]) else {
        return;
    };
    let Some(strict) = Lab::start(&["--packets", "none"]) else {
        return;
    };
    let foreign = |lab: &Lab| {
        let mut variables = lab.variables();
        variables["AWS_ACCESS_KEY_ID"] = "test".into();
        variables["AWS_SECRET_ACCESS_KEY"] = "test".into();
        Api::new(&variables)
    };
    assert_eq!(foreign(&open).call("ec2", "DescribeVpcs", &[]).status, 200);
    let refused = foreign(&strict).call("ec2", "DescribeVpcs", &[]);
    assert_eq!(refused.one("Code"), "AuthFailure");
    let create = |lab: &Lab| {
        let vpc = [("CidrBlock", "10.0.0.0/16")];
        lab.api().call("ec2", "CreateVpc", &vpc)
    };
    // The default VPC is one of five.
    for _ in 0..4 {
        assert_eq!(create(&strict).status, 200);
        assert_eq!(create(&open).status, 200);
    }
    assert_eq!(create(&strict).one("Code"), "VpcLimitExceeded");
    assert_eq!(create(&open).status, 200);
}

/// `--pace real` keeps the cloud's times, `fast` doesn't wait.
#[test]
fn pace_is_the_clouds_or_none() {
    for pace in ["real", "fast"] {
        let Some(lab) = Lab::start(&["--packets", "none", "--pace", pace]) else {
            return;
        };
        let api = lab.api();
        let pair = crate::slice::build(&api);
        let is = |state: &str| {
            let described = api.ec2("DescribeInstances", &[("InstanceId.1", &pair.ids[0])]);
            let shown = described.body.split("<instanceState>").nth(1).unwrap();
            shown.contains(&format!("<name>{state}</name>"))
        };
        match pace {
            "real" => assert!(is("pending")),
            _ => while !is("running") {},
        }
    }
}

/// `--socks-open` drops the proxy's token; without it nobody gets in without.
#[test]
fn the_proxy_opens_when_told() {
    for (flags, answer) in [(&["--socks-open"][..], [5, 0]), (&[], [5, 0xff])] {
        let Some(lab) = Lab::start(flags) else { return };
        let port = lab.status()["ports"]["socks"].as_u64().unwrap();
        let port = u16::try_from(port).unwrap();
        let mut proxy = TcpStream::connect(("127.0.0.1", port)).unwrap();
        // One method: none.
        proxy.write_all(&[5, 1, 0]).unwrap();
        let mut heard = [0; 2];
        proxy.read_exact(&mut heard).unwrap();
        assert_eq!(heard, answer, "{flags:?}");
    }
}

/// `status --json`, `env --format json` and `--state` are as the contract has them.
#[test]
fn commands_are_as_the_contract_says() {
    let Some(lab) = Lab::start(&["--packets", "none"]) else {
        return;
    };
    let status = lab.status();
    assert!(status["pid"].as_i64().is_some_and(|pid| pid > 1));
    assert!(status["ports"]["aws"].as_u64().is_some());
    assert_eq!(status["state"], lab.state().to_str().unwrap());
    let variables = lab.variables();
    for name in [
        "AWS_ENDPOINT_URL",
        "AWS_ACCESS_KEY_ID",
        "AWS_SECRET_ACCESS_KEY",
        "AWS_REGION",
        "AWS_DEFAULT_REGION",
        "AWS_EC2_METADATA_DISABLED",
    ] {
        assert!(variables[name].is_string(), "{name}");
    }
    let state = lab.state().to_str().unwrap();
    for (words, code) in [
        (&["status", "--state", state][..], 0),
        (&["capacity", "--json", "--state", state], 0),
        (&["kube", "list", "--json", "--state", state], 0),
        (&["env", "--format", "moon"], 64),
        (&["status", "--state", "/nonexistent"], 69),
        (&["explain", "exec", "--state", state], 64),
    ] {
        let output = std::process::Command::new(env!("CARGO_BIN_EXE_skylab"))
            .args(words)
            .output()
            .unwrap();
        assert_eq!(output.status.code(), Some(code), "{words:?}");
    }
}

//! What the lab refuses, and what `up` promises around it.

use crate::lab::{Lab, text};

fn headers(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
    pairs
        .iter()
        .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
        .collect()
}

/// OPS-SAFE: wrong keys, web pages, foreign names and rubbish are refused; the lab lives on.
#[test]
fn strangers_are_refused() {
    let Some(lab) = Lab::start(&["--packets", "none"]) else {
        return;
    };
    let api = lab.api();
    let forged = api.with_secret("wrong").call("ec2", "DescribeVpcs", &[]);
    assert_eq!(
        (forged.status, forged.one("Code").as_str()),
        (401, "AuthFailure")
    );
    let own = ("host", api.address());
    for refused in [
        headers(&[("host", "evil.example")]),
        headers(&[own, ("origin", "https://evil.example")]),
        headers(&[own, ("sec-fetch-site", "cross-site")]),
    ] {
        assert_eq!(
            api.send("POST", &refused, "Action=DescribeVpcs").status,
            403
        );
    }
    let unsigned = api.send("POST", &headers(&[own]), "Action=DescribeVpcs");
    assert_eq!(unsigned.one("Code"), "MissingAuthenticationToken");
    for rubbish in [
        &b"\0\x01\x02\r\n\r\n"[..],
        b"GET / HTTP/9.9\r\n\r\n",
        b"POST / HTTP/1.1\r\ncontent-length: -1\r\n\r\n",
    ] {
        api.send_raw(rubbish);
    }
    let unknown = api.call("ec2", "MakeCoffee", &[]);
    assert_eq!(unknown.one("Code"), "InvalidAction");
    let elsewhere = api.call("s3", "ListBuckets", &[]);
    assert_eq!(
        (elsewhere.status, elsewhere.one("Code").as_str()),
        (501, "UnsupportedOperation")
    );
    assert_eq!(api.call("ec2", "DescribeVpcs", &[]).status, 200);
}

/// OPS-SEE, OPS-SAFE: metrics for Prometheus, by command and by HTTP, with their token only.
#[test]
fn metrics_need_their_token() {
    let Some(lab) = Lab::start(&["--packets", "none"]) else {
        return;
    };
    let api = lab.api();
    api.ec2("CreateVpc", &[("CidrBlock", "10.0.0.0/16")]);
    api.call("ec2", "DeleteVpc", &[("VpcId", "vpc-0123456789abcdef0")]);
    let config = lab.ok(&["metrics", "--scrape-config"]);
    let value = |name: &str| {
        let line = config.lines().find_map(|line| line.split_once(name));
        line.unwrap().1.trim().to_owned()
    };
    assert!(config.contains(api.address()), "{config}");
    let get = |headers: &[(&str, &str)]| {
        let mut request = format!(
            "GET {} HTTP/1.1\r\nconnection: close\r\n",
            value("metrics_path:")
        );
        for (name, value) in headers {
            request.push_str(&format!("{name}: {value}\r\n"));
        }
        api.send_raw(format!("{request}\r\n").as_bytes())
    };
    let own = ("host", api.address());
    let bearer = format!("Bearer {}", value("credentials:"));
    let page = get(&[own, ("authorization", &bearer)]);
    assert_eq!(page.status, 200, "{}", page.body);
    for body in [page.body, lab.ok(&["metrics"])] {
        for sample in [
            "skylab_api_calls_total{service=\"ec2\",action=\"CreateVpc\",code=\"OK\"} 1",
            "code=\"InvalidVpcID.NotFound\"} 1",
            "skylab_commit_seconds_count ",
            "skylab_resources{kind=\"vpc\"} 9",
            "skylab_troubles 0",
        ] {
            assert!(body.contains(sample), "no {sample} in {body}");
        }
    }
    for refused in [&[own][..], &[own, ("authorization", "Bearer wrong")]] {
        assert_eq!(get(refused).status, 401);
    }
    let evil = get(&[("host", "evil.example"), ("authorization", &bearer)]);
    assert_eq!(evil.status, 403);
}

/// The contract of `up`: a second one exits 0, the process names its state, ports that are taken
/// are said.
#[test]
fn up_keeps_its_promises() {
    let Some(lab) = Lab::start(&["--packets", "none"]) else {
        return;
    };
    assert!(lab.up(&[]).status.success());
    let status = lab.status();
    let pid = status["pid"].as_i64().unwrap();
    let line = std::fs::read_to_string(format!("/proc/{pid}/cmdline")).unwrap();
    assert!(line.contains(lab.state().to_str().unwrap()), "{line}");
    let port = status["ports"]["aws"].to_string();
    let Some(other) = Lab::start(&["--packets", "none"]) else {
        return;
    };
    other.ok(&["down"]);
    let taken = other.run(&["up", "--detach", "--packets", "none", "--aws-port", &port]);
    assert!(!taken.status.success());
    assert!(
        text(&taken.stderr).contains(&port),
        "{}",
        text(&taken.stderr)
    );
}

/// `exec`'s own failures are 125 to 127, the program's status is its own.
#[test]
fn exec_tells_failures_apart() {
    let Some(lab) = Lab::start(&[]) else { return };
    for (words, code) in [
        (&["exec", "internet", "--", "sh", "-c", "exit 42"][..], 42),
        (&["exec", "internet", "--", "sh", "-c", "kill -9 $$"], 137),
        (&["exec", "internet", "--", "no-such-program"], 127),
        (&["exec", "internet", "--", "/etc/passwd"], 126),
        (&["exec", "mars", "--", "true"], 125),
        (&["exec", "instance/nobody", "--", "true"], 125),
        (&["explain", "mars", "internet"], 64),
        (&["explain", "internet"], 64),
    ] {
        assert_eq!(lab.run(words).status.code(), Some(code), "{words:?}");
    }
}

/// OPS-SAFE: a guest changes nothing of the machine and can't read the lab's keys.
#[test]
fn guests_are_confined() {
    let Some(lab) = Lab::start(&[]) else { return };
    let mark = format!("/etc/skylab-mark-{}", std::process::id());
    let attempt = format!("echo x >{mark} && cat {mark}");
    assert_eq!(
        lab.ok(&["exec", "internet", "--", "sh", "-c", &attempt]),
        "x\n"
    );
    assert!(!std::path::Path::new(&mark).exists());
    let keys = lab.state().join("credentials.json");
    let keys = lab.run(&["exec", "internet", "--", "cat", keys.to_str().unwrap()]);
    assert!(!keys.status.success() && keys.stdout.is_empty());
    for attempt in [
        "echo x >/proc/sys/kernel/core_pattern",
        "echo b >/proc/sysrq-trigger",
        "mknod /tmp/disk b 8 0",
    ] {
        let output = lab.run(&["exec", "internet", "--", "sh", "-c", attempt]);
        assert!(!output.status.success(), "{attempt}");
    }
}

/// OPS-SAFE: whatever bytes arrive, the lab answers or hangs up, and goes on.
#[test]
fn mangled_requests_leave_the_lab_up() {
    let Some(lab) = Lab::start(&["--packets", "none"]) else {
        return;
    };
    let api = lab.api();
    let body = "Action=CreateVpc&Version=2016-11-15&CidrBlock=10.0.0.0%2F16";
    let whole = format!(
        "POST / HTTP/1.1\r\nhost: {}\r\nconnection: close\r\n\
         authorization: AWS4-HMAC-SHA256 Credential=AKIA/20260101/us-west-2/ec2/aws4_request, SignedHeaders=host, Signature=00\r\n\
         x-amz-date: 20260101T000000Z\r\ncontent-length: {}\r\n\r\n{body}",
        api.address(),
        body.len(),
    );
    let mut random = 1_u64;
    let mut number = |bound: usize| {
        random = random
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(random >> 33).unwrap() % bound
    };
    for _ in 0..500 {
        let mut bytes = whole.clone().into_bytes();
        for _ in 0..=number(6) {
            let at = number(bytes.len().max(2) - 1);
            match number(3) {
                0 => bytes[at] = u8::try_from(number(256)).unwrap(),
                1 if bytes.len() > 1 => drop(bytes.remove(at)),
                _ => bytes.truncate(at.max(1)),
            }
        }
        // A request cut short would wait for its rest: hanging up is the other end of it.
        api.send_and_hang_up(&bytes);
    }
    assert_eq!(api.call("ec2", "DescribeVpcs", &[]).status, 200);
}

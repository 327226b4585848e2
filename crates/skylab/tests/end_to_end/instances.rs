//! What an instance finds inside: its metadata, its names, its own disk and user data.

use crate::api::Api;
use crate::lab::Lab;
use crate::slice::{build, run};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use std::thread;
use std::time::Duration;

/// Asks again until it is so; the test's harness ends what never comes.
fn until(what: impl Fn() -> bool) {
    while !what() {
        thread::sleep(Duration::from_millis(50));
    }
}

fn console(api: &Api, instance: &str) -> String {
    let response = api.ec2("GetConsoleOutput", &[("InstanceId", instance)]);
    let output = response.all("output").pop().unwrap_or_default();
    String::from_utf8(STANDARD.decode(output).unwrap()).unwrap()
}

/// AWS-EC2: metadata v1 and v2 are the caller's own, and a session belongs to one instance.
#[test]
fn metadata_knows_its_caller() {
    let Some(lab) = Lab::start(&[]) else { return };
    let pair = build(&lab.api());
    for (id, address) in pair.ids.iter().zip(&pair.addresses) {
        let script = "\
            t=$(curl -sf -X PUT -H 'X-aws-ec2-metadata-token-ttl-seconds: 60' http://169.254.169.254/latest/api/token)\n\
            curl -sf -H \"X-aws-ec2-metadata-token: $t\" http://169.254.169.254/latest/meta-data/instance-id; echo\n\
            curl -sf -H \"X-aws-ec2-metadata-token: $t\" http://169.254.169.254/latest/meta-data/local-ipv4";
        let told = lab.ok(&["exec", id, "--", "sh", "-c", script]);
        let told: Vec<&str> = told.lines().collect();
        assert_eq!(told, [id.as_str(), address.as_str()]);
    }
}

/// AWS-VPC: the VPC's resolver knows its instances; names of other networks don't exist there.
#[test]
fn names_resolve_where_they_belong() {
    let Some(lab) = Lab::start(&[]) else { return };
    let pair = build(&lab.api());
    let name = format!(
        "ip-{}.us-west-2.compute.internal",
        pair.addresses[1].replace('.', "-")
    );
    let found = lab.ok(&["exec", &pair.ids[0], "--", "getent", "ahostsv4", &name]);
    assert!(found.starts_with(&pair.addresses[1]), "{found}");
    let outside = lab.run(&["exec", "internet", "--", "getent", "ahostsv4", &name]);
    assert!(!outside.status.success());
    let public = [
        "exec",
        "internet",
        "--",
        "getent",
        "ahostsv4",
        "ec2.us-west-2.amazonaws.com",
    ];
    assert!(lab.ok(&public).starts_with("192.0.2.80"));
}

/// AWS-EC2, OPS-STATE: user data runs once a disk; a reboot keeps the disk and doesn't run it.
#[test]
fn user_data_runs_once_a_disk() {
    let Some(lab) = Lab::start(&[]) else { return };
    let api = lab.api();
    let subnet = build(&api).subnet;
    let script = STANDARD.encode("#!/bin/sh\necho ran on $(hostname) | tee -a /var/count\n");
    let parameters = [
        ("MinCount", "1"),
        ("MaxCount", "1"),
        ("UserData", script.as_str()),
    ];
    let id = run(&api, &subnet, &parameters).remove(0);
    until(|| console(&api, &id).contains("status 0"));
    assert!(console(&api, &id).contains("ran on ip-10-0-1-"));
    let count = ["exec", &id, "--", "wc", "-l", "/var/count"];
    assert!(lab.ok(&count).starts_with("1 "));
    api.ec2("RebootInstances", &[("InstanceId.1", &id)]);
    until(|| lab.run(&count).status.success());
    assert!(lab.ok(&count).starts_with("1 "), "a reboot keeps the disk");
    assert!(!std::path::Path::new("/var/count").exists());

    lab.kill();
    assert!(lab.up(&[]).status.success());
    let api = lab.api();
    until(|| console(&api, &id).contains("status 0"));
    assert!(
        lab.ok(&count).starts_with("1 "),
        "a new lab has fresh disks"
    );
}

/// AWS-ENI, AWS-RTB, AN-EXPLAIN: an appliance forwards when its root says so, and `explain` looks.
#[test]
fn an_appliance_is_what_its_root_makes_it() {
    let Some(lab) = Lab::start(&[]) else { return };
    let api = lab.api();
    let pair = build(&api);
    let subnet = |cidr: &str| {
        let asked = [("VpcId", pair.vpc.as_str()), ("CidrBlock", cidr)];
        api.ec2("CreateSubnet", &asked).one("subnetId")
    };
    let one = |subnet: &str| run(&api, subnet, &[("MinCount", "1"), ("MaxCount", "1")]).remove(0);
    let (far, wall) = (one(&subnet("10.0.2.0/24")), one(&subnet("10.0.3.0/24")));
    let described = |id: &str| api.ec2("DescribeInstances", &[("InstanceId.1", id)]);
    let address = described(&far).one("privateIpAddress");
    let interface = described(&wall).one("networkInterfaceId");
    let table = api
        .ec2("CreateRouteTable", &[("VpcId", &pair.vpc)])
        .one("routeTableId");
    let route = [
        ("RouteTableId", table.as_str()),
        ("DestinationCidrBlock", "10.0.2.0/24"),
        ("NetworkInterfaceId", &interface),
    ];
    api.ec2("CreateRoute", &route);
    let associate = [("RouteTableId", table.as_str()), ("SubnetId", &pair.subnet)];
    api.ec2("AssociateRouteTable", &associate);

    let tell = |told: &str| {
        let words = ["explain", &pair.ids[0], &far, "--port", "9"];
        let output = lab.run(&words);
        let said = String::from_utf8(output.stdout).unwrap();
        assert!(said.contains(told), "no {told:?} in\n{said}");
        output.status.code() == Some(0)
    };
    let both = |told: &str| {
        let reaches = lab.reaches(&pair.ids[0], &address);
        assert_eq!(tell(told), reaches, "{told}");
        reaches
    };
    assert!(!both("source/destination check"));
    let unchecked = [
        ("NetworkInterfaceId", interface.as_str()),
        ("SourceDestCheck.Value", "false"),
    ];
    api.ec2("ModifyNetworkInterfaceAttribute", &unchecked);
    assert!(!both("ip_forward"));
    let forward = "echo 1 >/proc/sys/net/ipv4/ip_forward";
    lab.ok(&["exec", &wall, "--", "sh", "-c", forward]);
    assert!(both("delivered"));
    // Filters of its own are beyond the model, which says so.
    let filter = lab.run(&["exec", &wall, "--", "nft", "add", "table", "inet", "mine"]);
    if filter.status.success() {
        assert!(!tell("unknown"));
    }
}

/// OPS-SAFE, AWS-EC2: a guest that breaks its own network is mended by the next change of its ports and
/// by a reboot; nothing is reported as wrong meanwhile.
#[test]
fn a_broken_guest_network_is_mended() {
    let Some(lab) = Lab::start(&[]) else { return };
    let api = lab.api();
    let pair = build(&api);
    let [a, b] = [pair.ids[0].as_str(), pair.ids[1].as_str()];
    let reaches = || lab.reaches(b, &pair.addresses[0]);
    let destroy = || lab.ok(&["exec", a, "--", "ip", "link", "delete", "eth0"]);
    assert!(reaches());
    destroy();
    assert!(!reaches());
    let interface = api
        .ec2("DescribeInstances", &[("InstanceId.1", a)])
        .one("networkInterfaceId");
    let another = [
        ("NetworkInterfaceId", interface.as_str()),
        ("SecondaryPrivateIpAddressCount", "1"),
    ];
    api.ec2("AssignPrivateIpAddresses", &another);
    assert!(reaches());
    destroy();
    lab.ok(&["exec", a, "--", "sysctl", "-w", "net.ipv4.ip_forward=1"]);
    api.ec2("RebootInstances", &[("InstanceId.1", a)]);
    until(reaches);
    let forwards = ["exec", a, "--", "cat", "/proc/sys/net/ipv4/ip_forward"];
    assert_eq!(lab.ok(&forwards), "0\n");
    assert_eq!(lab.status()["troubles"], serde_json::json!([]));
}

//! Ways to look into the lab from outside of it, and out of it from within: the proxy, captures, the
//! clouds' endpoints on the lab's internet, and ordinary users.

use crate::lab::{Lab, text};
use crate::slice::{build, run};
use std::process::{Command, Stdio};

/// A VPC with a way to the internet and one instance that has a public address; the instance and it.
fn public_instance(lab: &Lab) -> (String, String) {
    let api = lab.api();
    let pair = build(&api);
    let named = [
        ("VpcId", pair.vpc.as_str()),
        ("EnableDnsHostnames.Value", "true"),
    ];
    api.ec2("ModifyVpcAttribute", &named);
    let gateway = api
        .ec2("CreateInternetGateway", &[])
        .one("internetGatewayId");
    api.ec2(
        "AttachInternetGateway",
        &[("InternetGatewayId", &gateway), ("VpcId", &pair.vpc)],
    );
    let of_vpc = [
        ("Filter.1.Name", "vpc-id"),
        ("Filter.1.Value.1", pair.vpc.as_str()),
    ];
    let table = api.ec2("DescribeRouteTables", &of_vpc).one("routeTableId");
    let route = [
        ("RouteTableId", table.as_str()),
        ("DestinationCidrBlock", "0.0.0.0/0"),
        ("GatewayId", &gateway),
    ];
    api.ec2("CreateRoute", &route);
    let group = api.ec2("DescribeSecurityGroups", &of_vpc).one("groupId");
    let web = [
        ("GroupId", group.as_str()),
        ("IpProtocol", "tcp"),
        ("FromPort", "80"),
        ("ToPort", "80"),
        ("CidrIp", "0.0.0.0/0"),
    ];
    api.ec2("AuthorizeSecurityGroupIngress", &web);
    let elastic = api.ec2("AllocateAddress", &[]);
    let associate = [
        ("AllocationId", elastic.one("allocationId")),
        ("InstanceId", pair.ids[0].clone()),
    ];
    let associate: Vec<(&str, &str)> = associate
        .iter()
        .map(|(name, value)| (*name, value.as_str()))
        .collect();
    api.ec2("AssociateAddress", &associate);
    (pair.ids[0].clone(), elastic.one("publicIp"))
}

/// OPS-SAFE: the proxy reaches the lab's internet, by address and by the lab's own names, and only with
/// its token.
#[test]
fn the_proxy_is_the_labs_internet() {
    let Some(lab) = Lab::start(&[]) else { return };
    let (instance, public) = public_instance(&lab);
    let words = [
        "exec", &instance, "--", "skylab", "probe", "serve", "--port", "80", "--name", "web",
    ];
    let mut server = lab.command(&words).stdout(Stdio::null()).spawn().unwrap();
    let name = format!(
        "ec2-{}.us-west-2.compute.amazonaws.com",
        public.replace('.', "-")
    );
    let proxy = lab.variables()["SKYLAB_SOCKS"].as_str().unwrap().to_owned();
    let curl = |proxy: &str, to: &str| {
        let url = format!("telnet://{to}:80");
        let mut command = Command::new("curl");
        command.args([
            "-s",
            "-m",
            "5",
            "--retry",
            "5",
            "--retry-all-errors",
            "--retry-delay",
            "1",
            "--proxy",
            proxy,
            &url,
        ]);
        text(&command.stdin(Stdio::null()).output().unwrap().stdout)
    };
    assert!(curl(&proxy, &public).starts_with("web saw"));
    assert!(curl(&proxy, &name).starts_with("web saw"));
    let forged = proxy.replace("skylab:", "skylab:not");
    assert_eq!(curl(&forged, &public), "");
    let _ = server.kill();
    let _ = server.wait();
}

/// OPS-SEE: a capture is pcapng with the packets of the place, and only those that were asked for.
#[test]
fn captures_have_the_packets() {
    let Some(lab) = Lab::start(&[]) else { return };
    let pair = build(&lab.api());
    let file = lab.state().join("capture.pcapng");
    let words = [
        "capture",
        &pair.ids[1],
        "-w",
        file.to_str().unwrap(),
        "tcp",
        "port",
        "9",
    ];
    let mut capture = lab.command(&words).spawn().unwrap();
    // It writes its header when it listens.
    while std::fs::metadata(&file).map_or(0, |file| file.len()) == 0 {
        std::thread::sleep(std::time::Duration::from_millis(10));
    }
    assert!(lab.reaches(&pair.ids[0], &pair.addresses[1]));
    lab.run(&[
        "exec",
        &pair.ids[0],
        "--",
        "bash",
        "-c",
        &format!("timeout 1 bash -c ': </dev/tcp/{}/10'", pair.addresses[1]),
    ]);
    let interrupt = nix::unistd::Pid::from_raw(i32::try_from(capture.id()).unwrap());
    nix::sys::signal::kill(interrupt, nix::sys::signal::Signal::SIGINT).unwrap();
    capture.wait().unwrap();
    let bytes = std::fs::read(&file).unwrap();
    assert_eq!(
        &bytes[..4],
        [0x0a, 0x0d, 0x0d, 0x0a],
        "pcapng's first block"
    );
    let packets = packets(&bytes);
    // The call and its refusal.
    assert_eq!(packets.len(), 2, "{packets:?}");
    let ports = |packet: &[u8]| {
        // Past Ethernet's header and IP's.
        let tcp = &packet[14 + usize::from(packet[14] & 0x0f) * 4..];
        (
            u16::from_be_bytes([tcp[0], tcp[1]]),
            u16::from_be_bytes([tcp[2], tcp[3]]),
        )
    };
    assert_eq!(ports(&packets[0]).1, 9);
    assert_eq!(ports(&packets[1]).0, 9);
}

/// The packets of pcapng's enhanced packet blocks.
fn packets(bytes: &[u8]) -> Vec<Vec<u8>> {
    let word = |at: usize| u32::from_le_bytes(bytes[at..at + 4].try_into().unwrap()) as usize;
    let (mut at, mut found) = (0, Vec::new());
    while at + 12 <= bytes.len() {
        let (kind, length) = (word(at), word(at + 4));
        if kind == 6 {
            found.push(bytes[at + 28..at + 28 + word(at + 20)].to_vec());
        }
        at += length;
    }
    found
}

/// AWS-IGW: the cloud's own endpoints are on the internet: who has a way out gets an answer, who hasn't
/// gets none.
#[test]
fn service_endpoints_are_on_the_internet() {
    let Some(lab) = Lab::start(&[]) else { return };
    let (public, _) = public_instance(&lab);
    let api = lab.api();
    let vpc = api
        .ec2("CreateVpc", &[("CidrBlock", "10.7.0.0/16")])
        .one("vpcId");
    let subnet = api
        .ec2(
            "CreateSubnet",
            &[("VpcId", &vpc), ("CidrBlock", "10.7.0.0/24")],
        )
        .one("subnetId");
    let private = run(&api, &subnet, &[("MinCount", "1"), ("MaxCount", "1")]).remove(0);
    let ask = "curl -s -m 3 https://ec2.us-west-2.amazonaws.com/ -d Action=DescribeVpcs";
    let answer = |id: &str| text(&lab.run(&["exec", id, "--", "sh", "-c", ask]).stdout);
    assert!(answer(&public).contains("<Code>"), "{}", answer(&public));
    assert_eq!(answer(&private), "");
}

/// The lab needs no root: an ordinary user's runs, forwards, and leaves nothing behind.
#[test]
fn an_ordinary_users_lab_works() {
    if !nix::unistd::geteuid().is_root() {
        // Then every other test is this one.
        return;
    }
    let directory = std::env::temp_dir().join(format!("skylab-user-{}", std::process::id()));
    std::fs::create_dir(&directory).unwrap();
    let program = directory.join("skylab");
    std::fs::copy(env!("CARGO_BIN_EXE_skylab"), &program).unwrap();
    let user = nix::unistd::Uid::from_raw(65_534);
    nix::unistd::chown(&directory, Some(user), None).unwrap();
    let output = {
        use std::os::unix::process::CommandExt;
        Command::new(&program)
            .args(["demo", "vpc"])
            .uid(user.as_raw())
            .gid(65_534)
            .env("TMPDIR", &directory)
            .env("HOME", &directory)
            .current_dir(&directory)
            .stdin(Stdio::null())
            .output()
            .unwrap()
    };
    let left = std::fs::read_dir(&directory).unwrap().count();
    std::fs::remove_dir_all(&directory).unwrap();
    let said = text(&output.stderr);
    if said.contains("does not let an ordinary process make namespaces") {
        eprintln!("skipped: {said}");
        return;
    }
    assert!(output.status.success(), "{said}\n{}", text(&output.stdout));
    assert_eq!(left, 1, "only the program is left");
}

/// OPS-SAFE, AN-EXPLAIN: with an uplink the machine itself and its networks stay out of reach, what the
/// lab can't see is called unknown, and the lab's own names are asked of nobody else.
#[test]
fn an_uplink_leads_to_public_addresses_only() {
    let Some(lab) = Lab::start(&["--uplink"]) else {
        return;
    };
    let server = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    server.set_nonblocking(true).unwrap();
    let port = server.local_addr().unwrap().port().to_string();
    for address in ["10.0.0.1", "192.168.0.1", "169.254.169.254", "172.17.0.1"] {
        let call =
            format!("timeout 5 bash -c 'exec 3<>/dev/tcp/{address}/{port}; cat <&3'; exit 0");
        let said = lab.run(&["exec", "internet", "--", "sh", "-c", &call]);
        assert!(text(&said.stdout).is_empty());
    }
    assert!(server.accept().is_err(), "the machine was called");
    let told = lab.run(&["explain", "internet", "9.9.9.9", "--port", "443"]);
    assert_eq!(told.status.code(), Some(2), "{}", text(&told.stdout));
    assert!(text(&told.stdout).contains("beyond this lab"));
    let name = "nobody.us-west-2.compute.amazonaws.com";
    let found = lab.run(&["exec", "internet", "--", "getent", "ahostsv4", name]);
    assert!(!found.status.success());
}

//! `skylab demo vpc`: figure 6-7, what gets through, and what breaks it.

use super::figure::{DATABASE, Figure, HTTP, Nat, POSTGRES, associate, nat_gateway, wait_for_nat};
use super::proof::{Claim, Running, at, prove, serve};
use super::stage::Stage;
use crate::failure::Failure;
use lab::paths::StateDir;
use std::net::Ipv4Addr;
use std::time::Instant;

/// Somebody on the internet with a server of their own.
const SOMEBODY: Ipv4Addr = Ipv4Addr::new(203, 0, 113, 80);
/// Where calls from the internet come from.
const VISITOR: Ipv4Addr = Ipv4Addr::new(203, 0, 113, 10);

/// Plays the walkthrough; fails unless everything is as the chapter has it. `keep` leaves the
/// network as it is built, to look around.
pub(crate) fn run(state: Option<&StateDir>, keep: bool) -> Result<u8, Failure> {
    let begun = Instant::now();
    let stage = Stage::open(state)?;
    stage.heading("A lab");
    stage.line("state", &stage.state.path().display().to_string());
    stage.line(
        "ready after",
        &format!("{} ms", begun.elapsed().as_millis()),
    );
    stage.heading("Figure 6-7, by the EC2 API");
    let figure = Figure::build(&stage)?;
    if keep {
        return left(&stage, &figure);
    }
    let (figure, failed) = play(&stage, figure)?;
    stage.heading("Cleaning up");
    figure.remove(&stage.client)?;
    stage.line("removed", "everything that the demo made, by the EC2 API");
    let paint = stage.paint;
    drop(stage);
    println!();
    match failed {
        0 => {
            let took = begun.elapsed().as_secs_f32();
            println!(
                "{} Packets and explanations agreed at every step ({took:.1} s).",
                paint.green("✓")
            );
            Ok(0)
        }
        failed => Err(Failure::new(1, format!("{failed} claims did not hold"))),
    }
}

fn left(stage: &Stage, figure: &Figure) -> Result<u8, Failure> {
    let state = stage.state.path().display();
    let web = &figure.webs[0];
    println!("\nIt stays. Look around:");
    println!("  eval \"$(skylab env --state {state})\"");
    println!("  aws ec2 describe-instances --output table");
    println!("  skylab --state {state} shell {}", web.instance);
    println!(
        "  skylab --state {state} explain internet {} --port {HTTP}",
        web.instance
    );
    Ok(0)
}

/// The acts: as built, then each change and what it does, then all put back.
fn play(stage: &Stage, mut figure: Figure) -> Result<(Figure, u32), Failure> {
    let ec2 = &stage.client;
    let _servers = servers(stage, &figure)?;
    let mut failed = 0;

    stage.heading("As built (✓: packets and explanation are as AWS has them)");
    failed += as_built(stage, &figure, true)?;

    stage.heading("web-1's Elastic IP moves to web-2");
    let [one, two] = [&figure.webs[0], &figure.webs[1]];
    associate(ec2, &one.allocation, &two.instance)?;
    failed += check(stage, &web(one.public_ip, Some("web-2"), true))?;
    failed += check(stage, &web(two.public_ip, None, true))?;

    stage.heading("It moves back");
    associate(ec2, &one.allocation, &one.instance)?;
    associate(ec2, &two.allocation, &two.instance)?;
    failed += check(stage, &web(one.public_ip, Some("web-1"), false))?;
    failed += check(stage, &web(two.public_ip, Some("web-2"), false))?;

    stage.heading("The NAT gateway is deleted, its route stays: a blackhole (F-9)");
    ec2.ec2("DeleteNatGateway", &[("NatGatewayId", &figure.nat.id)])?;
    wait_for_nat(ec2, &figure.nat.id, "deleted")?;
    failed += check(stage, &out(&figure, None, true))?;
    failed += check(stage, &web(figure.webs[0].public_ip, Some("web-1"), false))?;

    stage.heading("A new one takes its address and its route");
    let Nat {
        allocation,
        public_ip,
        ..
    } = figure.nat;
    figure.nat = nat_gateway(stage, &figure.public, allocation, public_ip)?;
    let route = [
        ("RouteTableId", figure.main.as_str()),
        ("DestinationCidrBlock", "0.0.0.0/0"),
        ("NatGatewayId", &figure.nat.id),
    ];
    ec2.ec2("ReplaceRoute", &route)?;
    failed += check(stage, &out(&figure, Some(public_ip), false))?;

    stage.heading(
        "The public subnet's network ACL lets no ephemeral ports out: answers are lost (F-6)",
    );
    let acl = Closed::put(stage, &figure)?;
    failed += check(stage, &web(figure.webs[0].public_ip, None, true))?;

    stage.heading("The ACL is taken away; everything is as built");
    acl.take_away(stage)?;
    failed += as_built(stage, &figure, false)?;
    Ok((figure, failed))
}

/// Servers where the claims need them, named by what they answer.
fn servers(stage: &Stage, figure: &Figure) -> Result<Vec<Running>, Failure> {
    let mut servers = Vec::new();
    for web in &figure.webs {
        servers.push(serve(stage, &web.instance, HTTP, &web.name)?);
    }
    servers.push(serve(stage, &figure.database, POSTGRES, "db")?);
    let somebody = format!("internet:{SOMEBODY}");
    servers.push(serve(stage, &somebody, HTTP, "somebody")?);
    Ok(servers)
}

/// Tries a claim; how many failed.
fn check(stage: &Stage, claim: &Claim<'_>) -> Result<u32, Failure> {
    Ok(u32::from(!prove(stage, claim)?))
}

/// Everything that the figure promises.
fn as_built(stage: &Stage, figure: &Figure, whole: bool) -> Result<u32, Failure> {
    let mut failed = 0;
    for (index, of) in figure.webs.iter().enumerate() {
        failed += check(
            stage,
            &web(of.public_ip, Some(&of.name), whole && index == 0),
        )?;
    }
    let private = Claim {
        from: &format!("internet:{VISITOR}"),
        caller: "internet",
        called: "db",
        to: at(DATABASE, POSTGRES),
        answer: None,
        whole,
    };
    failed += check(stage, &private)?;
    failed += check(stage, &out(figure, Some(figure.nat.public_ip), whole))?;
    let near = Claim {
        from: &figure.webs[0].instance,
        caller: "web-1",
        called: "db",
        to: at(DATABASE, POSTGRES),
        answer: Some("db saw 10.0.1.11".to_owned()),
        whole: false,
    };
    failed += check(stage, &near)?;
    Ok(failed)
}

/// From the internet to a public address of the web; `answers` is who should.
fn web(to: Ipv4Addr, answers: Option<&str>, whole: bool) -> Claim<'static> {
    Claim {
        from: "internet:203.0.113.10",
        caller: "internet",
        called: "web",
        to: at(to, HTTP),
        answer: answers.map(|name| format!("{name} saw {VISITOR}")),
        whole,
    }
}

/// From the database to the internet; `seen` is the address it should be seen by.
fn out(figure: &Figure, seen: Option<Ipv4Addr>, whole: bool) -> Claim<'_> {
    Claim {
        from: &figure.database,
        caller: "db",
        called: "internet",
        to: at(SOMEBODY, HTTP),
        answer: seen.map(|seen| format!("somebody saw {seen}")),
        whole,
    }
}

/// A network ACL that lets only web ports out of the public subnet.
struct Closed {
    id: String,
    before: String,
    association: String,
}

impl Closed {
    fn put(stage: &Stage, figure: &Figure) -> Result<Self, Failure> {
        let ec2 = &stage.client;
        let id = ec2
            .ec2("CreateNetworkAcl", &[("VpcId", &figure.vpc)])?
            .one("networkAclId")?;
        let entry = |egress: &str, protocol: &str, ports: Option<&str>| {
            let mut parameters = vec![
                ("NetworkAclId", id.as_str()),
                ("RuleNumber", "100"),
                ("RuleAction", "allow"),
                ("CidrBlock", "0.0.0.0/0"),
                ("Egress", egress),
                ("Protocol", protocol),
            ];
            if let Some(port) = ports {
                parameters.extend([("PortRange.From", port), ("PortRange.To", port)]);
            }
            ec2.ec2("CreateNetworkAclEntry", &parameters)
        };
        entry("false", "-1", None)?;
        entry("true", "6", Some("443"))?;
        let of_subnet = [
            ("Filter.1.Name", "association.subnet-id"),
            ("Filter.1.Value.1", figure.public.as_str()),
        ];
        let now = ec2.ec2("DescribeNetworkAcls", &of_subnet)?;
        let before = now.one("networkAclId")?;
        let association = association_of(&now, &figure.public)?;
        let replace = [
            ("AssociationId", association.as_str()),
            ("NetworkAclId", &id),
        ];
        let association = ec2
            .ec2("ReplaceNetworkAclAssociation", &replace)?
            .one("newAssociationId")?;
        stage.line(
            "network ACL",
            &format!("{id}  outbound 100: allow tcp 443 only"),
        );
        Ok(Self {
            id,
            before,
            association,
        })
    }

    fn take_away(self, stage: &Stage) -> Result<(), Failure> {
        let replace = [
            ("AssociationId", self.association.as_str()),
            ("NetworkAclId", &self.before),
        ];
        stage.client.ec2("ReplaceNetworkAclAssociation", &replace)?;
        stage
            .client
            .ec2("DeleteNetworkAcl", &[("NetworkAclId", &self.id)])?;
        Ok(())
    }
}

/// The association of a subnet, among those of its network ACL.
fn association_of(acls: &lab::client::Document, subnet: &str) -> Result<String, Failure> {
    let ids = acls.all("networkAclAssociationId");
    let subnets = acls.all("subnetId");
    let own = subnets
        .iter()
        .position(|of| of == subnet)
        .and_then(|index| ids.get(index));
    own.cloned()
        .ok_or_else(|| Failure::new(1, format!("{subnet} has no network ACL")))
}

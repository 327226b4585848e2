//! SIGKILL at random moments during mutations: nothing acknowledged is lost, nothing is left behind,
//! everything forwards again.

use crate::lab::Lab;
use crate::slice::build;
use lab::client::{Client, ClientError};
use lab::credentials::Credentials;
use lab::paths::StateDir;
use std::collections::BTreeSet;
use std::thread;
use std::time::Duration;

/// How many kills, unless `SKYLAB_KILLS` says so; `bench/kills.sh` asks for a thousand.
const KILLS: u64 = 100;

/// What the mutator knows: what was acknowledged, and what it was doing when the lab went.
struct Ledger {
    vpc: String,
    group: String,
    /// Groups by name, as acknowledged.
    groups: BTreeSet<String>,
    /// Whether the rule between the two instances is there, as acknowledged.
    open: bool,
    made: u64,
    /// The last, unacknowledged request: it may or may not have happened.
    pending: Option<Pending>,
}

enum Pending {
    Create(String),
    Delete(String),
    Rule,
}

impl Ledger {
    /// Mutates until the lab goes.
    fn mutate(&mut self, client: &Client, random: &mut u64) {
        loop {
            let done = match draw(random) % 3 {
                0 => self.create(client),
                1 => self.delete(client),
                _ => self.toggle(client),
            };
            match done {
                Ok(()) => self.pending = None,
                Err(ClientError::Connection { .. }) => return,
                Err(error) => panic!("{error}"),
            }
        }
    }

    fn create(&mut self, client: &Client) -> Result<(), ClientError> {
        self.made += 1;
        let name = format!("group-{}", self.made);
        self.pending = Some(Pending::Create(name.clone()));
        let parameters = [
            ("GroupName", name.as_str()),
            ("GroupDescription", "for a kill"),
            ("VpcId", &self.vpc),
        ];
        client.ec2("CreateSecurityGroup", &parameters)?;
        self.groups.insert(name);
        Ok(())
    }

    fn delete(&mut self, client: &Client) -> Result<(), ClientError> {
        let Some(name) = self.groups.first().cloned() else {
            return Ok(());
        };
        let of_name = [
            ("Filter.1.Name", "group-name"),
            ("Filter.1.Value.1", name.as_str()),
        ];
        let id = client
            .ec2("DescribeSecurityGroups", &of_name)?
            .one("groupId")?;
        self.pending = Some(Pending::Delete(name.clone()));
        client.ec2("DeleteSecurityGroup", &[("GroupId", &id)])?;
        self.groups.remove(&name);
        Ok(())
    }

    fn toggle(&mut self, client: &Client) -> Result<(), ClientError> {
        let operation = match self.open {
            true => "RevokeSecurityGroupIngress",
            false => "AuthorizeSecurityGroupIngress",
        };
        self.pending = Some(Pending::Rule);
        let rule = [
            ("GroupId", self.group.as_str()),
            ("IpPermissions.1.IpProtocol", "-1"),
            ("IpPermissions.1.Groups.1.GroupId", &self.group),
        ];
        client.ec2(operation, &rule)?;
        self.open = !self.open;
        Ok(())
    }

    /// Compares with what the restarted lab has, and takes over what was pending.
    fn settle(&mut self, client: &Client) {
        let of_vpc = [
            ("Filter.1.Name", "vpc-id"),
            ("Filter.1.Value.1", self.vpc.as_str()),
        ];
        let found = client.ec2("DescribeSecurityGroups", &of_vpc).unwrap();
        let mut found: BTreeSet<String> = found.all("groupName").into_iter().collect();
        found.retain(|name| name.starts_with("group-"));
        match self.pending.take() {
            Some(Pending::Create(name)) if found.contains(&name) => {
                self.groups.insert(name);
            }
            Some(Pending::Delete(name)) if !found.contains(&name) => {
                self.groups.remove(&name);
            }
            Some(Pending::Rule) => {
                let rules = [
                    ("Filter.1.Name", "group-id"),
                    ("Filter.1.Value.1", self.group.as_str()),
                ];
                let rules = client.ec2("DescribeSecurityGroupRules", &rules).unwrap();
                self.open = rules.all("isEgress").iter().any(|egress| egress == "false");
            }
            _ => {}
        }
        assert_eq!(found, self.groups, "acknowledged and kept groups differ");
    }
}

/// SplitMix64: the test prints its seed, and the same seed kills at the same moments.
fn draw(state: &mut u64) -> u64 {
    *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let mut z = *state;
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

fn client(lab: &Lab) -> Client {
    let state = StateDir::choose(Some(lab.state())).unwrap();
    let credentials = Credentials::load(&state).unwrap().unwrap();
    let ports = serde_json::from_value(lab.status()["ports"].clone()).unwrap();
    Client::new(ports, &credentials, "us-west-2")
}

/// OPS-STATE: what was acknowledged is there after SIGKILL, packets obey it, and between the lives no
/// process of the lab is left.
#[test]
fn nothing_acknowledged_is_lost() {
    let Some(lab) = Lab::start(&["--quotas", "none"]) else {
        return;
    };
    let pair = build(&lab.api());
    let of_vpc = [
        ("Filter.1.Name", "vpc-id"),
        ("Filter.1.Value.1", pair.vpc.as_str()),
    ];
    let group = lab
        .api()
        .ec2("DescribeSecurityGroups", &of_vpc)
        .one("groupId");
    let mut ledger = Ledger {
        vpc: pair.vpc.clone(),
        group,
        groups: BTreeSet::new(),
        open: true,
        made: 0,
        pending: None,
    };
    let number = |name: &str| std::env::var(name).ok()?.parse::<u64>().ok();
    let kills = number("SKYLAB_KILLS").unwrap_or(KILLS);
    let seed = number("SKYLAB_SEED").unwrap_or_else(|| u64::from(std::process::id()));
    eprintln!("seed {seed}");
    let mut random = seed;
    for kill in 0..kills {
        let api = client(&lab);
        let moment = Duration::from_micros(draw(&mut random) % 40_000);
        let mut choices = draw(&mut random);
        thread::scope(|scope| {
            let mutator = scope.spawn(|| ledger.mutate(&api, &mut choices));
            thread::sleep(moment);
            lab.kill();
            mutator.join().unwrap();
        });
        lab.gone();
        let up = lab.up(&["--quotas", "none"]);
        assert!(
            up.status.success(),
            "after kill {kill}: {}",
            crate::lab::text(&up.stderr)
        );
        ledger.settle(&client(&lab));
        // Packets that are dropped cost seconds of waiting: look at them now and then.
        if ledger.open || kill % 10 == 0 {
            let reaches = lab.reaches(&pair.ids[0], &pair.addresses[1]);
            assert_eq!(reaches, ledger.open, "after kill {kill}");
        }
    }
}

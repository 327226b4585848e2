//! The rules by which targets' security groups let load balancers in: always those that all bindings together need.

use super::{PeerPort, Spec};
use crate::calls::Calls;
use crate::failure::Failure;
use crate::model::object::NumberOrName;
use aws_client::Aws;
use aws_client::answer::{list, text};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};
use tokio::sync::Mutex;

/// What these rules say of themselves.
const DESCRIPTION: &str = "elbv2.k8s.aws/targetGroupBinding=shared";

/// What groups have is looked at again after so long: others may have changed it.
const FRESH: Duration = Duration::from_secs(60);

/// Whom a group lets in.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum From {
    Group(String),
    Range(String),
}

/// A rule.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Rule {
    pub(crate) from: From,
    pub(crate) protocol: String,
    pub(crate) ports: (u16, u16),
}

/// What one binding needs.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Needed {
    /// The groups of its targets.
    pub(crate) groups: BTreeSet<String>,
    pub(crate) rules: BTreeSet<Rule>,
}

impl Needed {
    /// What a binding needs whose targets are in groups; `number` tells the numbers of a port by name.
    pub(crate) fn of(
        spec: &Spec,
        groups: BTreeSet<String>,
        numbers: impl Fn(&str) -> BTreeSet<u16>,
    ) -> Self {
        let mut rules = BTreeSet::new();
        for peer in spec.networking.iter().flat_map(|of| &of.ingress) {
            let any = [PeerPort::default()];
            let ports = match peer.ports.as_slice() {
                [] => &any[..],
                ports => ports,
            };
            for (from, port) in peer
                .from
                .iter()
                .flat_map(|from| ports.iter().map(move |port| (from, port)))
            {
                let from = match (
                    from["securityGroup"]["groupID"].as_str(),
                    from["ipBlock"]["cidr"].as_str(),
                ) {
                    (Some(group), _) => From::Group(group.to_owned()),
                    (_, Some(range)) => From::Range(range.to_owned()),
                    _ => continue,
                };
                let ranges: Vec<(u16, u16)> = match &port.port {
                    None => vec![(0, u16::MAX)],
                    Some(NumberOrName::Number(number)) => vec![(*number, *number)],
                    Some(NumberOrName::Name(name)) => numbers(name)
                        .into_iter()
                        .map(|number| (number, number))
                        .collect(),
                };
                let protocol = port.protocol.as_deref().unwrap_or("TCP").to_lowercase();
                rules.extend(ranges.into_iter().map(|ports| Rule {
                    from: from.clone(),
                    protocol: protocol.clone(),
                    ports,
                }));
            }
        }
        Self { groups, rules }
    }
}

/// By group, what all bindings need together: one range from the lowest port to the highest, for each protocol and whom
/// it lets in.
fn wanted<'n>(all: impl Iterator<Item = &'n Needed>) -> BTreeMap<String, BTreeSet<Rule>> {
    let mut ranges: BTreeMap<(String, From, String), (u16, u16)> = BTreeMap::new();
    for needed in all {
        for (group, rule) in needed
            .groups
            .iter()
            .flat_map(|group| needed.rules.iter().map(move |rule| (group, rule)))
        {
            let key = (group.clone(), rule.from.clone(), rule.protocol.clone());
            let range = ranges.entry(key).or_insert(rule.ports);
            *range = (range.0.min(rule.ports.0), range.1.max(rule.ports.1));
        }
    }
    let mut wanted: BTreeMap<String, BTreeSet<Rule>> = BTreeMap::new();
    for ((group, from, protocol), ports) in ranges {
        wanted.entry(group).or_default().insert(Rule {
            from,
            protocol,
            ports,
        });
    }
    wanted
}

#[derive(Debug, Default)]
struct State {
    needed: BTreeMap<String, Needed>,
    /// What groups have, as far as it was looked at or done.
    has: BTreeMap<String, BTreeSet<Rule>>,
    /// All bindings are known, so that what nobody needs can go.
    complete: bool,
    /// When it was looked at.
    at: Option<Instant>,
}

/// The rules of all bindings.
#[derive(Debug, Default)]
pub(crate) struct Networking {
    state: Mutex<State>,
}

impl Networking {
    /// Takes in what a binding needs, nothing for one that goes; `live` says which bindings there are.
    pub(crate) async fn bring<A: Aws>(
        &self,
        calls: &Calls<A>,
        key: &str,
        needed: Option<Needed>,
        live: impl Fn() -> BTreeSet<String>,
        cluster: (&str, &str),
    ) -> Result<(), Failure> {
        let mut state = self.state.lock().await;
        if state.at.is_none_or(|at| at.elapsed() > FRESH) {
            state.has.clear();
            state.complete = false;
            state.at = Some(Instant::now());
        }
        match needed {
            Some(needed) => drop(state.needed.insert(key.to_owned(), needed)),
            None => drop(state.needed.remove(key)),
        }
        if !state.complete
            && live()
                .iter()
                .all(|of| of == key || state.needed.contains_key(of))
        {
            state.complete = true;
            // What a predecessor left is in groups with the cluster's tag.
            for (group, rules) in described(calls, &tagged(cluster)).await? {
                state.has.insert(group, rules);
            }
        }
        let wanted = wanted(state.needed.values());
        let unknown = wanted
            .keys()
            .filter(|group| !state.has.contains_key(*group));
        let unknown: Vec<String> = unknown.cloned().collect();
        if !unknown.is_empty() {
            let asked = json!({"GroupId": unknown});
            for (group, rules) in described(calls, &asked).await? {
                state.has.insert(group, rules);
            }
        }
        let groups: Vec<String> = state.has.keys().cloned().collect();
        for group in groups {
            let wanted = wanted.get(&group).cloned().unwrap_or_default();
            let has = state.has.get(&group).cloned().unwrap_or_default();
            let gone = if state.complete {
                &has - &wanted
            } else {
                BTreeSet::new()
            };
            let done = change(calls, &group, &(&wanted - &has), &gone).await;
            if let Err(error) = done {
                // What it has now has to be looked at.
                state.has.remove(&group);
                return Err(error);
            }
            state.has.insert(group, &(&has | &wanted) - &gone);
        }
        Ok(())
    }
}

fn tagged((cluster, vpc): (&str, &str)) -> Value {
    json!({"Filter": [
        {"Name": "vpc-id", "Value": [vpc]},
        {"Name": "tag-key", "Value": [format!("kubernetes.io/cluster/{cluster}")]},
    ]})
}

fn wire(rule: &Rule) -> Value {
    let mut permission = json!({
        "IpProtocol": rule.protocol, "FromPort": rule.ports.0, "ToPort": rule.ports.1,
    });
    match &rule.from {
        From::Group(id) => {
            permission["Groups"] = json!([{"GroupId": id, "Description": DESCRIPTION}]);
        }
        From::Range(range) => {
            permission["IpRanges"] = json!([{"CidrIp": range, "Description": DESCRIPTION}]);
        }
    }
    permission
}

async fn change<A: Aws>(
    calls: &Calls<A>,
    group: &str,
    new: &BTreeSet<Rule>,
    gone: &BTreeSet<Rule>,
) -> Result<(), Failure> {
    for (operation, rules) in [
        ("AuthorizeSecurityGroupIngress", new),
        ("RevokeSecurityGroupIngress", gone),
    ] {
        if rules.is_empty() {
            continue;
        }
        let rules: Vec<Value> = rules.iter().map(wire).collect();
        let asked = json!({"GroupId": group, "IpPermissions": rules});
        match calls.ec2(operation, asked).await {
            // Somebody else did it.
            Err(error)
                if [
                    Some("InvalidPermission.Duplicate"),
                    Some("InvalidPermission.NotFound"),
                    Some("InvalidGroup.NotFound"),
                ]
                .contains(&error.code()) => {}
            other => drop(other?),
        }
    }
    Ok(())
}

/// The rules of bindings that groups have.
async fn described<A: Aws>(
    calls: &Calls<A>,
    asked: &Value,
) -> Result<BTreeMap<String, BTreeSet<Rule>>, Failure> {
    let answer = calls.ec2("DescribeSecurityGroups", asked.clone()).await?;
    let groups = list(&answer, "securityGroupInfo").iter();
    Ok(groups
        .map(|group| (text(group, "groupId").to_owned(), present(group)))
        .collect())
}

fn present(group: &Value) -> BTreeSet<Rule> {
    let mut rules = BTreeSet::new();
    for permission in list(group, "ipPermissions") {
        let number = |name: &str| text(permission, name).parse().unwrap_or(0);
        let ports = (number("fromPort"), number("toPort"));
        let groups = list(permission, "groups").iter();
        let groups = groups.map(|of| (of, From::Group(text(of, "groupId").to_owned())));
        let ranges = list(permission, "ipRanges").iter();
        let ranges = ranges.map(|of| (of, From::Range(text(of, "cidrIp").to_owned())));
        let own = groups
            .chain(ranges)
            .filter(|(of, _)| text(of, "description") == DESCRIPTION);
        rules.extend(own.map(|(_, from)| Rule {
            from,
            protocol: text(permission, "ipProtocol").to_owned(),
            ports,
        }));
    }
    rules
}

#[cfg(test)]
mod tests {
    use super::*;

    fn needed(ports: &[u16]) -> Needed {
        let rules = ports.iter().map(|port| Rule {
            from: From::Group("sg-lb".to_owned()),
            protocol: "tcp".to_owned(),
            ports: (*port, *port),
        });
        Needed {
            groups: BTreeSet::from(["sg-node".to_owned()]),
            rules: rules.collect(),
        }
    }

    /// AWS-LBC: all bindings' ports are one range, which comes back from EC2 the same.
    #[test]
    fn all_bindings_share_one_range() {
        let all = [needed(&[30_100]), needed(&[8080, 30_000])];
        let wanted = wanted(all.iter());
        let rules = &wanted["sg-node"];
        let range: Vec<(u16, u16)> = rules.iter().map(|rule| rule.ports).collect();
        assert_eq!(range, [(8080, 30_100)]);
        let told = json!({"ipPermissions": [{
            "ipProtocol": "tcp", "fromPort": "8080", "toPort": "30100",
            "groups": [
                {"groupId": "sg-lb", "description": DESCRIPTION},
                {"groupId": "sg-x", "description": "a user's"},
            ],
        }]});
        assert_eq!(present(&told), *rules);
    }
}

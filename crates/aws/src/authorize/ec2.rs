//! What EC2's operations ask.
//!
//! Which kinds of resources an action has is AWS's own table:
//! <https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazonec2.html>

use super::parameters::{items, tags, text, texts};
use super::{Place, Question, request_tags, resource_tags};
use crate::model::iam::{instance_profile, role};
use crate::model::instance::profile;
use crate::model::tag;
use crate::policy::Keys;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::OnceLock;
use wire::query::Node;

/// An action a line: its name, and the kinds of its resources; those that it always has with an asterisk.
const ACTIONS: &str = include_str!("ec2_actions.tsv");

/// A kind of resource, and whether the action always has one.
type KindOf = (&'static str, bool);

fn kinds(action: &str) -> &'static [KindOf] {
    static KINDS: OnceLock<HashMap<&str, Vec<KindOf>>> = OnceLock::new();
    let line = |line: &'static str| {
        let (action, kinds) = line.split_once('\t')?;
        let kinds = kinds.split(' ').map(|kind| match kind.strip_suffix('*') {
            Some(kind) => (kind, true),
            None => (kind, false),
        });
        Some((action, kinds.collect()))
    };
    let all = KINDS.get_or_init(|| ACTIONS.lines().filter_map(line).collect());
    all.get(action).map(Vec::as_slice).unwrap_or_default()
}

/// What ids begin with, and the kind of resource in ARNs.
const PREFIXES: [(&str, &str); 19] = [
    ("ami", "image"),
    ("acl", "network-acl"),
    ("dopt", "dhcp-options"),
    ("eigw", "egress-only-internet-gateway"),
    ("eipalloc", "elastic-ip"),
    ("eni", "network-interface"),
    ("i", "instance"),
    ("igw", "internet-gateway"),
    ("key", "key-pair"),
    ("lt", "launch-template"),
    ("nat", "natgateway"),
    ("pl", "prefix-list"),
    ("rtb", "route-table"),
    ("sg", "security-group"),
    ("sgr", "security-group-rule"),
    ("snap", "snapshot"),
    ("subnet", "subnet"),
    ("vol", "volume"),
    ("vpc", "vpc"),
];

fn kind_of(id: &str) -> Option<&'static str> {
    let (prefix, digits) = id.rsplit_once('-')?;
    let hex = digits.bytes().all(|byte| byte.is_ascii_hexdigit());
    let found = PREFIXES.iter().find(|(of, _)| *of == prefix);
    found.filter(|_| hex).map(|(_, kind)| *kind)
}

/// The parameters that name a role's profile.
const PROFILE: &str = "IamInstanceProfile";

impl Place<'_> {
    pub(super) fn ec2(&self) -> Vec<Question> {
        let parameters = self.asking.parameters;
        if matches!(self.asking.operation, "CreateTags" | "DeleteTags") {
            return self.tagging(&tags(parameters, "Tag"));
        }
        let given = specified(parameters);
        let mut questions = Vec::new();
        let named = self.named();
        for (kind, always) in kinds(self.asking.operation) {
            let ids: Vec<&String> = named
                .iter()
                .filter(|id| kind_of(id) == Some(kind))
                .collect();
            for id in &ids {
                questions.push(self.on_existing(id, kind));
            }
            if ids.is_empty() && *always {
                questions.push(self.on_new(kind, given.get(*kind)));
            }
        }
        for (kind, tags) in &given {
            questions.push(self.tagging_new(kind, tags));
        }
        questions.extend(self.passing());
        questions
    }

    /// The ids that a request names, those behind associations' too.
    fn named(&self) -> BTreeSet<String> {
        let parameters = self.asking.parameters;
        let mut ids = BTreeSet::new();
        for name in parameters.children.keys() {
            ids.extend(texts(parameters, name).into_iter().map(str::to_owned));
        }
        for interface in items(parameters, "NetworkInterface") {
            for name in ["SubnetId", "NetworkInterfaceId", "SecurityGroupId"] {
                ids.extend(texts(interface, name).into_iter().map(str::to_owned));
            }
        }
        if let Some(template) = parameters.children.get("LaunchTemplate") {
            ids.extend(text(template, "LaunchTemplateId").map(str::to_owned));
        }
        let behind: Vec<String> = ids.iter().filter_map(|id| self.behind(id)).collect();
        ids.extend(behind);
        ids
    }

    /// The resource of an association.
    fn behind(&self, id: &str) -> Option<String> {
        let state = self.state;
        if id.starts_with("eni-attach-") {
            let mut interfaces = state.network_interfaces.values();
            let found = interfaces.find(|of| {
                let attachment = of.attachment.as_ref();
                attachment.is_some_and(|attachment| attachment.id.as_str() == id)
            });
            return found.map(|of| of.id.to_string());
        }
        if id.starts_with("iip-assoc-") {
            let mut instances = state.instances.values();
            let found = instances.find(|of| {
                let association = of.profile_association.as_ref();
                association.is_some_and(|association| association.id == id)
            });
            return found.map(|of| of.id.to_string());
        }
        None
    }

    fn ec2_arn(&self, kind: &str, id: &str) -> String {
        let region = &self.context.region;
        match kind {
            // Those belong to no account in ARNs.
            "image" | "snapshot" => format!("arn:aws:ec2:{region}::{kind}/{id}"),
            _ => self.arn(&format!("{kind}/{id}")),
        }
    }

    fn own_keys(&self, id: &str) -> Keys {
        let mut keys = Keys::default();
        keys.put("ec2:Region", self.context.region.as_str());
        if let Some(own) = tag::of(self.state, id) {
            resource_tags(&mut keys, "ec2", &own.tags);
        }
        keys
    }

    fn on_existing(&self, id: &str, kind: &str) -> Question {
        self.on(self.ec2_arn(kind, id), self.own_keys(id))
    }

    fn on_new(&self, kind: &str, given: Option<&BTreeMap<String, String>>) -> Question {
        let mut keys = Keys::default();
        keys.put("ec2:Region", self.context.region.as_str());
        if let Some(given) = given {
            request_tags(&mut keys, given);
        }
        self.on(self.ec2_arn(kind, "*"), keys)
    }

    /// Tags that come with a creation.
    fn tagging_new(&self, kind: &str, given: &BTreeMap<String, String>) -> Question {
        let mut keys = Keys::default();
        keys.put("ec2:CreateAction", self.asking.operation);
        keys.put("ec2:Region", self.context.region.as_str());
        request_tags(&mut keys, given);
        Question {
            action: "ec2:CreateTags".to_owned(),
            resource: self.ec2_arn(kind, "*"),
            keys,
        }
    }

    fn tagging(&self, given: &BTreeMap<String, String>) -> Vec<Question> {
        let ids = texts(self.asking.parameters, "ResourceId");
        let question = |id: &str| {
            let mut keys = self.own_keys(id);
            request_tags(&mut keys, given);
            self.on(self.ec2_arn(kind_of(id).unwrap_or("*"), id), keys)
        };
        ids.into_iter().map(question).collect()
    }

    /// The role that the request hands to an instance.
    fn passing(&self) -> Option<Question> {
        let asked = self.asking.parameters.children.get(PROFILE)?;
        let profile = profile::named(self.state, text(asked, "Arn"), text(asked, "Name")).ok()?;
        let profile = instance_profile::find(self.state, &profile.name).ok()?;
        let role = role::find(self.state, profile.role.as_deref()?).ok()?;
        Some(self.pass_role(&role.arn, "ec2.amazonaws.com"))
    }
}

/// The tags that a request gives to what it makes, by kind.
fn specified(parameters: &Node) -> BTreeMap<String, BTreeMap<String, String>> {
    let mut by_kind: BTreeMap<String, BTreeMap<String, String>> = BTreeMap::new();
    for of in items(parameters, "TagSpecification") {
        let given = tags(of, "Tag");
        if let Some(kind) = text(of, "ResourceType").filter(|_| !given.is_empty()) {
            by_kind.entry(kind.to_owned()).or_default().extend(given);
        }
    }
    by_kind
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn actions_have_kinds() {
        assert!(kinds("RunInstances").contains(&("image", true)));
        assert!(kinds("AuthorizeSecurityGroupIngress").contains(&("security-group-rule", false)));
        assert!(kinds("DescribeInstances").is_empty());
        assert_eq!(kind_of("sg-0123abcd"), Some("security-group"));
        assert_eq!(kind_of("eni-attach-0123abcd"), None);
        assert_eq!(kind_of("my-name"), None);
    }
}

//! What the other services' operations ask: each names one resource, or none.
//!
//! <https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazonelastickubernetesservice.html>

use super::parameters::{items, tag_map, tags, text, texts};
use super::{Place, Question, request_tags, resource_tags};
use crate::policy::Keys;
use std::collections::BTreeMap;
use std::sync::Arc;

impl Place<'_> {
    pub(super) fn others(&self) -> Vec<Question> {
        match self.asking.service {
            "autoscaling" => self.auto_scaling(),
            "acm" => self.certificates(),
            "ssm" => self.system_parameters(),
            "ecr" => self.repositories(),
            "eks" => self.clusters(),
            "cloudformation" => self.stacks(),
            _ => Vec::new(),
        }
    }

    fn auto_scaling(&self) -> Vec<Question> {
        if self.asking.operation.starts_with("Describe") {
            return Vec::new();
        }
        let parameters = self.asking.parameters;
        let tagged = items(parameters, "Tags");
        let mut names: Vec<&str> = texts(parameters, "AutoScalingGroupName");
        names.extend(tagged.iter().filter_map(|tag| text(tag, "ResourceId")));
        names.sort_unstable();
        names.dedup();
        let given = tags(parameters, "Tags");
        let question = |name: &str| {
            let groups = self.state.auto_scaling_groups.values().map(Arc::as_ref);
            let mut own = groups.filter(|of| of.key.region == self.context.region);
            let found = own.find(|of| of.key.name == name);
            let uuid = found.map_or("*", |of| &of.uuid);
            let mut keys = Keys::default();
            request_tags(&mut keys, &given);
            if let Some(found) = found {
                let own = found.tags.iter();
                let own = own.map(|(key, tag)| (key.clone(), tag.value.clone()));
                resource_tags(&mut keys, "autoscaling", &own.collect());
            }
            let group = format!("autoScalingGroup:{uuid}:autoScalingGroupName/{name}");
            self.on(self.arn(&group), keys)
        };
        names.into_iter().map(question).collect()
    }

    fn certificates(&self) -> Vec<Question> {
        let parameters = self.asking.parameters;
        let arn = text(parameters, "CertificateArn");
        let own = arn.and_then(|arn| self.state.certificates.get(arn));
        let mut keys = Keys::default();
        request_tags(&mut keys, &tags(parameters, "Tags"));
        if let Some(own) = own {
            resource_tags(&mut keys, "acm", &own.tags);
        }
        let new = matches!(
            self.asking.operation,
            "ImportCertificate" | "RequestCertificate"
        );
        match arn {
            Some(arn) => vec![self.on(arn.to_owned(), keys)],
            None if new => vec![self.on(self.arn("certificate/*"), keys)],
            None => Vec::new(),
        }
    }

    fn system_parameters(&self) -> Vec<Question> {
        let parameters = self.asking.parameters;
        ["Name", "Names", "Path", "ResourceId"]
            .into_iter()
            .flat_map(|member| texts(parameters, member))
            .map(|name| {
                let name = name.trim_start_matches('/');
                let arn = match name.starts_with("aws/") {
                    // AWS's own parameters belong to no account in ARNs.
                    true => format!("arn:aws:ssm:{}::parameter/{name}", self.context.region),
                    false => self.arn(&format!("parameter/{name}")),
                };
                self.on(arn, Keys::default())
            })
            .collect()
    }

    fn repositories(&self) -> Vec<Question> {
        let parameters = self.asking.parameters;
        let one = texts(parameters, "repositoryName").into_iter();
        let several = texts(parameters, "repositoryNames").into_iter();
        let given = tags(parameters, "tags");
        let question = |name: &str| {
            let mut keys = Keys::default();
            request_tags(&mut keys, &given);
            self.on(self.arn(&format!("repository/{name}")), keys)
        };
        let named: Vec<Question> = one.chain(several).map(question).collect();
        if let Some(arn) = text(parameters, "resourceArn") {
            return vec![self.on(arn.to_owned(), Keys::default())];
        }
        match (named.is_empty(), self.asking.operation) {
            (true, "DescribeRepositories") => {
                vec![self.on(self.arn("repository/*"), Keys::default())]
            }
            _ => named,
        }
    }

    /// EKS has its resources in the path: `/clusters/<name>/node-groups/<name>`.
    fn clusters(&self) -> Vec<Question> {
        let parameters = self.asking.parameters;
        let parts: Vec<&str> = self.asking.path.trim_matches('/').split('/').collect();
        let given = tag_map(parameters, "tags");
        let resource = match parts.as_slice() {
            ["clusters"] => text(parameters, "name").map(|name| format!("cluster/{name}")),
            ["clusters", cluster, part, rest @ ..] => {
                let kind = match *part {
                    "node-groups" => Some(("nodegroup", "nodegroupName")),
                    "addons" => Some(("addon", "addonName")),
                    "fargate-profiles" => Some(("fargateprofile", "fargateProfileName")),
                    "access-entries" => Some(("access-entry", "")),
                    "pod-identity-associations" => Some(("podidentityassociation", "")),
                    _ => None,
                };
                let named = |member: &str| rest.first().copied().or(text(parameters, member));
                Some(match kind {
                    // Listings and creations of access entries are asked on their cluster.
                    Some((kind, member)) => match named(member) {
                        Some(name) => format!("{kind}/{cluster}/{name}/*"),
                        None => format!("cluster/{cluster}"),
                    },
                    None => format!("cluster/{cluster}"),
                })
            }
            ["clusters", cluster] => Some(format!("cluster/{cluster}")),
            _ => None,
        };
        let mut questions = Vec::new();
        if let Some(resource) = resource {
            let mut keys = self.cluster_tags(&parts);
            request_tags(&mut keys, &given);
            questions.push(self.on(self.arn(&resource), keys));
        }
        for member in ["roleArn", "nodeRole", "podExecutionRoleArn"] {
            let role = text(parameters, member);
            questions.extend(role.map(|role| self.pass_role(role, "eks.amazonaws.com")));
        }
        questions
    }

    fn cluster_tags(&self, parts: &[&str]) -> Keys {
        let mut keys = Keys::default();
        let name = parts.get(1).copied().unwrap_or_default();
        let mut clusters = self.state.eks_clusters.values();
        let found = clusters.find(|of| of.key.region == self.context.region && of.key.name == name);
        if let Some(found) = found {
            let own: BTreeMap<String, String> = found.tags.clone();
            resource_tags(&mut keys, "eks", &own);
        }
        keys
    }

    fn stacks(&self) -> Vec<Question> {
        let parameters = self.asking.parameters;
        let name = text(parameters, "StackName").map(|name| match name.starts_with("arn:") {
            true => name.to_owned(),
            false => self.arn(&format!("stack/{name}/*")),
        });
        let mut keys = Keys::default();
        request_tags(&mut keys, &tags(parameters, "Tags"));
        name.map(|arn| self.on(arn, keys)).into_iter().collect()
    }
}

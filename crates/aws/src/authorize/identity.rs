//! What IAM's operations ask.
//!
//! <https://docs.aws.amazon.com/service-authorization/latest/reference/list_awsidentityandaccessmanagementiam.html>

use super::parameters::{tags, text};
use super::{Place, Question, request_tags, resource_tags};
use crate::model::iam::tags as own;
use crate::model::iam::tags::Tagged;
use crate::model::iam::{instance_profile, service_linked};
use crate::policy::Keys;

impl Place<'_> {
    pub(super) fn identity(&self) -> Vec<Question> {
        let (operation, parameters) = (self.asking.operation, self.asking.parameters);
        // Listings of everything have no resource.
        let Some((arn, tagged)) = self.about() else {
            return Vec::new();
        };
        let mut keys = Keys::default();
        if let Some(tags) = tagged.and_then(|of| own::of(self.state, of).ok()) {
            resource_tags(&mut keys, "iam", tags);
        }
        request_tags(&mut keys, &tags(parameters, "Tags"));
        if let Some(service) = text(parameters, "AWSServiceName") {
            keys.put("iam:AWSServiceName", service);
        }
        let attaches = operation.starts_with("Attach") || operation.starts_with("Detach");
        if let Some(policy) = text(parameters, "PolicyArn").filter(|_| attaches) {
            keys.put("iam:PolicyARN", policy);
        }
        let mut questions = vec![self.on(arn, keys)];
        // A role in a profile is handed to whatever has the profile.
        if operation == "AddRoleToInstanceProfile"
            && let Some(role) = text(parameters, "RoleName")
        {
            questions.push(self.pass_role(&self.role_arn(role), "ec2.amazonaws.com"));
        }
        questions
    }

    /// What an operation is about: its ARN, and whose tags it has.
    fn about(&self) -> Option<(String, Option<Tagged<'_>>)> {
        let (operation, parameters) = (self.asking.operation, self.asking.parameters);
        let account = &self.state.settings.account;
        let path = text(parameters, "Path").unwrap_or("/");
        let made = |kind: &str, name: &str| format!("arn:aws:iam::{account}:{kind}{path}{name}");
        let named = |name: &str| text(parameters, name);
        if let Some(name) = named("InstanceProfileName") {
            let found = instance_profile::find(self.state, name).map(|of| of.arn.clone());
            let arn = found.unwrap_or_else(|_| made("instance-profile", name));
            return Some((arn, Some(Tagged::InstanceProfile(name))));
        }
        if let Some(name) = named("RoleName") {
            let arn = match operation {
                "CreateRole" => made("role", name),
                _ => self.role_arn(name),
            };
            return Some((arn, Some(Tagged::Role(name))));
        }
        if let Some(name) = named("UserName") {
            let arn = match operation {
                "CreateUser" => made("user", name),
                _ => self.user_arn(name),
            };
            return Some((arn, Some(Tagged::User(name))));
        }
        if let Some(arn) = named("PolicyArn") {
            return Some((arn.to_owned(), Some(Tagged::Policy(arn))));
        }
        if let Some(arn) = named("OpenIDConnectProviderArn") {
            return Some((arn.to_owned(), Some(Tagged::OidcProvider(arn))));
        }
        match operation {
            "CreatePolicy" => Some((made("policy", named("PolicyName")?), None)),
            "CreateOpenIDConnectProvider" => {
                let issuer = named("Url")?.trim_start_matches("https://");
                let arn = format!("arn:aws:iam::{account}:oidc-provider/{issuer}");
                Some((arn, None))
            }
            "CreateServiceLinkedRole" => {
                let service = named("AWSServiceName")?;
                let role = service_linked::role_name(service).unwrap_or("*");
                let path = format!("role/aws-service-role/{service}/{role}");
                Some((format!("arn:aws:iam::{account}:{path}"), None))
            }
            // A user asks about itself without its name.
            "GetUser" | "CreateAccessKey" | "ListAccessKeys" | "UpdateAccessKey"
            | "DeleteAccessKey" => Some((self.context.caller.clone(), None)),
            _ => None,
        }
    }
}

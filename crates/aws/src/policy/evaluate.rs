//! What documents allow.

use super::{Document, Effect, Identity, Keys};

/// What is asked.
#[derive(Clone, Copy, Debug)]
pub struct Asked<'a> {
    /// The action: `ec2:RunInstances`.
    pub action: &'a str,
    /// The resource's ARN; `*` where the action has none.
    pub resource: &'a str,
    /// The request's keys.
    pub keys: &'a Keys,
}

/// What documents say to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Decision {
    /// A statement allows it and none denies it.
    Allowed,
    /// A statement denies it.
    Denied,
    /// No statement allows it.
    NotAllowed,
}

/// What identity policies say together.
pub fn evaluate<'d>(
    documents: impl IntoIterator<Item = &'d Document>,
    asked: Asked<'_>,
) -> Decision {
    let statements = documents.into_iter().flat_map(|of| &of.statements);
    decide(statements.filter_map(|statement| {
        statement
            .concerns(asked.action, asked.resource, asked.keys)
            .then_some(statement.effect)
    }))
}

/// What a trust policy says to somebody who asks for an action, such as `sts:AssumeRole`.
pub fn admits(trust: &Document, who: &Identity<'_>, action: &str, keys: &Keys) -> Decision {
    decide(trust.statements.iter().filter_map(|statement| {
        let principals = statement.principals.as_ref()?;
        let concerned = principals.include(who) && statement.concerns(action, "*", keys);
        concerned.then_some(statement.effect)
    }))
}

/// Whether a trust policy allows an action to somebody whom it names, not only to the account.
pub fn admits_by_name(trust: &Document, who: &Identity<'_>, action: &str, keys: &Keys) -> bool {
    trust.statements.iter().any(|statement| {
        let named = statement.principals.as_ref().is_some_and(|of| of.name(who));
        named && statement.effect == Effect::Allow && statement.concerns(action, "*", keys)
    })
}

fn decide(effects: impl Iterator<Item = Effect>) -> Decision {
    let mut decision = Decision::NotAllowed;
    for effect in effects {
        match effect {
            Effect::Deny => return Decision::Denied,
            Effect::Allow => decision = Decision::Allowed,
        }
    }
    decision
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::policy::Kind;

    fn document(statements: &str) -> Document {
        let text = format!(r#"{{"Version":"2012-10-17","Statement":[{statements}]}}"#);
        Document::parse(&text, Kind::Identity).unwrap()
    }

    fn decision(documents: &[Document], action: &str, resource: &str) -> Decision {
        let keys = Keys::default();
        let asked = Asked {
            action,
            resource,
            keys: &keys,
        };
        evaluate(documents, asked)
    }

    /// AWS-IAM: nothing is allowed but what a statement allows, and a denial wins over all.
    #[test]
    fn denial_wins_and_silence_allows_nothing() {
        let allow = document(r#"{"Effect":"Allow","Action":"ec2:*","Resource":"*"}"#);
        let deny = document(
            r#"{"Effect":"Deny","Action":"ec2:DeleteVpc","Resource":"arn:aws:ec2:*:*:vpc/vpc-1"}"#,
        );
        let both = [allow.clone(), deny];
        let (one, other) = ("arn:aws:ec2:r:1:vpc/vpc-1", "arn:aws:ec2:r:1:vpc/vpc-2");
        assert_eq!(decision(&both, "ec2:DeleteVpc", one), Decision::Denied);
        assert_eq!(decision(&both, "ec2:DeleteVpc", other), Decision::Allowed);
        assert_eq!(decision(&[allow], "iam:GetRole", "*"), Decision::NotAllowed);
        assert_eq!(decision(&[], "ec2:DescribeVpcs", "*"), Decision::NotAllowed);
    }

    /// AWS-IAM: NotAction and NotResource are all but what they name.
    #[test]
    fn all_but_some() {
        let power = document(r#"{"Effect":"Allow","NotAction":["iam:*","sts:*"],"Resource":"*"}"#);
        let of = [power];
        assert_eq!(decision(&of, "ec2:RunInstances", "*"), Decision::Allowed);
        assert_eq!(decision(&of, "iam:CreateRole", "*"), Decision::NotAllowed);
        let spared =
            document(r#"{"Effect":"Allow","Action":"*","NotResource":"arn:aws:iam::*:role/kept"}"#);
        let of = [spared];
        let kept = "arn:aws:iam::1:role/kept";
        assert_eq!(decision(&of, "iam:DeleteRole", kept), Decision::NotAllowed);
        let other = "arn:aws:iam::1:role/other";
        assert_eq!(decision(&of, "iam:DeleteRole", other), Decision::Allowed);
    }

    /// AWS-IAM: a service account's token is taken for its role only with the subject and the audience asked.
    #[test]
    fn a_trust_policy_with_conditions() {
        let issuer = "oidc.eks.us-west-2.amazonaws.com/id/ABC";
        let provider = format!("arn:aws:iam::123456789012:oidc-provider/{issuer}");
        let text = format!(
            r#"{{"Statement":{{"Effect":"Allow","Principal":{{"Federated":"{provider}"}},
            "Action":"sts:AssumeRoleWithWebIdentity","Condition":{{"StringEquals":{{
            "{issuer}:sub":"system:serviceaccount:kube-system:lbc","{issuer}:aud":"sts.amazonaws.com"}}}}}}}}"#
        );
        let trust = Document::parse(&text, Kind::Trust).unwrap();
        let decide = |subject: &str, provider: &str| {
            let mut keys = Keys::default();
            keys.put(&format!("{issuer}:sub"), subject);
            keys.put(&format!("{issuer}:aud"), "sts.amazonaws.com");
            let who = Identity::Federated(provider);
            admits(&trust, &who, "sts:AssumeRoleWithWebIdentity", &keys)
        };
        let subject = "system:serviceaccount:kube-system:lbc";
        assert_eq!(decide(subject, &provider), Decision::Allowed);
        assert_eq!(
            decide("system:serviceaccount:default:x", &provider),
            Decision::NotAllowed
        );
        assert_eq!(
            decide(subject, "arn:aws:iam::1:oidc-provider/other"),
            Decision::NotAllowed
        );
    }
}

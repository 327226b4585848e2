//! Whom a trust policy names.
//!
//! <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_principal.html>

/// One principal of a statement.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Principal {
    /// Everybody: `"*"`.
    Anyone,
    /// An account, a user, a role or a session, by ARN or by the account's number.
    Aws(String),
    /// A service: `ec2.amazonaws.com`.
    Service(String),
    /// An identity provider, by ARN or by name.
    Federated(String),
}

/// Whom a statement is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Principals {
    /// These.
    Only(Vec<Principal>),
    /// All but these.
    AllBut(Vec<Principal>),
}

/// Who asks, as trust policies see it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Identity<'a> {
    /// A user, a role's session or the root user.
    Aws {
        /// Its account.
        account: &'a str,
        /// The ARNs that stand for it: its own and, for a session, its role's.
        arns: &'a [String],
    },
    /// A service.
    Service(&'a str),
    /// Somebody whom an identity provider vouches for.
    Federated(&'a str),
}

impl Principals {
    /// Whether they include somebody.
    pub fn include(&self, identity: &Identity<'_>) -> bool {
        let among = |principals: &[Principal]| principals.iter().any(|one| one.is(identity));
        match self {
            Self::Only(principals) => among(principals),
            Self::AllBut(principals) => !among(principals),
        }
    }

    /// Whether they name somebody by an ARN of its own, not by its account.
    pub fn name(&self, identity: &Identity<'_>) -> bool {
        match (self, identity) {
            (Self::Only(principals), Identity::Aws { arns, .. }) => principals
                .iter()
                .any(|one| matches!(one, Principal::Aws(arn) if arns.contains(arn))),
            (Self::Only(_), _) => self.include(identity),
            (Self::AllBut(_), _) => false,
        }
    }
}

impl Principal {
    fn is(&self, identity: &Identity<'_>) -> bool {
        match (self, identity) {
            (Self::Anyone, _) => true,
            (Self::Aws(named), Identity::Aws { account, arns }) => {
                named == account
                    || *named == format!("arn:aws:iam::{account}:root")
                    || arns.contains(named)
            }
            (Self::Service(named), Identity::Service(service)) => named == service,
            (Self::Federated(named), Identity::Federated(provider)) => named == provider,
            _ => false,
        }
    }
}

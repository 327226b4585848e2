//! Principals of IAM, as a cluster compares and names them.

/// Whoever signed a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Principal {
    /// Its ARN as STS tells it.
    pub(super) arn: String,
    /// Its account.
    pub(super) account: String,
    /// Its unique id, with a session's name after a colon.
    pub(super) id: String,
}

impl Principal {
    /// The ARN of the user or role behind it: a session's role, without its path, which STS doesn't tell.
    pub(super) fn canonical(&self) -> String {
        let (account, mut parts) = (&self.account, self.arn.split('/'));
        if !self.arn.contains(":assumed-role/") {
            return self.arn.clone();
        }
        let role = parts.nth(1).unwrap_or_default();
        format!("arn:aws:iam::{account}:role/{role}")
    }

    /// The session's name; empty for a user.
    pub(super) fn session(&self) -> &str {
        if self.arn.contains(":assumed-role/") {
            self.arn.rsplit('/').next().unwrap_or_default()
        } else {
            ""
        }
    }

    /// Whether an ARN of IAM names it, whatever path the ARN has.
    pub(super) fn is(&self, arn: &str) -> bool {
        let canonical = self.canonical();
        if canonical == arn {
            return true;
        }
        // `arn:aws:iam::123456789012:role/path/name` is the role `name`.
        let (Some((prefix, _)), Some(name)) = (arn.split_once(":role/"), arn.rsplit('/').next())
        else {
            return false;
        };
        canonical == format!("{prefix}:role/{name}")
    }

    /// A name with its templates filled in; `private_name` knows instances' names.
    /// <https://github.com/kubernetes-sigs/aws-iam-authenticator#full-configuration-format>
    pub(super) fn fill(&self, text: &str, private_name: impl Fn(&str) -> Option<String>) -> String {
        let session = self.session();
        let mut filled = text
            .replace("{{AccountID}}", &self.account)
            .replace("{{SessionNameRaw}}", session)
            .replace("{{SessionName}}", &session.replace('@', "-"));
        if filled.contains("{{EC2PrivateDNSName}}") {
            let name = private_name(session).unwrap_or_default();
            filled = filled.replace("{{EC2PrivateDNSName}}", &name);
        }
        filled
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn session() -> Principal {
        Principal {
            arn: "arn:aws:sts::111122223333:assumed-role/node/i-0abc".to_owned(),
            account: "111122223333".to_owned(),
            id: "AROAEXAMPLE:i-0abc".to_owned(),
        }
    }

    /// AWS-EKS: a session is its role, whatever the role's path.
    #[test]
    fn a_session_is_its_role() {
        assert_eq!(session().canonical(), "arn:aws:iam::111122223333:role/node");
        assert!(session().is("arn:aws:iam::111122223333:role/node"));
        assert!(session().is("arn:aws:iam::111122223333:role/a/b/node"));
        assert!(!session().is("arn:aws:iam::111122223333:role/other"));
        assert!(!session().is("arn:aws:iam::999922223333:role/node"));
        let user = Principal {
            arn: "arn:aws:iam::111122223333:user/ann".to_owned(),
            ..session()
        };
        assert!(user.is("arn:aws:iam::111122223333:user/ann"));
        assert_eq!(user.session(), "");
    }

    /// AWS-EKS: nodes are named after their instances.
    #[test]
    fn templates_are_filled_in() {
        let name = |instance: &str| (instance == "i-0abc").then(|| "ip-10-0-0-1".to_owned());
        let filled = session().fill("system:node:{{EC2PrivateDNSName}}", name);
        assert_eq!(filled, "system:node:ip-10-0-0-1");
        let filled = session().fill("{{AccountID}}/{{SessionName}}", name);
        assert_eq!(filled, "111122223333/i-0abc");
    }
}

//! The ConfigMap `kube-system/aws-auth`: who principals are, by the cluster's users' own words.
//!
//! <https://docs.aws.amazon.com/eks/latest/userguide/auth-configmap.html>

use super::principal::Principal;
use kube::object;
use serde::Deserialize;
use serde_json::Value;

/// Whom a principal is mapped to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Mapped {
    pub(super) username: String,
    pub(super) groups: Vec<String>,
}

/// An entry of `mapRoles` or `mapUsers`.
#[derive(Deserialize)]
struct Entry {
    #[serde(alias = "rolearn", alias = "userarn")]
    arn: String,
    #[serde(default)]
    username: String,
    #[serde(default)]
    groups: Vec<String>,
}

/// Looks a principal up. A list that can't be read maps nobody.
pub(super) fn find(map: &Value, principal: &Principal) -> Option<Mapped> {
    let canonical = principal.canonical();
    for list in ["mapRoles", "mapUsers"] {
        let text = object::text(map, &["data", list]);
        let entries: Vec<Entry> = serde_norway::from_str(text).unwrap_or_default();
        // An entry's ARN must be the role's without a path, in any letters' case.
        let own = |entry: &Entry| entry.arn.eq_ignore_ascii_case(&canonical);
        if let Some(entry) = entries.into_iter().find(own) {
            let username = match entry.username.as_str() {
                "" => principal.arn.clone(),
                name => name.to_owned(),
            };
            return Some(Mapped {
                username,
                groups: entry.groups,
            });
        }
    }
    let text = object::text(map, &["data", "mapAccounts"]);
    let accounts: Vec<String> = serde_norway::from_str(text).unwrap_or_default();
    accounts.contains(&principal.account).then(|| Mapped {
        username: canonical,
        groups: Vec::new(),
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use serde_json::json;

    /// AWS-EKS: self-managed nodes join by a line in aws-auth; a wrong line lets nobody in.
    #[test]
    fn roles_users_and_accounts_are_mapped() {
        let principal = |arn: &str| Principal {
            arn: arn.to_owned(),
            account: "111122223333".to_owned(),
            id: "X".to_owned(),
        };
        let map = json!({"data": {
            "mapRoles": "- rolearn: arn:aws:iam::111122223333:role/node\n  \
                username: system:node:{{EC2PrivateDNSName}}\n  groups:\n  - system:bootstrappers\n  - system:nodes\n",
            "mapUsers": "- userarn: arn:aws:iam::111122223333:user/ann\n  username: ann\n",
        }});
        let node = principal("arn:aws:sts::111122223333:assumed-role/node/i-1");
        let mapped = find(&map, &node).unwrap();
        assert_eq!(mapped.groups, ["system:bootstrappers", "system:nodes"]);
        let ann = principal("arn:aws:iam::111122223333:user/ann");
        assert_eq!(find(&map, &ann).unwrap().username, "ann");
        let bob = principal("arn:aws:iam::111122223333:user/bob");
        assert_eq!(find(&map, &bob), None);
        let accounts = json!({"data": {"mapAccounts": "- \"111122223333\"\n"}});
        assert_eq!(find(&accounts, &bob).unwrap().username, bob.arn);
        assert_eq!(find(&json!({"data": {"mapRoles": "{"}}), &node), None);
    }
}

//! Roles of IAM for service accounts: a pod whose account names a role is told the role and given a token that STS
//! takes for it.
//!
//! <https://docs.aws.amazon.com/eks/latest/userguide/pod-configuration.html>
//! <https://github.com/aws/amazon-eks-pod-identity-webhook#eks-walkthrough>

use super::Facts;
use kube::object;
use kube::store::Key;
use serde_json::{Value, json};

/// What annotations of accounts and pods begin with.
const PREFIX: &str = "eks.amazonaws.com/";
/// Whom tokens are for where the account doesn't say.
const AUDIENCE: &str = "sts.amazonaws.com";
/// How long tokens are good, in seconds, where nobody says: the longest that is common, and the shortest that is taken.
const LIFETIME: i64 = 86_400;
const SHORTEST: i64 = 600;

/// How a pod's programs come to credentials.
struct Means {
    /// The volume with the token, and where it is mounted.
    volume: &'static str,
    mount: &'static str,
    /// The token's file there, for whom it is, and how long, in seconds.
    file: &'static str,
    audience: String,
    lifetime: i64,
    /// The variables that tell of it.
    variables: Vec<(&'static str, String)>,
    /// Whether programs are told to call the region's STS.
    regional: bool,
}

/// The pod with what its account's role takes, if it has one.
pub(super) fn change(facts: &Facts<'_>, pod: &Value) -> Option<Value> {
    let account = object::text(pod, &["spec", "serviceAccountName"]);
    let key = Key::new("serviceaccounts", facts.namespace, account);
    let means = by_role(facts.store.get(&key)?, pod)?;
    let mut changed = pod.clone();
    let left_alone = annotation(pod, "skip-containers").unwrap_or_default();
    let left_alone: Vec<&str> = left_alone.split(',').map(str::trim).collect();
    for list in ["initContainers", "containers"] {
        let Some(Value::Array(containers)) = changed["spec"].get_mut(list) else {
            continue;
        };
        for container in containers {
            if !left_alone.contains(&object::text(container, &["name"])) {
                means.tell(container, &facts.cluster.region);
            }
        }
    }
    let mut volumes = object::list(pod, &["spec", "volumes"]).to_vec();
    if !volumes.iter().any(|known| known["name"] == means.volume) {
        volumes.insert(0, means.volume());
    }
    changed["spec"]["volumes"] = json!(volumes);
    Some(changed)
}

fn annotation<'v>(object: &'v Value, name: &str) -> Option<&'v str> {
    object["metadata"]["annotations"][format!("{PREFIX}{name}")].as_str()
}

/// What an account's annotations ask for.
fn by_role(account: &Value, pod: &Value) -> Option<Means> {
    let role = annotation(account, "role-arn").filter(|role| !role.is_empty())?;
    let seconds = |of: &Value| annotation(of, "token-expiration")?.parse::<i64>().ok();
    let lifetime = seconds(pod).or_else(|| seconds(account));
    let mount = "/var/run/secrets/eks.amazonaws.com/serviceaccount";
    Some(Means {
        volume: "aws-iam-token",
        mount,
        file: "token",
        audience: annotation(account, "audience")
            .unwrap_or(AUDIENCE)
            .to_owned(),
        lifetime: lifetime.unwrap_or(LIFETIME).max(SHORTEST),
        variables: vec![
            ("AWS_ROLE_ARN", role.to_owned()),
            ("AWS_WEB_IDENTITY_TOKEN_FILE", format!("{mount}/token")),
        ],
        regional: annotation(account, "sts-regional-endpoints") != Some("false"),
    })
}

impl Means {
    fn volume(&self) -> Value {
        json!({
            "name": self.volume,
            "projected": {
                "defaultMode": 420,
                "sources": [{"serviceAccountToken": {
                    "audience": self.audience, "expirationSeconds": self.lifetime, "path": self.file,
                }}],
            },
        })
    }

    /// Gives a container the variables and the token. What it says itself stays.
    fn tell(&self, container: &mut Value, region: &str) {
        let mut variables = object::list(container, &["env"]).to_vec();
        let has = |variables: &[Value], name: &str| variables.iter().any(|of| of["name"] == name);
        let mut more: Vec<(&str, &str)> = Vec::new();
        if self.regional && !has(&variables, "AWS_STS_REGIONAL_ENDPOINTS") {
            more.push(("AWS_STS_REGIONAL_ENDPOINTS", "regional"));
        }
        let regions = ["AWS_DEFAULT_REGION", "AWS_REGION"];
        if !regions.iter().any(|name| has(&variables, name)) {
            more.extend(regions.map(|name| (name, region)));
        }
        if !self.variables.iter().any(|(name, _)| has(&variables, name)) {
            let own = self.variables.iter();
            more.extend(own.map(|(name, value)| (*name, value.as_str())));
        }
        let more = more.iter();
        variables.extend(more.map(|(name, value)| json!({"name": name, "value": value})));
        let mut mounts = object::list(container, &["volumeMounts"]).to_vec();
        if !mounts.iter().any(|known| known["mountPath"] == self.mount) {
            mounts.push(json!({"name": self.volume, "mountPath": self.mount, "readOnly": true}));
        }
        container["env"] = json!(variables);
        container["volumeMounts"] = json!(mounts);
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use aws::model::State;
    use aws::model::eks::ClusterKey;
    use kube::store::Store;

    fn pod() -> Value {
        json!({
            "metadata": {"name": "p", "annotations": {"eks.amazonaws.com/skip-containers": "side"}},
            "spec": {
                "serviceAccountName": "reader",
                "containers": [
                    {"name": "main", "env": [{"name": "AWS_REGION", "value": "eu-west-1"}]},
                    {"name": "side"},
                ],
            },
        })
    }

    fn changed(annotations: &Value) -> Option<Value> {
        let mut store = Store::default();
        let account = json!({"metadata": {"name": "reader", "annotations": annotations}});
        store.put(Key::new("serviceaccounts", "apps", "reader"), account);
        let facts = Facts {
            state: &State::empty(aws::model::Settings {
                account: "123456789012".to_owned(),
                seed: 1,
            }),
            cluster: &ClusterKey::new("us-west-2", "demo"),
            store: &store,
            namespace: "apps",
        };
        change(&facts, &pod())
    }

    /// AWS-EKS: a pod of an account that names a role gets the role's name, a token and the region; what its containers
    /// say themselves stays, and those that want nothing get nothing.
    #[test]
    fn pods_are_told_their_accounts_role() {
        assert_eq!(changed(&json!({})), None);
        let role = "arn:aws:iam::123456789012:role/reader";
        let pod = changed(&json!({"eks.amazonaws.com/role-arn": role})).unwrap();
        let main = &pod["spec"]["containers"][0];
        let variables: Vec<(&str, &str)> = object::list(main, &["env"])
            .iter()
            .map(|of| (object::text(of, &["name"]), object::text(of, &["value"])))
            .collect();
        let file = "/var/run/secrets/eks.amazonaws.com/serviceaccount/token";
        assert_eq!(
            variables,
            [
                ("AWS_REGION", "eu-west-1"),
                ("AWS_STS_REGIONAL_ENDPOINTS", "regional"),
                ("AWS_ROLE_ARN", role),
                ("AWS_WEB_IDENTITY_TOKEN_FILE", file),
            ]
        );
        assert_eq!(main["volumeMounts"][0]["name"], "aws-iam-token");
        assert_eq!(pod["spec"]["containers"][1], json!({"name": "side"}));
        let token = &pod["spec"]["volumes"][0]["projected"]["sources"][0]["serviceAccountToken"];
        let wanted =
            json!({"audience": "sts.amazonaws.com", "expirationSeconds": 86_400, "path": "token"});
        assert_eq!(*token, wanted);
    }

    /// AWS-EKS: an account says for whom its pods' tokens are and how long.
    #[test]
    fn an_account_says_what_its_tokens_are() {
        let annotations = json!({
            "eks.amazonaws.com/role-arn": "arn:aws:iam::123456789012:role/reader",
            "eks.amazonaws.com/audience": "vault",
            "eks.amazonaws.com/token-expiration": "3600",
            "eks.amazonaws.com/sts-regional-endpoints": "false",
        });
        let pod = changed(&annotations).unwrap();
        let token = &pod["spec"]["volumes"][0]["projected"]["sources"][0]["serviceAccountToken"];
        assert_eq!(
            (&token["audience"], &token["expirationSeconds"]),
            (&json!("vault"), &json!(3600))
        );
        let main = object::list(&pod["spec"]["containers"][0], &["env"]);
        assert!(
            main.iter()
                .all(|of| of["name"] != "AWS_STS_REGIONAL_ENDPOINTS")
        );
    }
}

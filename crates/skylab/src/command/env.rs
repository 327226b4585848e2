//! `skylab env`: the variables that point a cloud's own tools at the lab.

use super::status;
use crate::args::{Cloud, Env, Format};
use crate::failure::Failure;
use lab::credentials::Credentials;
use lab::paths::StateDir;

/// Where tools work unless they are told otherwise; the chapter's region.
pub(crate) const REGION: &str = "us-west-2";

pub(crate) fn run(state: &StateDir, env: &Env) -> Result<u8, Failure> {
    let absent = match env.cloud {
        Cloud::Aws => None,
        Cloud::Gcp => Some("Google Cloud"),
        Cloud::Azure => Some("Azure"),
        Cloud::Kube => Some("Kubernetes"),
    };
    if let Some(absent) = absent {
        let message = format!("{absent} is not part of this lab yet; it has aws");
        return Err(Failure::new(1, message));
    }
    let ports = status::ask(state)?.ports;
    let Some(credentials) = Credentials::load(state)? else {
        return Err(Failure::new(
            1,
            "the lab has no keys; restart it with: skylab down && skylab up --detach",
        ));
    };
    let mut variables = vec![
        (
            "AWS_ENDPOINT_URL",
            format!("http://127.0.0.1:{}", ports.aws),
        ),
        ("AWS_ACCESS_KEY_ID", credentials.aws_access_key_id),
        ("AWS_SECRET_ACCESS_KEY", credentials.aws_secret_access_key),
        ("AWS_REGION", REGION.to_owned()),
        ("AWS_DEFAULT_REGION", REGION.to_owned()),
        // Tools outside must not ask this machine's own cloud who they are.
        ("AWS_EC2_METADATA_DISABLED", "true".to_owned()),
    ];
    if let Some(port) = ports.socks {
        let token = credentials.socks_token;
        variables.push((
            "SKYLAB_SOCKS",
            format!("socks5h://skylab:{token}@127.0.0.1:{port}"),
        ));
    }
    match env.format {
        Format::Sh => {
            for (name, value) in variables {
                println!("export {name}={}", quoted(&value));
            }
            // A session token of the user's own would spoil the signature.
            println!("unset AWS_SESSION_TOKEN AWS_PROFILE");
        }
        Format::Json => {
            let object: serde_json::Map<_, _> = variables
                .into_iter()
                .map(|(name, value)| (name.to_owned(), value.into()))
                .collect();
            println!("{}", serde_json::Value::Object(object));
        }
    }
    Ok(0)
}

/// A value as one word of a shell.
fn quoted(value: &str) -> String {
    format!("'{}'", value.replace('\'', r"'\''"))
}

#[cfg(test)]
mod tests {
    use super::quoted;

    /// OPS-SAFE: no value reaches a shell unescaped.
    #[test]
    fn values_are_one_word() {
        assert_eq!(quoted("a/b+c"), "'a/b+c'");
        assert_eq!(quoted("it's $(rm)"), r"'it'\''s $(rm)'");
    }
}

//! `skylab env`: the variables that point a cloud's own tools at the lab.

use super::{kube, status};
use crate::args::{Cloud, Env, Format};
use crate::failure::Failure;
use lab::control::{KubeRequest, Ports};
use lab::credentials::Credentials;
use lab::paths::StateDir;

/// Where tools work unless they are told otherwise; the chapter's region.
pub(crate) const REGION: &str = "us-west-2";

/// A variable and its value.
type Variable = (&'static str, String);

pub(crate) fn run(state: &StateDir, env: &Env) -> Result<u8, Failure> {
    let variables = match env.cloud {
        Cloud::Aws => aws(state)?,
        Cloud::Kube => kube(state, env.cluster.as_deref())?,
        Cloud::Gcp => return Err(absent("Google Cloud")),
        Cloud::Azure => return Err(absent("Azure")),
    };
    match env.format {
        Format::Sh => {
            for (name, value) in variables {
                println!("export {name}={}", quoted(&value));
            }
            if env.cloud == Cloud::Aws {
                // A session token of the user's own would spoil the signature.
                println!("unset AWS_SESSION_TOKEN AWS_PROFILE");
            }
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

fn absent(cloud: &str) -> Failure {
    let message = format!("{cloud} is not part of this lab yet; it has aws and kube");
    Failure::new(1, message)
}

fn aws(state: &StateDir) -> Result<Vec<Variable>, Failure> {
    let mut variables = keys(state)?;
    variables.extend(socks(&credentials(state)?, status::ask(state)?.ports));
    Ok(variables)
}

/// What AWS's tools need to find the lab, and its keys.
pub(crate) fn keys(state: &StateDir) -> Result<Vec<Variable>, Failure> {
    let ports = status::ask(state)?.ports;
    let credentials = credentials(state)?;
    Ok(vec![
        (
            "AWS_ENDPOINT_URL",
            format!("http://127.0.0.1:{}", ports.aws),
        ),
        ("AWS_ACCESS_KEY_ID", credentials.aws_access_key_id.clone()),
        ("AWS_SECRET_ACCESS_KEY", credentials.aws_secret_access_key),
        ("AWS_REGION", REGION.to_owned()),
        ("AWS_DEFAULT_REGION", REGION.to_owned()),
        // Tools outside must not ask this machine's own cloud who they are.
        ("AWS_EC2_METADATA_DISABLED", "true".to_owned()),
    ])
}

/// The one cluster there is, or the one that is named, as a kubeconfig beside the lab's state.
fn kube(state: &StateDir, named: Option<&str>) -> Result<Vec<Variable>, Failure> {
    let clusters = kube::clusters(state, KubeRequest::List)?;
    let names: Vec<&str> = clusters.iter().map(|of| of.name.as_str()).collect();
    let name = match (named, names.as_slice()) {
        (Some(name), _) => name,
        (None, [only]) => *only,
        (None, []) => {
            let message = "there is no cluster; make one with: skylab kube create NAME";
            return Err(Failure::new(1, message));
        }
        (None, several) => {
            let several = several.join(", ");
            let message = format!("several clusters run ({several}); choose one with --cluster");
            return Err(Failure::new(1, message));
        }
    };
    let path = state.kubeconfig(name);
    kube::write(&path, &kube::text(state, name)?).map_err(|error| {
        Failure::new(1, format!("{} can't be written: {error}", path.display()))
    })?;
    let mut variables = vec![("KUBECONFIG", path.display().to_string())];
    variables.extend(socks(&credentials(state)?, status::ask(state)?.ports));
    Ok(variables)
}

pub(crate) fn credentials(state: &StateDir) -> Result<Credentials, Failure> {
    let missing = || {
        Failure::new(
            1,
            "the lab has no keys; restart it with: skylab down && skylab up --detach",
        )
    };
    Credentials::load(state)?.ok_or_else(missing)
}

fn socks(credentials: &Credentials, ports: Ports) -> Option<Variable> {
    let (port, token) = (ports.socks?, &credentials.socks_token);
    Some((
        "SKYLAB_SOCKS",
        format!("socks5h://skylab:{token}@127.0.0.1:{port}"),
    ))
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

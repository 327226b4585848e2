//! `create iamidentitymapping`, `get iamidentitymapping`, `delete iamidentitymapping`: entries of the ConfigMap
//! aws-auth.
//!
//! <https://docs.aws.amazon.com/eks/latest/eksctl/iam-identity-mappings.html>

use crate::{Error, Level, Means, create};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

/// Where the map is.
const MAPS: &str = "/api/v1/namespaces/kube-system/configmaps";
const MAP: &str = "/api/v1/namespaces/kube-system/configmaps/aws-auth";

/// Whom a principal of IAM is known as.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mapping {
    /// A role's ARN.
    #[serde(default, rename = "rolearn", skip_serializing_if = "Option::is_none")]
    pub role: Option<String>,
    /// A user's ARN.
    #[serde(default, rename = "userarn", skip_serializing_if = "Option::is_none")]
    pub user: Option<String>,
    /// The name.
    #[serde(default)]
    pub username: String,
    /// The groups.
    #[serde(default)]
    pub groups: Vec<String>,
}

impl Mapping {
    /// The entry for an ARN of a role or a user.
    ///
    /// # Errors
    /// It is neither's.
    pub fn of(arn: &str, username: String, groups: Vec<String>) -> Result<Self, Error> {
        let is = |kind: &str| arn.contains(&format!(":{kind}/"));
        if !arn.starts_with("arn:") || !(is("role") || is("user")) {
            return Err(Error::Invalid(format!(
                "{arn:?} is no ARN of a role or a user"
            )));
        }
        let own = || arn.to_owned();
        Ok(Self {
            role: is("role").then(own),
            user: is("user").then(own),
            username,
            groups,
        })
    }

    /// The principal.
    pub fn arn(&self) -> &str {
        let of = self.role.as_deref().or(self.user.as_deref());
        of.unwrap_or_default()
    }

    /// The list that it stands in.
    fn list(&self) -> &'static str {
        match self.role {
            Some(_) => "mapRoles",
            None => "mapUsers",
        }
    }
}

/// A list of the map.
fn read(map: &Value, list: &str) -> Result<Vec<Mapping>, Error> {
    let text = map
        .pointer(&format!("/data/{list}"))
        .and_then(Value::as_str);
    let text = text.unwrap_or_default();
    if text.trim().is_empty() {
        return Ok(Vec::new());
    }
    let wrong = |error| Error::Invalid(format!("aws-auth's {list} can't be read: {error}"));
    serde_norway::from_str(text).map_err(wrong)
}

/// Puts a list of the map in the place of the one there is.
fn write(
    means: &dyn Means,
    cluster: &Value,
    map: Option<&Value>,
    (list, entries): (&str, &[Mapping]),
) -> Result<(), Error> {
    // A list of texts can always be written.
    let text = serde_norway::to_string(entries).unwrap_or_default();
    let data = json!({ "data": { list: text } });
    if map.is_some() {
        means.kubernetes(cluster, "PATCH", MAP, &data)?;
        return Ok(());
    }
    let mut made = json!({
        "apiVersion": "v1", "kind": "ConfigMap",
        "metadata": { "name": "aws-auth", "namespace": "kube-system" },
    });
    made["data"] = data["data"].clone();
    means.kubernetes(cluster, "POST", MAPS, &made)?;
    Ok(())
}

/// Adds an entry.
///
/// # Errors
/// There is no such cluster, or its API refuses.
pub fn create(means: &dyn Means, cluster: &str, mapping: &Mapping) -> Result<(), Error> {
    let described = create::describe(means, cluster)?;
    let arn = mapping.arn();
    let line = format!("adding identity \"{arn}\" to auth ConfigMap");
    means.say(Level::Info, &line);
    let map = means.kubernetes(&described, "GET", MAP, &Value::Null)?;
    let list = mapping.list();
    let mut entries = read(map.as_ref().unwrap_or(&Value::Null), list)?;
    entries.push(mapping.clone());
    write(means, &described, map.as_ref(), (list, &entries))
}

/// All entries.
///
/// # Errors
/// There is no such cluster, or its map can't be read.
pub fn all(means: &dyn Means, cluster: &str) -> Result<Vec<Mapping>, Error> {
    let described = create::describe(means, cluster)?;
    let map = means.kubernetes(&described, "GET", MAP, &Value::Null)?;
    let map = map.unwrap_or(Value::Null);
    let mut all = read(&map, "mapRoles")?;
    all.extend(read(&map, "mapUsers")?);
    Ok(all)
}

/// Removes the first entry of a principal, or all of them.
///
/// # Errors
/// There is no such entry.
pub fn delete(means: &dyn Means, cluster: &str, arn: &str, every: bool) -> Result<(), Error> {
    let described = create::describe(means, cluster)?;
    let map = means.kubernetes(&described, "GET", MAP, &Value::Null)?;
    let mut removed = 0;
    for list in ["mapRoles", "mapUsers"] {
        let mut entries = read(map.as_ref().unwrap_or(&Value::Null), list)?;
        let before = entries.len();
        entries.retain(|entry| {
            let goes = entry.arn() == arn && (every || removed == 0);
            removed += usize::from(goes);
            !goes
        });
        if entries.len() < before {
            write(means, &described, map.as_ref(), (list, &entries))?;
        }
    }
    if removed == 0 {
        let message = format!("instance identity ARN {arn:?} not found in auth ConfigMap");
        return Err(Error::Invalid(message));
    }
    let line = format!("removing identity \"{arn}\" from auth ConfigMap");
    means.say(Level::Info, &line);
    Ok(())
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    /// AWS-EKSCTL: entries are read as people write them, and written so that they are read again.
    #[test]
    fn entries_are_read_and_written() {
        let text = "- rolearn: arn:aws:iam::111122223333:role/dev\n  username: dev\n  groups: [developers]\n";
        let map = json!({ "data": { "mapRoles": text } });
        let read_ = read(&map, "mapRoles").unwrap();
        let wanted = Mapping::of(
            "arn:aws:iam::111122223333:role/dev",
            "dev".to_owned(),
            vec!["developers".to_owned()],
        );
        assert_eq!(read_, [wanted.unwrap()]);
        let again = json!({ "data": { "mapRoles": serde_norway::to_string(&read_).unwrap() } });
        assert_eq!(read(&again, "mapRoles").unwrap(), read_);
        assert!(read(&map, "mapUsers").unwrap().is_empty());
        assert!(Mapping::of("dev", String::new(), Vec::new()).is_err());
    }
}

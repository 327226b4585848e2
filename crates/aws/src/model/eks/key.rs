//! What EKS's resources are known by.

use super::*;

/// A cluster's key: names are unique in a region.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(from = "String", into = "String")]
pub struct ClusterKey {
    /// The region.
    pub region: String,
    /// The cluster's name.
    pub name: String,
}

impl ClusterKey {
    /// The key of a cluster in a region.
    pub fn new(region: &str, name: &str) -> Self {
        Self {
            region: region.to_owned(),
            name: name.to_owned(),
        }
    }
}

impl fmt::Display for ClusterKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.region, self.name)
    }
}

impl From<String> for ClusterKey {
    fn from(text: String) -> Self {
        let (region, name) = text.split_once('/').unwrap_or(("", &text));
        Self::new(region, name)
    }
}

impl From<ClusterKey> for String {
    fn from(key: ClusterKey) -> Self {
        key.to_string()
    }
}

/// The key of what belongs to a cluster: a name or an id among its kind.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(from = "String", into = "String")]
pub struct PartKey {
    /// The cluster.
    pub cluster: ClusterKey,
    /// The name, which may have slashes (an ARN).
    pub name: String,
}

impl PartKey {
    /// The key of a cluster's part.
    pub fn new(cluster: &ClusterKey, name: &str) -> Self {
        Self {
            cluster: cluster.clone(),
            name: name.to_owned(),
        }
    }
}

impl fmt::Display for PartKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.cluster, self.name)
    }
}

impl From<String> for PartKey {
    fn from(text: String) -> Self {
        // Neither regions nor clusters' names have slashes.
        let mut parts = text.splitn(3, '/');
        let mut next = || parts.next().unwrap_or_default();
        Self {
            cluster: ClusterKey::new(next(), next()),
            name: next().to_owned(),
        }
    }
}

impl From<PartKey> for String {
    fn from(key: PartKey) -> Self {
        key.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// AWS-EKS: keys come back from the store as they went in.
    #[test]
    fn keys_are_read_as_they_are_written() {
        let cluster = ClusterKey::new("us-west-2", "c");
        assert_eq!(ClusterKey::from(cluster.to_string()), cluster);
        let entry = PartKey::new(&cluster, "arn:aws:iam::1:role/path/x");
        assert_eq!(PartKey::from(entry.to_string()), entry);
    }
}

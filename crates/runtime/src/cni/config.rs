//! Network configurations: the files in `/etc/cni/net.d`, and what a plugin is given of them.
//! <https://github.com/containernetworking/cni/blob/main/SPEC.md#section-1-network-configuration-format>

use serde_json::{Map, Value, json};

/// The versions of the protocol that are spoken here, the oldest first. Older ones answer in a form of
/// their own.
const VERSIONS: [&str; 5] = ["0.3.0", "0.3.1", "0.4.0", "1.0.0", "1.1.0"];

/// A network: plugins that are called one after another.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct NetworkList {
    name: String,
    version: &'static str,
    check: bool,
    collect: bool,
    plugins: Vec<Map<String, Value>>,
}

/// Why a file is no network's configuration.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum ConfigError {
    #[error("it is not JSON: {0}")]
    Json(String),
    #[error("it has no name")]
    NoName,
    #[error("it has no plugins")]
    NoPlugins,
    #[error("a plugin has no type")]
    NoType,
    #[error("a plugin's type is not a file's name: {0:?}")]
    Type(String),
    #[error("its version is not supported here: {0}")]
    Version(String),
}

/// The first of the files, in the order of their names, that is a network's configuration.
pub(crate) fn choose(
    files: impl IntoIterator<Item = (String, Vec<u8>)>,
) -> Option<(String, NetworkList)> {
    files
        .into_iter()
        .find_map(|(name, text)| match NetworkList::parse(&text) {
            Ok(list) => Some((name, list)),
            Err(error) => {
                tracing::warn!(file = name, %error, "no network configuration");
                None
            }
        })
}

/// Whether a file's name says that it is a network's configuration.
pub(crate) fn is_config(name: &str) -> bool {
    [".conf", ".conflist", ".json"]
        .iter()
        .any(|end| name.ends_with(end))
}

impl NetworkList {
    /// A list of plugins, or the older form of one plugin alone.
    pub(crate) fn parse(text: &[u8]) -> Result<Self, ConfigError> {
        let parsed: Map<String, Value> =
            serde_json::from_slice(text).map_err(|error| ConfigError::Json(error.to_string()))?;
        let plugins = match parsed.get("plugins") {
            Some(Value::Array(plugins)) => {
                let object = |plugin: &Value| plugin.as_object().cloned();
                let plugins: Option<Vec<_>> = plugins.iter().map(object).collect();
                plugins.ok_or(ConfigError::NoType)?
            }
            Some(_) => return Err(ConfigError::NoPlugins),
            None => vec![parsed.clone()],
        };
        if plugins.is_empty() {
            return Err(ConfigError::NoPlugins);
        }
        for plugin in &plugins {
            match plugin.get("type").and_then(Value::as_str) {
                None | Some("") => return Err(ConfigError::NoType),
                Some(name) if name.contains('/') || name == "." || name == ".." => {
                    return Err(ConfigError::Type(name.to_owned()));
                }
                Some(_) => {}
            }
        }
        let name = parsed.get("name").and_then(Value::as_str);
        let off = |key| match parsed.get(key) {
            Some(Value::Bool(off)) => *off,
            Some(Value::String(off)) => off == "true",
            _ => false,
        };
        Ok(Self {
            name: name
                .filter(|name| !name.is_empty())
                .ok_or(ConfigError::NoName)?
                .to_owned(),
            version: version(&parsed)?,
            check: !off("disableCheck"),
            collect: !off("disableGC"),
            plugins,
        })
    }

    /// The plugins' types, in order.
    pub(crate) fn types(&self) -> impl DoubleEndedIterator<Item = (usize, &str)> {
        let of = |plugin| Map::get(plugin, "type").and_then(Value::as_str);
        self.plugins
            .iter()
            .enumerate()
            .map(move |(index, plugin)| (index, of(plugin).unwrap_or_default()))
    }

    /// Whether its plugins understand CHECK, and want it.
    pub(crate) fn checks(&self) -> bool {
        self.check && self.version >= "0.4.0"
    }

    /// Whether its plugins get the result of ADD with DEL.
    pub(crate) fn remembers(&self) -> bool {
        self.version >= "0.4.0"
    }

    /// Whether its plugins understand STATUS.
    pub(crate) fn has_status(&self) -> bool {
        self.version >= "1.1.0"
    }

    /// Whether its plugins understand GC, and want it.
    pub(crate) fn collects(&self) -> bool {
        self.collect && self.version >= "1.1.0"
    }

    /// What a plugin is given on its standard input: its part of the configuration, the network's name,
    /// what it can do of what is asked, and what the one before it answered.
    pub(crate) fn request(
        &self,
        index: usize,
        asked: &Map<String, Value>,
        before: Option<&Value>,
    ) -> Map<String, Value> {
        let mut request = self.plugins.get(index).cloned().unwrap_or_default();
        let capabilities = request.remove("capabilities");
        request.insert("name".to_owned(), json!(self.name));
        request.insert("cniVersion".to_owned(), json!(self.version));
        let able = |name: &str| {
            let capability = capabilities.as_ref().and_then(|all| all.get(name));
            capability.and_then(Value::as_bool).unwrap_or(false)
        };
        let runtime: Map<String, Value> = asked
            .iter()
            .filter(|(name, _)| able(name))
            .map(|(name, value)| (name.clone(), value.clone()))
            .collect();
        if !runtime.is_empty() {
            request.insert("runtimeConfig".to_owned(), Value::Object(runtime));
        }
        if let Some(before) = before {
            request.insert("prevResult".to_owned(), before.clone());
        }
        request
    }
}

/// The newest version of those that a configuration offers (`cniVersions`), or the one that it has.
fn version(parsed: &Map<String, Value>) -> Result<&'static str, ConfigError> {
    let own = parsed.get("cniVersion").and_then(Value::as_str);
    let offered = parsed.get("cniVersions").and_then(Value::as_array);
    let offered = offered.into_iter().flatten().filter_map(Value::as_str);
    let all: Vec<_> = offered.chain(own).collect();
    VERSIONS
        .into_iter()
        .rev()
        .find(|version| all.contains(version))
        .ok_or_else(|| ConfigError::Version(own.unwrap_or("0.1.0").to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The specification's example.
    const EXAMPLE: &str = r#"{
        "cniVersion": "1.1.0", "cniVersions": ["0.3.1", "0.4.0", "1.0.0", "1.1.0"], "name": "dbnet",
        "plugins": [
            {"type": "bridge", "bridge": "cni0", "keyA": ["some more", "plugin specific", "configuration"],
             "ipam": {"type": "host-local", "subnet": "10.1.0.0/16", "gateway": "10.1.0.1",
                      "routes": [{"dst": "0.0.0.0/0"}]},
             "dns": {"nameservers": ["10.1.0.1"]}},
            {"type": "tuning", "capabilities": {"mac": true}, "sysctl": {"net.core.somaxconn": "500"}},
            {"type": "portmap", "capabilities": {"portMappings": true}}
        ]}"#;

    #[test]
    fn the_specifications_example_is_derived_as_it_says() {
        let list = NetworkList::parse(EXAMPLE.as_bytes()).unwrap();
        let types: Vec<_> = list.types().map(|(_, name)| name).collect();
        assert_eq!(types, ["bridge", "tuning", "portmap"]);
        let asked = json!({"mac": "00:11:22:33:44:66", "portMappings": [{"hostPort": 8080, "containerPort": 80, "protocol": "tcp"}]});
        let asked = asked.as_object().unwrap();
        let before = json!({"ips": [{"address": "10.1.0.5/16"}]});
        let tuning = list.request(1, asked, Some(&before));
        let expected = json!({
            "cniVersion": "1.1.0", "name": "dbnet", "type": "tuning",
            "sysctl": {"net.core.somaxconn": "500"},
            "runtimeConfig": {"mac": "00:11:22:33:44:66"},
            "prevResult": {"ips": [{"address": "10.1.0.5/16"}]}
        });
        assert_eq!(Value::Object(tuning), expected);
        let bridge = list.request(0, asked, None);
        assert!(!bridge.contains_key("runtimeConfig") && !bridge.contains_key("prevResult"));
    }

    #[test]
    fn one_plugin_alone_is_a_list_of_one() {
        let text = r#"{"cniVersion": "0.3.1", "name": "kubenet", "type": "bridge"}"#;
        let list = NetworkList::parse(text.as_bytes()).unwrap();
        assert_eq!(list.types().count(), 1);
        assert!(!list.checks() && !list.collects() && !list.has_status());
        assert_eq!(list.name, "kubenet");
    }

    #[test]
    fn the_first_file_that_is_one_is_taken() {
        let file = |name: &str, text: &str| (name.to_owned(), text.as_bytes().to_vec());
        let files = vec![
            file("00-broken.conf", "{"),
            file(
                "01-old.conf",
                r#"{"name": "x", "type": "y", "cniVersion": "0.2.0"}"#,
            ),
            file(
                "02-evil.conf",
                r#"{"name": "x", "type": "../y", "cniVersion": "1.0.0"}"#,
            ),
            file("10-good.conflist", EXAMPLE),
            file("20-later.conflist", EXAMPLE),
        ];
        assert_eq!(choose(files).unwrap().0, "10-good.conflist");
        assert!(is_config("10-aws.conflist") && !is_config("10-aws.conflist.bak"));
    }
}

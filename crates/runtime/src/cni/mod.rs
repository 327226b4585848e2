//! A node's network for pods: the runtime's part of the Container Network Interface, 0.3.0 to 1.1.0.
//! <https://github.com/containernetworking/cni/blob/main/SPEC.md>
//!
//! Not modelled: several networks a sandbox, plugins' results of 0.2.0 and before, a cache in the node's
//! files (what ADD answered is kept in memory; after a restart the node's sandboxes are gone and GC says
//! so).

mod answer;
mod asked;
mod config;
mod plugin;

pub(crate) use answer::address;
pub(crate) use asked::of as asked;
pub(crate) use config::NetworkList;
use kernel::guest::Guest;
use plugin::Plugins;
use serde_json::{Map, Value, json};
use std::io;
use std::path::Path;

/// Where nodes keep their networks' configurations.
const DIRECTORY: &str = "/etc/cni/net.d";
/// The link that plugins make in a sandbox.
const LINK: &str = "eth0";

/// A sandbox that is attached to a network, or is to be.
#[derive(Clone, Debug)]
pub(crate) struct Attachment {
    pub(crate) sandbox: String,
    /// Where the node sees the sandbox's network namespace.
    pub(crate) namespace: String,
    /// Words for plugins (`CNI_ARGS`).
    pub(crate) words: Vec<(&'static str, String)>,
    /// What plugins are asked for, by capability.
    pub(crate) asked: Map<String, Value>,
}

/// What was made for a sandbox, to be taken down again.
#[derive(Clone, Debug)]
pub(crate) struct Attached {
    network: NetworkList,
    attachment: Attachment,
    result: Option<Value>,
}

/// A plugin that failed.
#[derive(Debug)]
pub(crate) struct Refused {
    pub(crate) plugin: String,
    pub(crate) message: String,
}

/// The network that a node's files configure.
pub(crate) fn network(node: &Guest) -> Option<NetworkList> {
    let files = node.files();
    let names = match files.list(Path::new(DIRECTORY)) {
        Ok(names) => names,
        Err(error) if error.kind() == io::ErrorKind::NotFound => Vec::new(),
        Err(error) => {
            tracing::warn!(%error, "a node's network configurations can't be read");
            Vec::new()
        }
    };
    let names = names.into_iter().filter_map(|name| name.into_string().ok());
    let files = names
        .filter(|name| config::is_config(name))
        .filter_map(|name| {
            let text = files.read(&Path::new(DIRECTORY).join(&name)).ok()?;
            Some((name, text))
        });
    config::choose(files).map(|(_, network)| network)
}

/// Attaches a sandbox: plugin after plugin, each with what the one before answered.
pub(crate) fn add(
    plugins: &impl Plugins,
    network: &NetworkList,
    attachment: &Attachment,
) -> Result<Attached, Refused> {
    let mut result = None;
    for (index, plugin) in network.types() {
        let request = network.request(index, &attachment.asked, result.as_ref());
        let output = call(plugins, "ADD", plugin, Some(attachment), request)?;
        let answer = serde_json::from_slice(&output).map_err(|error| Refused {
            plugin: plugin.to_owned(),
            message: format!("its result can't be read: {error}"),
        })?;
        result = Some(answer);
    }
    Ok(Attached {
        network: network.clone(),
        attachment: attachment.clone(),
        result,
    })
}

impl Attached {
    /// What is to be taken down where attaching failed half-way.
    pub(crate) fn half(network: &NetworkList, attachment: &Attachment) -> Self {
        Self {
            network: network.clone(),
            attachment: attachment.clone(),
            result: None,
        }
    }

    /// What the last plugin answered.
    pub(crate) fn result(&self) -> Option<&Value> {
        self.result.as_ref()
    }

    /// Detaches the sandbox: the plugins in the opposite order.
    pub(crate) fn delete(&self, plugins: &impl Plugins) -> Result<(), Refused> {
        let before = self.result.as_ref().filter(|_| self.network.remembers());
        for (index, plugin) in self.network.types().rev() {
            let request = self.network.request(index, &self.attachment.asked, before);
            call(plugins, "DEL", plugin, Some(&self.attachment), request)?;
        }
        Ok(())
    }

    /// Asks the plugins whether all is as they made it.
    pub(crate) fn check(&self, plugins: &impl Plugins) -> Result<(), Refused> {
        if !self.network.checks() {
            return Ok(());
        }
        for (index, plugin) in self.network.types() {
            let asked = &self.attachment.asked;
            let request = self.network.request(index, asked, self.result.as_ref());
            call(plugins, "CHECK", plugin, Some(&self.attachment), request)?;
        }
        Ok(())
    }
}

/// Asks the plugins whether they are ready for sandboxes.
pub(crate) fn status(plugins: &impl Plugins, network: &NetworkList) -> Result<(), Refused> {
    if !network.has_status() {
        return Ok(());
    }
    let nothing = Map::new();
    for (index, plugin) in network.types() {
        let request = network.request(index, &nothing, None);
        call(plugins, "STATUS", plugin, None, request)?;
    }
    Ok(())
}

/// Tells the plugins which sandboxes there are; what they keep of others can go.
pub(crate) fn collect<'a>(
    plugins: &impl Plugins,
    network: &NetworkList,
    sandboxes: impl Iterator<Item = &'a str>,
) -> Result<(), Refused> {
    if !network.collects() {
        return Ok(());
    }
    let valid: Vec<_> = sandboxes
        .map(|sandbox| json!({"containerID": sandbox, "ifname": LINK}))
        .collect();
    let nothing = Map::new();
    for (index, plugin) in network.types() {
        let mut request = network.request(index, &nothing, None);
        request.insert("cni.dev/valid-attachments".to_owned(), json!(valid));
        call(plugins, "GC", plugin, None, request)?;
    }
    Ok(())
}

fn call(
    plugins: &impl Plugins,
    command: &str,
    plugin: &str,
    attachment: Option<&Attachment>,
    request: Map<String, Value>,
) -> Result<Vec<u8>, Refused> {
    let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
    let mut environment = vec![pair("CNI_COMMAND", command)];
    if let Some(attachment) = attachment {
        let words: Vec<_> = attachment
            .words
            .iter()
            .map(|(name, value)| format!("{name}={value}"))
            .collect();
        environment.extend([
            pair("CNI_CONTAINERID", &attachment.sandbox),
            pair("CNI_NETNS", &attachment.namespace),
            pair("CNI_IFNAME", LINK),
            pair("CNI_ARGS", &words.join(";")),
        ]);
    }
    let request = Value::Object(request).to_string();
    plugins
        .call(plugin, environment, request.as_bytes())
        .map_err(|message| Refused {
            plugin: plugin.to_owned(),
            message,
        })
}

#[cfg(test)]
mod tests;

//! How a plugin is called and how it answers.

use crate::error::PluginError;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::path::PathBuf;

/// The versions that plugins here speak.
const VERSIONS: [&str; 4] = ["0.3.1", "0.4.0", "1.0.0", "1.1.0"];
/// What is assumed where a configuration doesn't say.
const UNSAID: &str = "0.3.1";

/// What a plugin is asked to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Command {
    /// Attach a container.
    Add,
    /// Detach it.
    Del,
    /// See whether its attachment is as it was made.
    Check,
    /// Say whether it could attach.
    Status,
    /// Forget attachments that are no longer.
    Gc,
    /// Say which versions it speaks.
    Version,
}

/// A call.
#[derive(Clone, Debug)]
pub struct Call {
    /// What is asked.
    pub command: Command,
    /// The container's id.
    pub container: String,
    /// The container's network namespace; a detached one may have none any more.
    pub netns: Option<PathBuf>,
    /// The link that it shall have.
    pub link: String,
    /// Further words from the runtime (`CNI_ARGS`), by name.
    pub arguments: BTreeMap<String, String>,
    /// The version of the configuration.
    pub version: String,
    /// The configuration.
    pub config: Value,
}

/// A plugin. Each function may be called again for what is done already.
pub trait Plugin {
    /// Attaches a container; the result as a document of the call's version ([`crate::Outcome::document`]), or
    /// what the plugin before said.
    ///
    /// # Errors
    /// The specification's codes; nothing is left then.
    fn add(&self, call: &Call) -> Result<Value, PluginError>;

    /// Detaches it; nothing to detach is fine.
    ///
    /// # Errors
    /// The specification's codes.
    fn del(&self, call: &Call) -> Result<(), PluginError>;

    /// Whether the attachment is as it was made.
    ///
    /// # Errors
    /// What is not.
    fn check(&self, call: &Call) -> Result<(), PluginError>;

    /// Whether it could attach.
    ///
    /// # Errors
    /// Why not.
    fn status(&self, call: &Call) -> Result<(), PluginError>;

    /// Forgets all attachments but these: containers and their links.
    ///
    /// # Errors
    /// The specification's codes.
    fn gc(&self, call: &Call, valid: &[(String, String)]) -> Result<(), PluginError>;
}

/// Runs a plugin: reads how it is called from variables and input, calls it, writes what it answers.
/// Gives the exit code.
pub fn run(
    plugin: &impl Plugin,
    variable: impl Fn(&str) -> Option<String>,
    mut input: impl Read,
    mut output: impl Write,
) -> i32 {
    let mut text = String::new();
    let read = input
        .read_to_string(&mut text)
        .map_err(|error| PluginError::new(PluginError::IO, error));
    let mut version = UNSAID.to_owned();
    let answered = read
        .and_then(|_| understand(&variable, &text))
        .and_then(|call| {
            version.clone_from(&call.version);
            answer(plugin, &call)
        });
    let (document, code) = match answered {
        Ok(document) => (document, 0),
        Err(error) => (Some(error.document(&version)), 1),
    };
    // A runtime that went away needs no answer.
    let _ = document.map(|document| writeln!(output, "{document}"));
    code
}

fn answer(plugin: &impl Plugin, call: &Call) -> Result<Option<Value>, PluginError> {
    match call.command {
        Command::Add => plugin.add(call).map(Some),
        Command::Del => plugin.del(call).map(|()| None),
        Command::Check => plugin.check(call).map(|()| None),
        Command::Status => plugin.status(call).map(|()| None),
        Command::Gc => plugin.gc(call, &valid(&call.config)).map(|()| None),
        Command::Version => Ok(Some(
            json!({"cniVersion": VERSIONS[VERSIONS.len() - 1], "supportedVersions": VERSIONS}),
        )),
    }
}

/// The attachments that are still wanted.
fn valid(config: &Value) -> Vec<(String, String)> {
    let text = |of: &Value, field: &str| of[field].as_str().unwrap_or_default().to_owned();
    config["cni.dev/valid-attachments"]
        .as_array()
        .into_iter()
        .flatten()
        .map(|of| (text(of, "containerID"), text(of, "ifname")))
        .collect()
}

fn understand(variable: &impl Fn(&str) -> Option<String>, text: &str) -> Result<Call, PluginError> {
    let environment = |message: String| PluginError::new(PluginError::ENVIRONMENT, message);
    let command = variable("CNI_COMMAND").unwrap_or_default();
    let command = match command.as_str() {
        "ADD" => Command::Add,
        "DEL" => Command::Del,
        "CHECK" => Command::Check,
        "STATUS" => Command::Status,
        "GC" => Command::Gc,
        "VERSION" => Command::Version,
        other => return Err(environment(format!("unknown CNI_COMMAND: {other}"))),
    };
    let config: Value = match text.trim() {
        "" if command == Command::Version => Value::Null,
        text => serde_json::from_str(text)
            .map_err(|error| PluginError::new(PluginError::DECODE, error))?,
    };
    let version = config["cniVersion"].as_str().unwrap_or(UNSAID).to_owned();
    if command != Command::Version && !VERSIONS.contains(&version.as_str()) {
        let message = format!(
            "incompatible CNI versions; config is {version:?}, plugin supports {VERSIONS:?}"
        );
        return Err(PluginError::new(PluginError::VERSION, message));
    }
    let needed = |name: &str| {
        let about = matches!(command, Command::Add | Command::Del | Command::Check);
        match variable(name).filter(|value| !value.is_empty()) {
            None if about => Err(environment(format!(
                "required env variables [{name}] missing"
            ))),
            value => Ok(value.unwrap_or_default()),
        }
    };
    let netns = variable("CNI_NETNS").filter(|path| !path.is_empty());
    if netns.is_none() && matches!(command, Command::Add | Command::Check) {
        return Err(environment(
            "required env variables [CNI_NETNS] missing".to_owned(),
        ));
    }
    Ok(Call {
        command,
        container: checked(needed("CNI_CONTAINERID")?, "CNI_CONTAINERID", 200)?,
        netns: netns.map(PathBuf::from),
        link: checked(needed("CNI_IFNAME")?, "CNI_IFNAME", 15)?,
        arguments: arguments(&variable("CNI_ARGS").unwrap_or_default()),
        version,
        config,
    })
}

/// `NAME=value;OTHER=value`.
fn arguments(text: &str) -> BTreeMap<String, String> {
    let pairs = text.split(';').filter_map(|pair| pair.split_once('='));
    pairs
        .map(|(name, value)| (name.trim().to_owned(), value.to_owned()))
        .collect()
}

/// Ids and names become parts of files' and links' names: nothing else may come with them.
fn checked(text: String, name: &str, longest: usize) -> Result<String, PluginError> {
    let plain = |c: char| c.is_ascii_alphanumeric() || "_.-".contains(c);
    let well = text.len() <= longest && text.chars().all(plain) && text != "." && text != "..";
    if well {
        Ok(text)
    } else {
        let message = format!("invalid characters in {name}: {text:?}");
        Err(PluginError::new(PluginError::ENVIRONMENT, message))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::result::Outcome;
    use std::cell::RefCell;

    /// Notes what it is asked.
    #[derive(Default)]
    struct Noting(RefCell<Vec<String>>);

    impl Noting {
        fn note(&self, text: String) -> Result<(), PluginError> {
            self.0.borrow_mut().push(text);
            Ok(())
        }
    }

    impl Plugin for Noting {
        fn add(&self, call: &Call) -> Result<Value, PluginError> {
            self.note(format!("add {} {}", call.container, call.link))?;
            Ok(Outcome::default().document(&call.version))
        }
        fn del(&self, call: &Call) -> Result<(), PluginError> {
            self.note(format!("del {:?}", call.netns))
        }
        fn check(&self, _: &Call) -> Result<(), PluginError> {
            Err(PluginError::new(PluginError::CHANGED, "it changed"))
        }
        fn status(&self, _: &Call) -> Result<(), PluginError> {
            self.note("status".to_owned())
        }
        fn gc(&self, _: &Call, valid: &[(String, String)]) -> Result<(), PluginError> {
            self.note(format!("gc {valid:?}"))
        }
    }

    fn call(plugin: &Noting, variables: &[(&str, &str)], config: &str) -> (i32, Value) {
        let variable = |name: &str| {
            let found = variables.iter().find(|(known, _)| *known == name);
            found.map(|(_, value)| (*value).to_owned())
        };
        let mut output = Vec::new();
        let code = run(plugin, variable, config.as_bytes(), &mut output);
        (code, serde_json::from_slice(&output).unwrap_or_default())
    }

    const ABOUT: [(&str, &str); 3] = [
        ("CNI_CONTAINERID", "c1"),
        ("CNI_IFNAME", "eth0"),
        ("CNI_NETNS", "/run/netns/c1"),
    ];

    /// K8S-NET: each verb of the specification reaches the plugin, and its answer the runtime.
    #[test]
    fn verbs_reach_the_plugin() {
        let plugin = Noting::default();
        let with = |command| [&[("CNI_COMMAND", command)][..], &ABOUT].concat();
        let config = r#"{"cniVersion": "1.1.0", "cni.dev/valid-attachments": [{"containerID": "a", "ifname": "eth0"}]}"#;
        let (code, result) = call(&plugin, &with("ADD"), config);
        assert_eq!((code, &result["cniVersion"]), (0, &json!("1.1.0")));
        assert_eq!(call(&plugin, &with("DEL"), config), (0, Value::Null));
        assert_eq!(call(&plugin, &with("GC"), config), (0, Value::Null));
        assert_eq!(call(&plugin, &with("STATUS"), config), (0, Value::Null));
        let (code, error) = call(&plugin, &with("CHECK"), config);
        assert_eq!((code, &error["code"]), (1, &json!(102)));
        let (_, versions) = call(&plugin, &[("CNI_COMMAND", "VERSION")], "");
        assert_eq!(versions["supportedVersions"][3], "1.1.0");
        let noted = plugin.0.borrow();
        assert_eq!(noted[0], "add c1 eth0");
        assert_eq!(noted[2], r#"gc [("a", "eth0")]"#);
    }

    #[test]
    fn further_words_are_read() {
        let read = arguments("IgnoreUnknown=1;K8S_POD_NAME=web;nonsense;");
        assert_eq!(read["K8S_POD_NAME"], "web");
        assert_eq!(read.len(), 2);
    }

    #[test]
    fn bad_calls_get_the_specifications_codes() {
        let plugin = Noting::default();
        for (variables, config, code) in [
            (vec![("CNI_COMMAND", "EAT")], "{}", 4),
            (vec![("CNI_COMMAND", "ADD")], "{}", 4),
            ([&[("CNI_COMMAND", "ADD")][..], &ABOUT].concat(), "{", 6),
            (
                [&[("CNI_COMMAND", "ADD")][..], &ABOUT].concat(),
                r#"{"cniVersion": "9.0.0"}"#,
                1,
            ),
            (
                vec![
                    ("CNI_COMMAND", "DEL"),
                    ("CNI_CONTAINERID", "../x"),
                    ("CNI_IFNAME", "eth0"),
                ],
                "{}",
                4,
            ),
        ] {
            let (exit, error) = call(&plugin, &variables, config);
            assert_eq!((exit, &error["code"]), (1, &json!(code)), "{error}");
        }
        assert!(plugin.0.borrow().is_empty());
    }
}

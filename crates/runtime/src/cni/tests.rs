//! The order of calls, with plugins that write down what they are asked.

use super::*;
use std::cell::RefCell;

/// A plugin, its environment and what it was given.
type Call = (String, Vec<(String, String)>, Value);

/// Answers with the plugin's name; fails where told to.
#[derive(Default)]
struct Recorder {
    calls: RefCell<Vec<Call>>,
    failing: Option<&'static str>,
}

impl Plugins for Recorder {
    fn call(
        &self,
        plugin: &str,
        environment: Vec<(String, String)>,
        request: &[u8],
    ) -> Result<Vec<u8>, String> {
        let request = serde_json::from_slice(request).unwrap();
        let call = (plugin.to_owned(), environment, request);
        self.calls.borrow_mut().push(call);
        if self.failing == Some(plugin) {
            return Err("no".to_owned());
        }
        let answer = json!({"by": plugin, "ips": [{"address": "10.1.0.5/32"}]});
        Ok(answer.to_string().into_bytes())
    }
}

impl Recorder {
    fn plugins(&self) -> Vec<String> {
        let calls = self.calls.borrow();
        calls.iter().map(|(plugin, ..)| plugin.clone()).collect()
    }

    fn variable(&self, call: usize, name: &str) -> Option<String> {
        let calls = self.calls.borrow();
        let found = calls[call].1.iter().find(|(known, _)| known == name);
        found.map(|(_, value)| value.clone())
    }

    fn field(&self, call: usize, name: &str) -> Value {
        self.calls.borrow()[call]
            .2
            .get(name)
            .cloned()
            .unwrap_or_default()
    }
}

fn list(version: &str) -> NetworkList {
    let text = json!({"cniVersion": version, "name": "pods", "plugins": [
        {"type": "first"}, {"type": "second", "capabilities": {"portMappings": true}}]});
    NetworkList::parse(text.to_string().as_bytes()).unwrap()
}

fn attachment() -> Attachment {
    Attachment {
        sandbox: "abc".to_owned(),
        namespace: "/run/netns/cni-abc".to_owned(),
        words: vec![
            ("IgnoreUnknown", "1".to_owned()),
            ("K8S_POD_NAME", "web".to_owned()),
        ],
        asked: Map::from_iter([("portMappings".to_owned(), json!([1]))]),
    }
}

/// K8S-NET
#[test]
fn plugins_are_chained_and_undone_backwards() {
    let recorder = Recorder::default();
    let attached = add(&recorder, &list("1.0.0"), &attachment()).unwrap();
    attached.check(&recorder).unwrap();
    attached.delete(&recorder).unwrap();
    let order = ["first", "second", "first", "second", "second", "first"];
    assert_eq!(recorder.plugins(), order);
    assert_eq!(recorder.variable(0, "CNI_COMMAND").as_deref(), Some("ADD"));
    assert_eq!(recorder.variable(0, "CNI_IFNAME").as_deref(), Some("eth0"));
    let words = recorder.variable(0, "CNI_ARGS");
    assert_eq!(words.as_deref(), Some("IgnoreUnknown=1;K8S_POD_NAME=web"));
    assert_eq!(recorder.field(0, "prevResult"), Value::Null);
    assert_eq!(recorder.field(1, "prevResult")["by"], "first");
    assert_eq!(
        recorder.field(1, "runtimeConfig"),
        json!({"portMappings": [1]})
    );
    assert_eq!(recorder.field(2, "prevResult")["by"], "second");
    assert_eq!(recorder.variable(4, "CNI_COMMAND").as_deref(), Some("DEL"));
    assert_eq!(recorder.field(4, "prevResult")["by"], "second");
    assert_eq!(
        address(attached.result().unwrap()),
        Some([10, 1, 0, 5].into())
    );
}

/// K8S-NET
#[test]
fn older_plugins_are_not_asked_what_they_do_not_know() {
    let recorder = Recorder::default();
    let old = list("0.3.1");
    let attached = add(&recorder, &old, &attachment()).unwrap();
    attached.check(&recorder).unwrap();
    status(&recorder, &old).unwrap();
    collect(&recorder, &old, [].into_iter()).unwrap();
    assert_eq!(recorder.calls.borrow().len(), 2);
    attached.delete(&recorder).unwrap();
    assert_eq!(recorder.field(2, "prevResult"), Value::Null);
}

/// K8S-NET
#[test]
fn newer_plugins_hear_which_sandboxes_there_are() {
    let recorder = Recorder::default();
    status(&recorder, &list("1.1.0")).unwrap();
    collect(&recorder, &list("1.1.0"), ["abc"].into_iter()).unwrap();
    assert_eq!(
        recorder.variable(0, "CNI_COMMAND").as_deref(),
        Some("STATUS")
    );
    assert_eq!(recorder.variable(0, "CNI_CONTAINERID"), None);
    assert_eq!(recorder.variable(2, "CNI_COMMAND").as_deref(), Some("GC"));
    let valid = json!([{"containerID": "abc", "ifname": "eth0"}]);
    assert_eq!(recorder.field(2, "cni.dev/valid-attachments"), valid);
}

/// K8S-NET
#[test]
fn a_failure_names_the_plugin() {
    let recorder = Recorder {
        failing: Some("second"),
        ..Recorder::default()
    };
    let refused = add(&recorder, &list("1.0.0"), &attachment()).unwrap_err();
    assert_eq!(
        (refused.plugin.as_str(), refused.message.as_str()),
        ("second", "no")
    );
}

//! Containers of a pod.

use super::{Resources, Security};
use serde::Deserialize;

/// Which of a pod's lists a container is in, and what that means.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Role {
    /// Runs to its end before the next begins.
    Init,
    /// Begins among the init containers and runs beside the main ones.
    Sidecar,
    /// What the pod is for.
    Main,
    /// Put in later, to look around (`kubectl debug`).
    Ephemeral,
}

impl Role {
    /// The field of the pod's specification that such containers stand in.
    pub(crate) fn field(self) -> &'static str {
        match self {
            Self::Init | Self::Sidecar => "initContainers",
            Self::Main => "containers",
            Self::Ephemeral => "ephemeralContainers",
        }
    }
}

/// A container.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(crate) struct Container {
    pub(crate) name: String,
    pub(crate) image: String,
    pub(crate) command: Vec<String>,
    pub(crate) args: Vec<String>,
    pub(crate) working_dir: String,
    pub(crate) ports: Vec<Port>,
    pub(crate) env_from: Vec<EnvFrom>,
    pub(crate) env: Vec<EnvVar>,
    pub(crate) resources: Resources,
    pub(crate) volume_mounts: Vec<VolumeMount>,
    pub(crate) liveness_probe: Option<Probe>,
    pub(crate) readiness_probe: Option<Probe>,
    pub(crate) startup_probe: Option<Probe>,
    pub(crate) lifecycle: Lifecycle,
    pub(crate) termination_message_path: String,
    pub(crate) termination_message_policy: TerminationMessage,
    pub(crate) image_pull_policy: Option<PullPolicy>,
    pub(crate) security_context: Security,
    pub(crate) stdin: bool,
    pub(crate) stdin_once: bool,
    pub(crate) tty: bool,
    pub(crate) restart_policy: Option<String>,
}

impl Container {
    /// Whether it says for itself that it is always restarted.
    pub(crate) fn restarts_always(&self) -> bool {
        self.restart_policy.as_deref() == Some("Always")
    }

    /// When its image is pulled. Without a word of its own, an image whose tag moves always is.
    /// <https://kubernetes.io/docs/concepts/containers/images/#imagepullpolicy-defaulting>
    pub(crate) fn pull_policy(&self) -> PullPolicy {
        self.image_pull_policy.unwrap_or_else(|| {
            let last = self.image.rsplit('/').next().unwrap_or(&self.image);
            let tag = last.split_once(':').map(|(_, tag)| tag);
            if !self.image.contains('@') && tag.is_none_or(|tag| tag == "latest") {
                PullPolicy::Always
            } else {
                PullPolicy::IfNotPresent
            }
        })
    }

    /// The number of a port that is named or numbered.
    pub(crate) fn port(&self, number: &Number) -> Result<u16, String> {
        let found = match number {
            Number::Int(number) => *number,
            Number::Text(name) => {
                let named = self.ports.iter().find(|port| port.name == *name);
                match named {
                    Some(port) => i64::from(port.container_port),
                    None => name
                        .parse()
                        .map_err(|_| format!("strconv.Atoi: parsing {name:?}: invalid syntax"))?,
                }
            }
        };
        match u16::try_from(found) {
            Ok(port) if port > 0 => Ok(port),
            _ => Err(format!("invalid port number: {found}")),
        }
    }
}

/// When an image is pulled.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
pub(crate) enum PullPolicy {
    /// Each time a container is made.
    Always,
    /// When it isn't there.
    IfNotPresent,
    /// Never.
    Never,
}

/// Where the last words of a container come from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
pub(crate) enum TerminationMessage {
    /// The file alone.
    #[default]
    File,
    /// The end of the log, where a container failed and left no file.
    FallbackToLogsOnError,
}

/// A port that a container listens on.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(crate) struct Port {
    pub(crate) name: String,
    pub(crate) container_port: u16,
    pub(crate) host_port: u16,
    #[serde(rename = "hostIP")]
    pub(crate) host_ip: String,
    pub(crate) protocol: String,
}

/// A number, or a name for one.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(untagged)]
pub(crate) enum Number {
    /// A number.
    Int(i64),
    /// A name.
    Text(String),
}

impl Default for Number {
    fn default() -> Self {
        Self::Int(0)
    }
}

/// A variable of the environment.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(crate) struct EnvVar {
    pub(crate) name: String,
    pub(crate) value: String,
    pub(crate) value_from: Option<EnvSource>,
}

/// Where a variable's value comes from.
#[derive(Clone, Debug, Deserialize)]
pub(crate) enum EnvSource {
    /// A field of the pod.
    #[serde(rename = "fieldRef")]
    Field(FieldRef),
    /// What a container may use.
    #[serde(rename = "resourceFieldRef")]
    Resource(ResourceFieldRef),
    /// A config map's entry.
    #[serde(rename = "configMapKeyRef")]
    ConfigMap(KeyRef),
    /// A secret's entry.
    #[serde(rename = "secretKeyRef")]
    Secret(KeyRef),
}

/// A field of the pod.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(crate) struct FieldRef {
    pub(crate) field_path: String,
}

/// What a container may use.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(crate) struct ResourceFieldRef {
    pub(crate) container_name: String,
    pub(crate) resource: String,
    pub(crate) divisor: crate::quantity::Quantity,
}

/// An entry of a config map or secret.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct KeyRef {
    pub(crate) name: String,
    pub(crate) key: String,
    pub(crate) optional: bool,
}

/// All entries of a config map or secret.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(crate) struct EnvFrom {
    pub(crate) prefix: String,
    pub(crate) config_map_ref: Option<KeyRef>,
    pub(crate) secret_ref: Option<KeyRef>,
}

/// Where a container sees a volume.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(crate) struct VolumeMount {
    pub(crate) name: String,
    pub(crate) mount_path: String,
    pub(crate) sub_path: String,
    pub(crate) sub_path_expr: String,
    pub(crate) read_only: bool,
    pub(crate) mount_propagation: String,
}

/// What is done after a container began and before it ends.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(crate) struct Lifecycle {
    pub(crate) post_start: Option<Handler>,
    pub(crate) pre_stop: Option<Handler>,
}

/// Something to do with a container.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(crate) struct Handler {
    pub(crate) exec: Option<Exec>,
    pub(crate) http_get: Option<HttpGet>,
    pub(crate) tcp_socket: Option<TcpSocket>,
    pub(crate) grpc: Option<Grpc>,
    pub(crate) sleep: Option<Sleep>,
}

/// A program to run.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Exec {
    pub(crate) command: Vec<String>,
}

/// A request to make.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(crate) struct HttpGet {
    pub(crate) path: String,
    pub(crate) port: Number,
    pub(crate) host: String,
    pub(crate) scheme: String,
    pub(crate) http_headers: Vec<Header>,
}

/// A header of a request.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Header {
    pub(crate) name: String,
    pub(crate) value: String,
}

/// A connection to make.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct TcpSocket {
    pub(crate) port: Number,
    pub(crate) host: String,
}

/// A call of `grpc.health.v1.Health/Check`.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Grpc {
    pub(crate) port: i64,
    pub(crate) service: String,
}

/// Time to wait.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Sleep {
    pub(crate) seconds: u64,
}

/// Something that is asked again and again.
#[derive(Clone, Debug, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(crate) struct Probe {
    #[serde(flatten)]
    pub(crate) handler: Handler,
    pub(crate) initial_delay_seconds: u64,
    pub(crate) timeout_seconds: u64,
    pub(crate) period_seconds: u64,
    pub(crate) success_threshold: u32,
    pub(crate) failure_threshold: u32,
    pub(crate) termination_grace_period_seconds: Option<i64>,
}

impl Default for Probe {
    fn default() -> Self {
        Self {
            handler: Handler::default(),
            initial_delay_seconds: 0,
            timeout_seconds: 1,
            period_seconds: 10,
            success_threshold: 1,
            failure_threshold: 3,
            termination_grace_period_seconds: None,
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use serde_json::json;

    fn container(value: serde_json::Value) -> Container {
        serde_json::from_value(value).unwrap()
    }

    /// K8S-RUN: the documented defaults of `imagePullPolicy`.
    #[test]
    fn the_tag_decides_when_an_image_is_pulled() {
        for (image, policy) in [
            ("web", PullPolicy::Always),
            ("registry:5000/web", PullPolicy::Always),
            ("web:latest", PullPolicy::Always),
            ("web:1", PullPolicy::IfNotPresent),
            ("web@sha256:00", PullPolicy::IfNotPresent),
        ] {
            let container = container(json!({"image": image}));
            assert_eq!(container.pull_policy(), policy, "{image}");
        }
        let never = container(json!({"image": "web", "imagePullPolicy": "Never"}));
        assert_eq!(never.pull_policy(), PullPolicy::Never);
    }

    #[test]
    fn ports_have_names_and_numbers() {
        let container =
            container(json!({"name": "c", "ports": [{"name": "http", "containerPort": 80}]}));
        assert_eq!(container.port(&Number::Text("http".into())), Ok(80));
        assert_eq!(container.port(&Number::Text("8080".into())), Ok(8080));
        assert_eq!(container.port(&Number::Int(53)), Ok(53));
        assert!(container.port(&Number::Text("https".into())).is_err());
        assert!(container.port(&Number::Int(0)).is_err());
        assert!(container.port(&Number::Int(65536)).is_err());
    }

    #[test]
    fn probes_have_defaults() {
        let probe = json!({"httpGet": {"port": "http", "path": "/"}, "periodSeconds": 3});
        let probe: Probe = serde_json::from_value(probe).unwrap();
        assert_eq!((probe.period_seconds, probe.timeout_seconds), (3, 1));
        assert!(probe.handler.http_get.is_some());
    }
}

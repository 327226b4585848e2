//! What listeners and rules do with requests.
//! <https://docs.aws.amazon.com/elasticloadbalancing/latest/APIReference/API_Action.html>

use super::error::BuildError;
use aws_client::answer::{list, text};
use serde_json::{Map, Value, json};

/// What is done with a request.
#[derive(Clone, Debug, PartialEq)]
pub enum Action {
    /// It goes on to targets.
    Forward {
        /// Target groups with their weights.
        groups: Vec<(TargetRef, u32)>,
        /// How long a client stays with a group, in seconds.
        sticky: Option<u32>,
    },
    /// The client is sent elsewhere.
    Redirect(Redirect),
    /// It is answered.
    Fixed {
        /// The status.
        status: String,
        /// The body's type.
        content_type: Option<String>,
        /// The body.
        body: Option<String>,
    },
    /// The client has to say who it is.
    Authenticate(Authenticate),
}

/// A target group.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum TargetRef {
    /// One of the stack's, by its name.
    Own(String),
    /// One that is there, by its ARN.
    Arn(String),
}

/// Where a client is sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Redirect {
    /// The protocol.
    pub protocol: String,
    /// The port.
    pub port: String,
    /// The host.
    pub host: String,
    /// The path.
    pub path: String,
    /// The query.
    pub query: String,
    /// `HTTP_301` or `HTTP_302`.
    pub status: String,
}

impl Default for Redirect {
    fn default() -> Self {
        let keep = |what: &str| format!("#{{{what}}}");
        Self {
            protocol: keep("protocol"),
            port: keep("port"),
            host: keep("host"),
            path: format!("/{}", keep("path")),
            query: keep("query"),
            status: "HTTP_301".to_owned(),
        }
    }
}

/// How a client says who it is.
#[derive(Clone, Debug, PartialEq)]
pub struct Authenticate {
    /// `authenticate-oidc` or `authenticate-cognito`.
    pub kind: &'static str,
    /// The configuration's members, as texts, but for the secret.
    pub config: Map<String, Value>,
    /// OIDC's secret, which is never shown again.
    pub secret: Option<String>,
}

impl Authenticate {
    fn member(&self) -> &'static str {
        match self.kind {
            "authenticate-oidc" => "AuthenticateOidcConfig",
            _ => "AuthenticateCognitoConfig",
        }
    }
}

/// Resolves target groups of the stack to ARNs.
pub type Resolve<'a> = &'a (dyn Fn(&TargetRef) -> String + Sync);

impl Action {
    /// Nothing is there.
    pub fn not_found() -> Self {
        Self::Fixed {
            status: "404".to_owned(),
            content_type: Some("text/plain".to_owned()),
            body: None,
        }
    }

    /// The service is missing.
    pub fn no_service() -> Self {
        Self::unavailable("Backend service does not exist")
    }

    /// It can't be done.
    pub fn unavailable(body: &str) -> Self {
        Self::Fixed {
            status: "503".to_owned(),
            content_type: Some("text/plain".to_owned()),
            body: Some(body.to_owned()),
        }
    }

    /// The target groups that it needs.
    pub fn targets(&self) -> impl Iterator<Item = &TargetRef> {
        let groups = match self {
            Self::Forward { groups, .. } => groups.as_slice(),
            _ => &[],
        };
        groups.iter().map(|(group, _)| group)
    }

    /// As requests have it.
    fn wire(&self, order: usize, arn: Resolve<'_>) -> Value {
        match self {
            Self::Forward { groups, sticky } => {
                let groups = groups
                    .iter()
                    .map(|(group, weight)| json!({"TargetGroupArn": arn(group), "Weight": weight}));
                let groups: Vec<Value> = groups.collect();
                let sticky =
                    sticky.map(|seconds| json!({"Enabled": true, "DurationSeconds": seconds}));
                json!({"Type": "forward", "Order": order, "ForwardConfig": {
                    "TargetGroups": groups, "TargetGroupStickinessConfig": sticky,
                }})
            }
            Self::Redirect(to) => json!({"Type": "redirect", "Order": order, "RedirectConfig": {
                "Protocol": to.protocol, "Port": to.port, "Host": to.host, "Path": to.path,
                "Query": to.query, "StatusCode": to.status,
            }}),
            Self::Fixed {
                status,
                content_type,
                body,
            } => json!({"Type": "fixed-response", "Order": order, "FixedResponseConfig": {
                "StatusCode": status, "ContentType": content_type, "MessageBody": body,
            }}),
            Self::Authenticate(of) => {
                let mut config = of.config.clone();
                if let Some(secret) = &of.secret {
                    config.insert("ClientSecret".to_owned(), json!(secret));
                }
                json!({"Type": of.kind, "Order": order, of.member(): config})
            }
        }
    }

    /// Whether an action that was described is this one.
    fn is(&self, described: &Value, arn: Resolve<'_>) -> bool {
        let kind = text(described, "Type");
        match self {
            Self::Forward { groups, sticky } => {
                let config = &described["ForwardConfig"];
                let there = list(config, "TargetGroups").iter();
                let there: Vec<(String, &str)> = there
                    .map(|of| (text(of, "TargetGroupArn").to_owned(), text(of, "Weight")))
                    .collect();
                let wanted = groups.iter();
                let wanted: Vec<(String, String)> = wanted
                    .map(|(group, weight)| (arn(group), weight.to_string()))
                    .collect();
                let same = there.len() == wanted.len()
                    && there
                        .iter()
                        .zip(&wanted)
                        // A single group's weight means nothing.
                        .all(|(a, b)| a.0 == b.0 && (wanted.len() == 1 || a.1 == b.1));
                let stays = &config["TargetGroupStickinessConfig"];
                let seconds = (stays["Enabled"] == "true")
                    .then(|| text(stays, "DurationSeconds").parse().ok())
                    .flatten();
                kind == "forward" && same && seconds == *sticky
            }
            Self::Redirect(to) => {
                let config = &described["RedirectConfig"];
                let of = |name: &str| text(config, name).to_owned();
                let there = Redirect {
                    protocol: of("Protocol"),
                    port: of("Port"),
                    host: of("Host"),
                    path: of("Path"),
                    query: of("Query"),
                    status: of("StatusCode"),
                };
                kind == "redirect" && there == *to
            }
            Self::Fixed {
                status,
                content_type,
                body,
            } => {
                let config = &described["FixedResponseConfig"];
                let said = |of: &Option<String>| of.clone().unwrap_or_default();
                kind == "fixed-response"
                    && text(config, "StatusCode") == status
                    && text(config, "ContentType") == said(content_type)
                    && text(config, "MessageBody") == said(body)
            }
            Self::Authenticate(of) => {
                let config = &described[of.member()];
                let same = |(name, value): (&String, &Value)| match value {
                    Value::Object(_) => true,
                    value => config[name.as_str()] == *value,
                };
                kind == of.kind && of.config.iter().all(same)
            }
        }
    }
}

/// Actions as requests have them.
pub fn wire(actions: &[Action], arn: Resolve<'_>) -> Value {
    let all = actions.iter().enumerate();
    let all = all.map(|(index, action)| action.wire(index + 1, arn));
    Value::Array(all.collect())
}

/// Whether actions that were described are these.
pub fn are(actions: &[Action], described: &[Value], arn: Resolve<'_>) -> bool {
    let mut described: Vec<&Value> = described.iter().collect();
    described.sort_by_key(|of| text(of, "Order").parse::<u32>().unwrap_or_default());
    let mut pairs = actions.iter().zip(&described);
    actions.len() == described.len() && pairs.all(|(action, of)| action.is(of, arn))
}

/// JSON whose names are in small letters: annotations' names are taken in any case.
pub fn folded(value: &Value) -> Value {
    match value {
        Value::Object(members) => {
            let members = members.iter();
            Value::Object(
                members
                    .map(|(name, value)| (name.to_lowercase(), folded(value)))
                    .collect(),
            )
        }
        Value::Array(items) => Value::Array(items.iter().map(folded).collect()),
        other => other.clone(),
    }
}

/// A text, or a number's text.
pub(super) fn said(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    }
}

/// A redirection of an annotation's, its names in small letters.
pub(super) fn redirect(config: &Value) -> Result<Action, BuildError> {
    let usual = Redirect::default();
    let of = |name: &str, usual: String| said(&config[name]).unwrap_or(usual);
    let status = said(&config["statuscode"]);
    Ok(Action::Redirect(Redirect {
        protocol: of("protocol", usual.protocol),
        port: of("port", usual.port),
        host: of("host", usual.host),
        path: of("path", usual.path),
        query: of("query", usual.query),
        status: status.ok_or_else(|| BuildError::new("statusCode is required"))?,
    }))
}

/// A fixed answer of an annotation's, its names in small letters.
pub(super) fn fixed(config: &Value) -> Result<Action, BuildError> {
    let status = said(&config["statuscode"]);
    Ok(Action::Fixed {
        status: status.ok_or_else(|| BuildError::new("statusCode is required"))?,
        content_type: said(&config["contenttype"]),
        body: said(&config["messagebody"]),
    })
}

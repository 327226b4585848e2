//! Actions of rules.
//!
//! A rule has authenticating actions first, in their order, and one action last that answers: forward, redirect or
//! fixed-response.
//! <https://docs.aws.amazon.com/elasticloadbalancing/latest/application/rule-action-types.html>

use super::*;

/// The most actions of a rule.
const MOST: usize = 5;
/// A forward action's largest weight.
const HEAVIEST: i64 = 999;
/// A week, in seconds: the longest stickiness to a target group.
const WEEK: i64 = 604_800;

/// An action.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Action {
    /// Its place among the rule's actions, where it was given.
    pub order: Option<u32>,
    /// What it does.
    pub kind: ActionKind,
}

/// What an action does.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum ActionKind {
    /// Sends the request to one of these groups.
    Forward(Forward),
    /// Sends the client elsewhere.
    Redirect(Redirect),
    /// Answers.
    FixedResponse(FixedResponse),
    /// Has an OpenID provider say who the client is.
    AuthenticateOidc(Oidc),
    /// Has Cognito say who the client is.
    AuthenticateCognito(Cognito),
}

/// A forward action.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Forward {
    /// The groups and their weights.
    pub groups: Vec<(String, u32)>,
    /// For how many seconds a client stays with a group.
    pub sticky: Option<u32>,
}

/// A redirect action; each part may have AWS's words in braces.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Redirect {
    /// `HTTP`, `HTTPS` or `#{protocol}`.
    pub protocol: String,
    /// A port or `#{port}`.
    pub port: String,
    /// The host.
    pub host: String,
    /// The path.
    pub path: String,
    /// The query, without its question mark.
    pub query: String,
    /// Whether for good (301) or for now (302).
    pub permanent: bool,
}

/// A fixed response.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FixedResponse {
    /// The status.
    pub status: u16,
    /// The type of the body.
    pub content_type: Option<String>,
    /// The body.
    pub body: Option<String>,
}

/// What the two authenticating actions have in common.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Session {
    /// The cookie's name.
    pub cookie: String,
    /// What is asked of the provider.
    pub scope: String,
    /// How long a session lasts, in seconds.
    pub timeout: i64,
    /// Further parameters of the request to the provider.
    pub extra: BTreeMap<String, String>,
    /// `deny`, `allow` or `authenticate`.
    pub otherwise: String,
}

/// An OpenID provider.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Oidc {
    /// The issuer.
    pub issuer: String,
    /// Where clients authenticate.
    pub authorization_endpoint: String,
    /// Where codes become tokens.
    pub token_endpoint: String,
    /// Where claims are.
    pub user_info_endpoint: String,
    /// The client's id.
    pub client_id: String,
    /// The client's secret.
    pub client_secret: Option<String>,
    /// The session.
    pub session: Session,
}

/// A Cognito user pool.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cognito {
    /// The pool's ARN.
    pub pool: String,
    /// The client's id.
    pub client: String,
    /// The pool's domain.
    pub domain: String,
    /// The session.
    pub session: Session,
}

impl Default for Redirect {
    fn default() -> Self {
        Self {
            protocol: "#{protocol}".to_owned(),
            port: "#{port}".to_owned(),
            host: "#{host}".to_owned(),
            path: "/#{path}".to_owned(),
            query: "#{query}".to_owned(),
            permanent: false,
        }
    }
}

impl ActionKind {
    /// AWS's word.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Forward(_) => "forward",
            Self::Redirect(_) => "redirect",
            Self::FixedResponse(_) => "fixed-response",
            Self::AuthenticateOidc(_) => "authenticate-oidc",
            Self::AuthenticateCognito(_) => "authenticate-cognito",
        }
    }

    /// Whether it answers, and so comes last.
    fn is_last(&self) -> bool {
        !matches!(
            self,
            Self::AuthenticateOidc(_) | Self::AuthenticateCognito(_)
        )
    }
}

impl Action {
    /// The groups that it forwards to.
    pub fn groups(&self) -> impl Iterator<Item = &str> {
        let groups = match &self.kind {
            ActionKind::Forward(forward) => forward.groups.as_slice(),
            _ => &[],
        };
        groups.iter().map(|(group, _)| group.as_str())
    }
}

/// An action that can't be.
pub(crate) fn bad(message: impl Into<String>) -> Refusal {
    Refusal::new("InvalidLoadBalancerAction", message)
}

/// Where actions are to stand.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Place<'a> {
    /// The balancer.
    pub(crate) balancer: &'a LoadBalancer,
    /// The listener's protocol; a gateway load balancer's has none.
    pub(crate) protocol: Option<Protocol>,
}

/// Checks a rule's actions and puts them in their order.
///
/// # Errors
/// `InvalidLoadBalancerAction`, `TooManyActions`, `TargetGroupNotFound`, `IncompatibleProtocols`,
/// `TargetGroupAssociationLimit`, `InvalidConfigurationRequest`, `ValidationError`.
pub(crate) fn check(
    state: &State,
    context: &Context,
    place: Place<'_>,
    mut actions: Vec<Action>,
) -> Result<Vec<Action>, Refusal> {
    if actions.is_empty() {
        return Err(invalid("At least one action must be specified"));
    }
    if actions.len() > MOST {
        return Err(Refusal::new(
            "TooManyActions",
            format!("A rule can have at most '{MOST}' actions"),
        ));
    }
    put_in_order(&mut actions)?;
    for action in &actions {
        check_kind(state, context, place, &action.kind)?;
    }
    Ok(actions)
}

fn put_in_order(actions: &mut [Action]) -> Result<(), Refusal> {
    if actions.len() > 1 {
        if actions.iter().any(|action| action.order.is_none()) {
            return Err(invalid(
                "An order must be specified for each action when there are multiple actions",
            ));
        }
        actions.sort_by_key(|action| action.order);
        if let Some(pair) = actions
            .windows(2)
            .find(|pair| pair[0].order == pair[1].order)
        {
            return Err(invalid(format!(
                "Action order '{}' was specified more than once",
                pair[0].order.unwrap_or_default()
            )));
        }
    }
    let ends = actions
        .iter()
        .filter(|action| action.kind.is_last())
        .count();
    if ends != 1 {
        return Err(bad(
            "A rule must have exactly one of the following actions: 'forward', 'redirect' or 'fixed-response'",
        ));
    }
    match actions.last() {
        Some(last) if !last.kind.is_last() => Err(bad(format!(
            "The action '{}' cannot be the last action to be performed",
            last.kind.name()
        ))),
        _ => Ok(()),
    }
}

fn check_kind(
    state: &State,
    context: &Context,
    place: Place<'_>,
    kind: &ActionKind,
) -> Result<(), Refusal> {
    let of = place.balancer.kind;
    if of != Kind::Application && !matches!(kind, ActionKind::Forward(_)) {
        return Err(bad(format!(
            "Actions of type '{}' are not supported for load balancers with type '{of}'",
            kind.name()
        )));
    }
    match kind {
        ActionKind::Forward(forward) => check_forward(state, context, place, forward),
        ActionKind::Redirect(redirect) => redirect.check(place.protocol),
        ActionKind::FixedResponse(response) => response.check(),
        ActionKind::AuthenticateOidc(_) | ActionKind::AuthenticateCognito(_) => {
            if place.protocol != Some(Protocol::Https) {
                return Err(bad(format!(
                    "Actions of type '{}' are supported only on HTTPS listeners",
                    kind.name()
                )));
            }
            match kind {
                ActionKind::AuthenticateOidc(oidc) => oidc.check(),
                ActionKind::AuthenticateCognito(cognito) => cognito.session.check(),
                _ => Ok(()),
            }
        }
    }
}

fn check_forward(
    state: &State,
    context: &Context,
    place: Place<'_>,
    forward: &Forward,
) -> Result<(), Refusal> {
    let balancer = place.balancer;
    let most = match balancer.kind {
        Kind::Application => "target-groups-per-action-on-application-load-balancer",
        _ => "target-groups-per-action-on-network-load-balancer",
    };
    if forward.groups.is_empty() {
        return Err(invalid("At least one target group must be specified"));
    }
    let message = format!(
        "A forward action can have at most '{}' target groups for load balancers with type '{}'",
        limit::of(most),
        balancer.kind
    );
    limit::check(
        context,
        most,
        forward.groups.len(),
        "InvalidLoadBalancerAction",
        &message,
    )?;
    for (index, (arn, weight)) in forward.groups.iter().enumerate() {
        if forward.groups[..index]
            .iter()
            .any(|(other, _)| other == arn)
        {
            return Err(invalid(format!(
                "Target group '{arn}' was specified more than once"
            )));
        }
        check_range("weight", i64::from(*weight), 0, HEAVIEST)?;
        let group = target_group::find(state, context, arn)?;
        check_group(state, place, group)?;
    }
    if let Some(sticky) = forward.sticky {
        check_range(
            "targetGroupStickinessConfig.durationSeconds",
            i64::from(sticky),
            1,
            WEEK,
        )?;
    }
    Ok(())
}

fn check_group(state: &State, place: Place<'_>, group: &TargetGroup) -> Result<(), Refusal> {
    let balancer = place.balancer;
    let fits = match (place.protocol, group.protocol) {
        _ if group.kind() != balancer.kind => false,
        (Some(listener), Some(of)) => listener.forwards_to(of),
        _ => true,
    };
    if !fits {
        let listener = place.protocol.map_or("GENEVE", Protocol::as_str);
        let of = group.protocol.map_or("HTTP", Protocol::as_str);
        return Err(Refusal::new(
            "IncompatibleProtocols",
            format!(
                "The listener protocol '{listener}' is not supported with a target group with the '{of}' protocol"
            ),
        ));
    }
    if group.vpc.as_ref().is_some_and(|vpc| *vpc != balancer.vpc) {
        return Err(misconfigured(format!(
            "The target group '{}' and the load balancer are in different VPCs",
            group.arn
        )));
    }
    let elsewhere = rule::balancers_of(state, &group.arn)
        .iter()
        .any(|arn| *arn != balancer.arn);
    if elsewhere {
        return Err(Refusal::new(
            "TargetGroupAssociationLimit",
            format!(
                "The following target groups cannot be associated with more than one load balancer: {}",
                group.arn
            ),
        ));
    }
    Ok(())
}

impl Redirect {
    fn check(&self, listener: Option<Protocol>) -> Result<(), Refusal> {
        if !["HTTP", "HTTPS", "#{protocol}"].contains(&self.protocol.as_str()) {
            return Err(invalid(format!(
                "The redirect protocol '{}' must be one of 'HTTP, HTTPS, #{{protocol}}'",
                self.protocol
            )));
        }
        if self.port != "#{port}" && !self.port.parse::<u16>().is_ok_and(|port| port > 0) {
            return Err(invalid(format!(
                "The redirect port '{}' must be '#{{port}}' or a number between '1-65535' inclusive",
                self.port
            )));
        }
        if !self.path.starts_with('/') {
            return Err(invalid(format!(
                "The redirect path '{}' must begin with a '/' character",
                self.path
            )));
        }
        for (what, text) in [
            ("host", &self.host),
            ("path", &self.path),
            ("query", &self.query),
        ] {
            if text.chars().count() > 128 || (text.is_empty() && what != "query") {
                return Err(invalid(format!(
                    "The redirect {what} '{text}' must have at least 1 and at most 128 characters"
                )));
            }
        }
        if listener == Some(Protocol::Https) && self.protocol == "HTTP" {
            return Err(bad(
                "The redirect configuration is not valid because it redirects HTTPS to HTTP",
            ));
        }
        let back = Self {
            permanent: self.permanent,
            protocol: self.protocol.clone(),
            ..Self::default()
        };
        let own = listener.map_or("", Protocol::as_str);
        if *self == back && (self.protocol == own || self.protocol == "#{protocol}") {
            return Err(bad(
                "The redirect configuration is not valid because it creates a loop.",
            ));
        }
        Ok(())
    }
}

impl FixedResponse {
    fn check(&self) -> Result<(), Refusal> {
        const TYPES: [&str; 5] = [
            "text/plain",
            "text/css",
            "text/html",
            "application/javascript",
            "application/json",
        ];
        if !matches!(self.status / 100, 2 | 4 | 5) {
            return Err(invalid(format!(
                "1 validation error detected: Value '{}' at 'fixedResponseConfig.statusCode' failed to satisfy constraint: Member must satisfy regular expression pattern: ^(2|4|5)\\d\\d$",
                self.status
            )));
        }
        if let Some(of) = &self.content_type
            && !TYPES.contains(&of.as_str())
        {
            return Err(bad(format!(
                "The content type '{of}' must be one of '{}'",
                TYPES.join(", ")
            )));
        }
        if self.body.as_ref().is_some_and(|body| body.len() > 1024) {
            return Err(invalid(
                "The message body of a fixed response can have at most 1024 characters",
            ));
        }
        Ok(())
    }
}

impl Session {
    fn check(&self) -> Result<(), Refusal> {
        if !["deny", "allow", "authenticate"].contains(&self.otherwise.as_str()) {
            return Err(invalid(format!(
                "OnUnauthenticatedRequest '{}' must be one of 'deny, allow, authenticate'",
                self.otherwise
            )));
        }
        check_range("sessionTimeout", self.timeout, 1, WEEK)?;
        if self.extra.len() > 10 {
            return Err(invalid(
                "At most 10 authentication request extra parameters can be specified",
            ));
        }
        Ok(())
    }
}

impl Oidc {
    fn check(&self) -> Result<(), Refusal> {
        for (what, url) in [
            ("issuer", &self.issuer),
            ("authorization endpoint", &self.authorization_endpoint),
            ("token endpoint", &self.token_endpoint),
            ("user info endpoint", &self.user_info_endpoint),
        ] {
            if !url.starts_with("https://") {
                return Err(bad(format!(
                    "The {what} '{url}' must be a full URL that begins with 'https://'"
                )));
            }
        }
        self.session.check()
    }
}

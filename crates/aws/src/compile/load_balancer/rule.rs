//! Rule → rule.

use crate::model::load_balancer::action::{
    ActionKind, Cognito, FixedResponse, Forward as Groups, Oidc, Redirect as Elsewhere, Session,
};
use crate::model::load_balancer::{Condition as Of, LoadBalancer, Rule as OfListener};
use fabric::balancer::http::{
    Action, Authenticate, Case, Condition, Fixed, Forward, IdentityProvider, Outcome, Parameter,
    Pattern, Redirect, Rule, Template, Unauthenticated, Weighted,
};
use std::sync::Arc;

/// A rule; `None` for one without an action that answers, which there is none of.
pub(super) fn compile(balancer: &LoadBalancer, rule: &OfListener) -> Option<Rule> {
    let outcome = rule
        .actions
        .iter()
        .find_map(|action| outcome(&action.kind))?;
    let authenticate = rule.actions.iter().find_map(|action| match &action.kind {
        ActionKind::AuthenticateOidc(oidc) => Some(of_oidc(&rule.arn, oidc)),
        ActionKind::AuthenticateCognito(pool) => Some(of_cognito(balancer, &rule.arn, pool)),
        _ => None,
    });
    Some(Rule {
        id: rule.arn.as_str().into(),
        priority: rule.priority.unwrap_or_default(),
        conditions: rule.conditions.iter().map(condition).collect(),
        action: Action {
            authenticate: authenticate.map(Arc::new),
            outcome,
        },
    })
}

fn outcome(kind: &ActionKind) -> Option<Outcome> {
    match kind {
        ActionKind::Forward(groups) => Some(Outcome::Forward(forward(groups))),
        ActionKind::Redirect(redirect) => Some(Outcome::Redirect(elsewhere(redirect))),
        ActionKind::FixedResponse(response) => Some(Outcome::Fixed(fixed(response))),
        ActionKind::AuthenticateOidc(_) | ActionKind::AuthenticateCognito(_) => None,
    }
}

fn forward(groups: &Groups) -> Forward {
    let weighted = |(arn, weight): &(String, u32)| Weighted {
        pool: arn.as_str().into(),
        weight: *weight,
    };
    Forward {
        pools: groups.groups.iter().map(weighted).collect(),
        sticky: groups.sticky,
    }
}

fn elsewhere(redirect: &Elsewhere) -> Redirect {
    Redirect {
        status: if redirect.permanent { 301 } else { 302 },
        protocol: Template::parse(&redirect.protocol),
        host: Template::parse(&redirect.host),
        port: Template::parse(&redirect.port),
        path: Template::parse(&redirect.path),
        query: Template::parse(&redirect.query),
    }
}

fn fixed(response: &FixedResponse) -> Fixed {
    Fixed {
        status: response.status,
        content_type: response.content_type.clone(),
        body: response.body.clone().unwrap_or_default(),
    }
}

fn condition(of: &Of) -> Condition {
    let patterns = |values: &[String], case| {
        let pattern = |value: &String| Pattern::new(value, case);
        values.iter().map(pattern).collect::<Vec<_>>()
    };
    match of {
        Of::HostHeader(values) => Condition::Host(patterns(values, Case::Ignored)),
        Of::PathPattern(values) => Condition::Path(patterns(values, Case::Kept)),
        Of::HttpHeader { name, values } => Condition::Header {
            name: name.clone(),
            values: patterns(values, Case::Ignored),
        },
        Of::HttpRequestMethod(values) => Condition::Method(values.clone()),
        Of::QueryString(values) => {
            let escaped = |text: &str| Pattern::escaped(text, Case::Ignored);
            let parameter = |(key, value): &(Option<String>, String)| Parameter {
                key: key.as_deref().map(escaped),
                value: escaped(value),
            };
            Condition::Query(values.iter().map(parameter).collect())
        }
        Of::SourceIp(ranges) => Condition::Source(ranges.clone()),
    }
}

/// A rule's authentication. The secret is the account's, found by the rule's ARN.
fn authenticate(session: &Session, provider: IdentityProvider) -> Authenticate {
    Authenticate {
        provider,
        scope: session.scope.clone(),
        session_cookie: session.cookie.clone(),
        session_timeout: u32::try_from(session.timeout).unwrap_or(u32::MAX),
        extra: session.extra.clone(),
        unauthenticated: match session.otherwise.as_str() {
            "deny" => Unauthenticated::Deny,
            "allow" => Unauthenticated::Allow,
            _ => Unauthenticated::Authenticate,
        },
    }
}

fn of_oidc(rule: &str, oidc: &Oidc) -> Authenticate {
    let provider = IdentityProvider {
        issuer: oidc.issuer.clone(),
        authorization_endpoint: oidc.authorization_endpoint.clone(),
        token_endpoint: oidc.token_endpoint.clone(),
        user_info_endpoint: oidc.user_info_endpoint.clone(),
        client: oidc.client_id.clone(),
        secret: rule.to_owned(),
    };
    authenticate(&oidc.session, provider)
}

/// A user pool is an OpenID provider under names made of its own and its domain's.
/// <https://docs.aws.amazon.com/cognito/latest/developerguide/federation-endpoints.html>
fn of_cognito(balancer: &LoadBalancer, rule: &str, cognito: &Cognito) -> Authenticate {
    let region = &balancer.region;
    let pool = cognito.pool.rsplit('/').next().unwrap_or_default();
    // A domain of the user's own has dots, a prefix of Amazon's hasn't.
    let host = match cognito.domain.contains('.') {
        true => cognito.domain.clone(),
        false => format!("{}.auth.{region}.amazoncognito.com", cognito.domain),
    };
    let endpoint = |name: &str| format!("https://{host}/oauth2/{name}");
    let provider = IdentityProvider {
        issuer: format!("https://cognito-idp.{region}.amazonaws.com/{pool}"),
        authorization_endpoint: endpoint("authorize"),
        token_endpoint: endpoint("token"),
        user_info_endpoint: endpoint("userInfo"),
        client: cognito.client.clone(),
        secret: rule.to_owned(),
    };
    authenticate(&cognito.session, provider)
}

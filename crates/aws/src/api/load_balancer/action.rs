//! Actions on the wire.

use crate::model::Refusal;
use crate::model::load_balancer::action::{
    self, Action, ActionKind, Cognito, FixedResponse, Forward, Oidc, Redirect, Session,
};
use crate::model::load_balancer::{check_range, invalid};
use wire::elbv2::{
    Action as View, ActionTypeEnum, AuthenticateCognitoActionConfig, AuthenticateOidcActionConfig,
    FixedResponseActionConfig, ForwardActionConfig, RedirectActionConfig,
    RedirectActionStatusCodeEnum, TargetGroupStickinessConfig, TargetGroupTuple,
};

/// Reads actions; `present` are those that they take the place of, whose secrets may stay.
///
/// # Errors
/// `InvalidLoadBalancerAction`, `ValidationError`.
pub(super) fn read(actions: Vec<View>, present: &[Action]) -> Result<Vec<Action>, Refusal> {
    actions
        .into_iter()
        .map(|action| read_one(action, present))
        .collect()
}

fn missing(what: &str, kind: ActionTypeEnum) -> Refusal {
    invalid(format!(
        "A '{what}' must be specified for actions of type '{kind}'"
    ))
}

fn read_one(action: View, present: &[Action]) -> Result<Action, Refusal> {
    let kind = action
        .type_
        .ok_or_else(|| invalid("An action type must be specified"))?;
    let order = match action.order {
        None => None,
        Some(order) => {
            check_range("order", i64::from(order), 1, 50_000)?;
            u32::try_from(order).ok()
        }
    };
    let read = match kind {
        ActionTypeEnum::Forward => {
            ActionKind::Forward(forward(action.target_group_arn, action.forward_config)?)
        }
        ActionTypeEnum::Redirect => {
            let config = action.redirect_config;
            ActionKind::Redirect(redirect(
                config.ok_or_else(|| missing("RedirectConfig", kind))?,
            )?)
        }
        ActionTypeEnum::FixedResponse => {
            let config = action.fixed_response_config;
            ActionKind::FixedResponse(fixed(
                config.ok_or_else(|| missing("FixedResponseConfig", kind))?,
            )?)
        }
        ActionTypeEnum::AuthenticateOidc => {
            let config = action.authenticate_oidc_config;
            let config = config.ok_or_else(|| missing("AuthenticateOidcConfig", kind))?;
            ActionKind::AuthenticateOidc(oidc(config, present)?)
        }
        ActionTypeEnum::AuthenticateCognito => {
            let config = action.authenticate_cognito_config;
            let config = config.ok_or_else(|| missing("AuthenticateCognitoConfig", kind))?;
            ActionKind::AuthenticateCognito(cognito(config)?)
        }
        ActionTypeEnum::JwtValidation => {
            return Err(Refusal::unsupported(
                "Actions of type 'jwt-validation' are not implemented by Skylab",
            ));
        }
    };
    Ok(Action { order, kind: read })
}

fn forward(arn: Option<String>, config: Option<ForwardActionConfig>) -> Result<Forward, Refusal> {
    let Some(config) = config else {
        let arn = arn.ok_or_else(|| missing("TargetGroupArn", ActionTypeEnum::Forward))?;
        return Ok(Forward {
            groups: vec![(arn, 1)],
            sticky: None,
        });
    };
    let mut groups = Vec::with_capacity(config.target_groups.len());
    for tuple in config.target_groups {
        let arn = tuple
            .target_group_arn
            .ok_or_else(|| missing("TargetGroupArn", ActionTypeEnum::Forward))?;
        let weight = tuple.weight.unwrap_or(1);
        check_range("weight", i64::from(weight), 0, 999)?;
        groups.push((arn, u32::try_from(weight).unwrap_or_default()));
    }
    if let Some(arn) = arn
        && !matches!(groups.as_slice(), [(only, _)] if *only == arn)
    {
        return Err(action::bad(
            "If both TargetGroupArn and ForwardConfig are specified, ForwardConfig must have the same target group and no other",
        ));
    }
    Ok(Forward {
        groups,
        sticky: sticky(config.target_group_stickiness_config)?,
    })
}

fn sticky(config: Option<TargetGroupStickinessConfig>) -> Result<Option<u32>, Refusal> {
    let Some(config) = config.filter(|config| config.enabled == Some(true)) else {
        return Ok(None);
    };
    let seconds = config.duration_seconds.ok_or_else(|| {
        invalid("A duration must be specified when target group stickiness is enabled")
    })?;
    check_range("durationSeconds", i64::from(seconds), 1, 604_800)?;
    Ok(u32::try_from(seconds).ok())
}

fn redirect(config: RedirectActionConfig) -> Result<Redirect, Refusal> {
    let code = config
        .status_code
        .ok_or_else(|| missing("StatusCode", ActionTypeEnum::Redirect))?;
    let usual = Redirect::default();
    Ok(Redirect {
        protocol: config.protocol.unwrap_or(usual.protocol),
        port: config.port.unwrap_or(usual.port),
        host: config.host.unwrap_or(usual.host),
        path: config.path.unwrap_or(usual.path),
        query: config.query.unwrap_or(usual.query),
        permanent: code == RedirectActionStatusCodeEnum::HTTP301,
    })
}

fn fixed(config: FixedResponseActionConfig) -> Result<FixedResponse, Refusal> {
    let code = config
        .status_code
        .ok_or_else(|| missing("StatusCode", ActionTypeEnum::FixedResponse))?;
    Ok(FixedResponse {
        // What is no number is no status either, and is refused as such.
        status: code.parse().unwrap_or_default(),
        content_type: config.content_type.filter(|of| !of.is_empty()),
        body: config.message_body,
    })
}

/// What the two authenticating actions' configurations have in common, under the same names.
macro_rules! session {
    ($config:ident) => {
        Session {
            cookie: $config
                .session_cookie_name
                .unwrap_or_else(|| "AWSELBAuthSessionCookie".to_owned()),
            scope: $config.scope.unwrap_or_else(|| "openid".to_owned()),
            timeout: $config.session_timeout.unwrap_or(604_800),
            extra: $config.authentication_request_extra_params,
            otherwise: $config
                .on_unauthenticated_request
                .map_or("authenticate", |of| of.as_str())
                .to_owned(),
        }
    };
}

fn oidc(config: AuthenticateOidcActionConfig, present: &[Action]) -> Result<Oidc, Refusal> {
    let kind = ActionTypeEnum::AuthenticateOidc;
    let needed = |value: Option<String>, what: &str| value.ok_or_else(|| missing(what, kind));
    let kept = present.iter().find_map(|action| match &action.kind {
        ActionKind::AuthenticateOidc(oidc) => oidc.client_secret.clone(),
        _ => None,
    });
    let secret = match (config.client_secret, config.use_existing_client_secret) {
        (Some(secret), _) => Some(secret),
        (None, Some(true)) => kept,
        (None, _) => None,
    };
    Ok(Oidc {
        issuer: needed(config.issuer, "Issuer")?,
        authorization_endpoint: needed(config.authorization_endpoint, "AuthorizationEndpoint")?,
        token_endpoint: needed(config.token_endpoint, "TokenEndpoint")?,
        user_info_endpoint: needed(config.user_info_endpoint, "UserInfoEndpoint")?,
        client_id: needed(config.client_id, "ClientId")?,
        client_secret: Some(needed(secret, "ClientSecret")?),
        session: session!(config),
    })
}

fn cognito(config: AuthenticateCognitoActionConfig) -> Result<Cognito, Refusal> {
    let kind = ActionTypeEnum::AuthenticateCognito;
    let needed = |value: Option<String>, what: &str| value.ok_or_else(|| missing(what, kind));
    Ok(Cognito {
        pool: needed(config.user_pool_arn, "UserPoolArn")?,
        client: needed(config.user_pool_client_id, "UserPoolClientId")?,
        domain: needed(config.user_pool_domain, "UserPoolDomain")?,
        session: session!(config),
    })
}

/// Actions as they are shown; secrets aren't.
pub(super) fn view(actions: &[Action]) -> Vec<View> {
    actions.iter().map(view_one).collect()
}

fn view_one(action: &Action) -> View {
    let mut view = View {
        order: action.order.and_then(|order| i32::try_from(order).ok()),
        type_: action.kind.name().parse().ok(),
        ..Default::default()
    };
    match &action.kind {
        ActionKind::Forward(forward) => {
            if let [(only, _)] = forward.groups.as_slice() {
                view.target_group_arn = Some(only.clone());
            }
            view.forward_config = Some(view_forward(forward));
        }
        ActionKind::Redirect(redirect) => view.redirect_config = Some(view_redirect(redirect)),
        ActionKind::FixedResponse(fixed) => {
            view.fixed_response_config = Some(FixedResponseActionConfig {
                content_type: fixed.content_type.clone(),
                message_body: fixed.body.clone(),
                status_code: Some(fixed.status.to_string()),
            });
        }
        ActionKind::AuthenticateOidc(oidc) => view.authenticate_oidc_config = Some(view_oidc(oidc)),
        ActionKind::AuthenticateCognito(cognito) => {
            let session = &cognito.session;
            view.authenticate_cognito_config = Some(AuthenticateCognitoActionConfig {
                authentication_request_extra_params: session.extra.clone(),
                on_unauthenticated_request: session.otherwise.parse().ok(),
                scope: Some(session.scope.clone()),
                session_cookie_name: Some(session.cookie.clone()),
                session_timeout: Some(session.timeout),
                user_pool_arn: Some(cognito.pool.clone()),
                user_pool_client_id: Some(cognito.client.clone()),
                user_pool_domain: Some(cognito.domain.clone()),
            });
        }
    }
    view
}

fn view_forward(forward: &Forward) -> ForwardActionConfig {
    let number = |value: u32| i32::try_from(value).ok();
    let tuple = |(arn, weight): &(String, u32)| TargetGroupTuple {
        target_group_arn: Some(arn.clone()),
        weight: number(*weight),
    };
    ForwardActionConfig {
        target_group_stickiness_config: Some(TargetGroupStickinessConfig {
            duration_seconds: forward.sticky.and_then(number),
            enabled: Some(forward.sticky.is_some()),
        }),
        target_groups: forward.groups.iter().map(tuple).collect(),
    }
}

fn view_redirect(redirect: &Redirect) -> RedirectActionConfig {
    RedirectActionConfig {
        host: Some(redirect.host.clone()),
        path: Some(redirect.path.clone()),
        port: Some(redirect.port.clone()),
        protocol: Some(redirect.protocol.clone()),
        query: Some(redirect.query.clone()),
        status_code: Some(match redirect.permanent {
            true => RedirectActionStatusCodeEnum::HTTP301,
            false => RedirectActionStatusCodeEnum::HTTP302,
        }),
    }
}

fn view_oidc(oidc: &Oidc) -> AuthenticateOidcActionConfig {
    let session = &oidc.session;
    AuthenticateOidcActionConfig {
        authentication_request_extra_params: session.extra.clone(),
        authorization_endpoint: Some(oidc.authorization_endpoint.clone()),
        client_id: Some(oidc.client_id.clone()),
        client_secret: None,
        issuer: Some(oidc.issuer.clone()),
        on_unauthenticated_request: session.otherwise.parse().ok(),
        scope: Some(session.scope.clone()),
        session_cookie_name: Some(session.cookie.clone()),
        session_timeout: Some(session.timeout),
        token_endpoint: Some(oidc.token_endpoint.clone()),
        use_existing_client_secret: None,
        user_info_endpoint: Some(oidc.user_info_endpoint.clone()),
    }
}

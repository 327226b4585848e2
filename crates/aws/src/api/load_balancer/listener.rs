//! Listeners on the wire.

use super::super::{Call, Outcome};
use super::balancer::pairs;
use super::{action, page};
use crate::model::load_balancer::listener::{self, Changes};
use crate::model::load_balancer::{self, Listener, Protocol, invalid, tags};
use crate::model::{Context, Refusal, State};
use wire::elbv2::{
    Action, AddListenerCertificatesInput, AddListenerCertificatesOutput, Certificate,
    CreateListenerInput, CreateListenerOutput, DeleteListenerInput, DeleteListenerOutput,
    DescribeListenerAttributesInput, DescribeListenerAttributesOutput,
    DescribeListenerCertificatesInput, DescribeListenerCertificatesOutput, DescribeListenersInput,
    DescribeListenersOutput, Listener as View, ListenerAttribute, ModifyListenerAttributesInput,
    ModifyListenerAttributesOutput, ModifyListenerInput, ModifyListenerOutput,
    MutualAuthenticationAttributes, ProtocolEnum, RemoveListenerCertificatesInput,
    RemoveListenerCertificatesOutput,
};

/// A protocol that a request names.
pub(super) fn protocol(of: Option<ProtocolEnum>) -> Result<Option<Protocol>, Refusal> {
    of.map(|of| of.as_str().parse()).transpose()
}

/// There is no trust store in Skylab, so of mutual authentication there is none.
fn check_mutual(of: Option<MutualAuthenticationAttributes>) -> Result<(), Refusal> {
    match of.and_then(|of| of.mode).as_deref() {
        None | Some("off") => Ok(()),
        Some(mode) => Err(Refusal::unsupported(format!(
            "The mutual authentication mode '{mode}' is not implemented by Skylab"
        ))),
    }
}

fn arns(certificates: Vec<Certificate>) -> Result<Vec<String>, Refusal> {
    let arn = |of: Certificate| match (of.certificate_arn, of.is_default) {
        (_, Some(_)) => Err(invalid("IsDefault cannot be specified for certificates")),
        (Some(arn), None) => Ok(arn),
        (None, None) => Err(invalid("A certificate ARN must be specified")),
    };
    certificates.into_iter().map(arn).collect()
}

pub(super) fn create(
    call: &mut Call<'_>,
    request: CreateListenerInput,
) -> Outcome<CreateListenerOutput> {
    check_mutual(request.mutual_authentication)?;
    let new = Changes {
        protocol: protocol(request.protocol)?,
        port: request.port,
        ssl_policy: request.ssl_policy,
        certificates: arns(request.certificates)?,
        alpn: request.alpn_policy,
        actions: Some(action::read(request.default_actions, &[])?),
    };
    let tags = tags::read(pairs(request.tags))?;
    let balancer = &request.load_balancer_arn;
    let arn = listener::create(&mut call.state, call.context, balancer, new, tags)?;
    let made = listener::find(&call.state, call.context, &arn)?;
    Ok(CreateListenerOutput {
        listeners: vec![view(&call.state, made)],
    })
}

pub(super) fn modify(
    call: &mut Call<'_>,
    request: ModifyListenerInput,
) -> Outcome<ModifyListenerOutput> {
    check_mutual(request.mutual_authentication)?;
    let arn = &request.listener_arn;
    listener::find(&call.state, call.context, arn)?;
    let changes = Changes {
        protocol: protocol(request.protocol)?,
        port: request.port,
        ssl_policy: request.ssl_policy,
        certificates: arns(request.certificates)?,
        alpn: request.alpn_policy,
        actions: new_actions(&call.state, arn, request.default_actions)?,
    };
    listener::modify(&mut call.state, call.context, arn, changes)?;
    let changed = listener::find(&call.state, call.context, arn)?;
    Ok(ModifyListenerOutput {
        listeners: vec![view(&call.state, changed)],
    })
}

fn new_actions(
    state: &State,
    arn: &str,
    actions: Vec<Action>,
) -> Result<Option<Vec<load_balancer::Action>>, Refusal> {
    if actions.is_empty() {
        return Ok(None);
    }
    let present = listener::default_rule(state, arn);
    let present = present.map_or(&[][..], |rule| rule.actions.as_slice());
    action::read(actions, present).map(Some)
}

pub(super) fn delete(
    call: &mut Call<'_>,
    request: DeleteListenerInput,
) -> Outcome<DeleteListenerOutput> {
    listener::delete(&mut call.state, call.context, &request.listener_arn)?;
    Ok(DeleteListenerOutput {})
}

pub(super) fn describe(
    call: &mut Call<'_>,
    request: DescribeListenersInput,
) -> Outcome<DescribeListenersOutput> {
    let (state, context) = (&call.state, call.context);
    let mut chosen: Vec<&Listener> = match (&request.load_balancer_arn, &request.listener_arns[..])
    {
        (Some(_), [_, ..]) => {
            return Err(invalid(
                "Listener ARNs and a load balancer ARN cannot be specified at the same time",
            )
            .into());
        }
        (Some(balancer), []) => {
            load_balancer::find(state, context, balancer)?;
            listener::of(state, balancer).collect()
        }
        (None, []) => {
            return Err(
                invalid("You must specify either listener ARNs or a load balancer ARN").into(),
            );
        }
        (None, arns) => find_all(state, context, arns)?,
    };
    chosen.sort_by_key(|listener| (&listener.balancer, listener.port));
    let (chosen, next_marker) = page(chosen, request.page_size, request.marker.as_deref())?;
    Ok(DescribeListenersOutput {
        listeners: chosen.into_iter().map(|of| view(state, of)).collect(),
        next_marker,
    })
}

fn find_all<'s>(
    state: &'s State,
    context: &Context,
    arns: &[String],
) -> Result<Vec<&'s Listener>, Refusal> {
    arns.iter()
        .map(|arn| listener::find(state, context, arn))
        .collect()
}

fn view(state: &State, listener: &Listener) -> View {
    let actions = listener::default_rule(state, &listener.arn);
    let https = listener.protocol == Some(Protocol::Https);
    View {
        alpn_policy: listener.alpn.clone().into_iter().collect(),
        certificates: listener
            .certificates
            .first()
            .map(|arn| Certificate {
                certificate_arn: Some(arn.clone()),
                is_default: None,
            })
            .into_iter()
            .collect(),
        default_actions: actions.map_or_else(Vec::new, |rule| action::view(&rule.actions)),
        listener_arn: Some(listener.arn.clone()),
        load_balancer_arn: Some(listener.balancer.clone()),
        mutual_authentication: https.then(|| MutualAuthenticationAttributes {
            mode: Some("off".to_owned()),
            ..Default::default()
        }),
        port: listener.port.map(i32::from),
        protocol: listener.protocol.and_then(|of| of.as_str().parse().ok()),
        ssl_policy: listener.ssl_policy.clone(),
    }
}

fn attributes(state: &State, listener: &Listener) -> Vec<ListenerAttribute> {
    let view = |(key, value)| ListenerAttribute {
        key: Some(key),
        value: Some(value),
    };
    let all = listener::attributes(state, listener);
    all.into_iter().map(view).collect()
}

pub(super) fn describe_attributes(
    call: &mut Call<'_>,
    request: DescribeListenerAttributesInput,
) -> Outcome<DescribeListenerAttributesOutput> {
    let listener = listener::find(&call.state, call.context, &request.listener_arn)?;
    Ok(DescribeListenerAttributesOutput {
        attributes: attributes(&call.state, listener),
    })
}

pub(super) fn modify_attributes(
    call: &mut Call<'_>,
    request: ModifyListenerAttributesInput,
) -> Outcome<ModifyListenerAttributesOutput> {
    let wanted: Vec<(String, String)> = request
        .attributes
        .into_iter()
        .map(|of| (of.key.unwrap_or_default(), of.value.unwrap_or_default()))
        .collect();
    let arn = &request.listener_arn;
    listener::modify_attributes(&mut call.state, call.context, arn, &wanted)?;
    let listener = listener::find(&call.state, call.context, arn)?;
    Ok(ModifyListenerAttributesOutput {
        attributes: attributes(&call.state, listener),
    })
}

pub(super) fn add_certificates(
    call: &mut Call<'_>,
    request: AddListenerCertificatesInput,
) -> Outcome<AddListenerCertificatesOutput> {
    let (arn, wanted) = (&request.listener_arn, arns(request.certificates)?);
    listener::add_certificates(&mut call.state, call.context, arn, &wanted)?;
    let view = |arn| Certificate {
        certificate_arn: Some(arn),
        is_default: Some(false),
    };
    Ok(AddListenerCertificatesOutput {
        certificates: wanted.into_iter().map(view).collect(),
    })
}

pub(super) fn remove_certificates(
    call: &mut Call<'_>,
    request: RemoveListenerCertificatesInput,
) -> Outcome<RemoveListenerCertificatesOutput> {
    let (arn, wanted) = (&request.listener_arn, arns(request.certificates)?);
    listener::remove_certificates(&mut call.state, call.context, arn, &wanted)?;
    Ok(RemoveListenerCertificatesOutput {})
}

pub(super) fn describe_certificates(
    call: &mut Call<'_>,
    request: DescribeListenerCertificatesInput,
) -> Outcome<DescribeListenerCertificatesOutput> {
    let listener = listener::find(&call.state, call.context, &request.listener_arn)?;
    let view = |(index, arn): (usize, &String)| Certificate {
        certificate_arn: Some(arn.clone()),
        is_default: Some(index == 0),
    };
    let all = listener.certificates.iter().enumerate().map(view).collect();
    let (certificates, next_marker) = page(all, request.page_size, request.marker.as_deref())?;
    Ok(DescribeListenerCertificatesOutput {
        certificates,
        next_marker,
    })
}

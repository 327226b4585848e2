//! Classic balancers' listeners on the wire.

use super::super::{Call, Outcome};
use crate::model::Refusal;
use crate::model::classic_load_balancer::listener::{self, ListenerWords};
use crate::model::classic_load_balancer::{ClassicListener, invalid};
use wire::elb::{
    CreateLoadBalancerListenerInput, CreateLoadBalancerListenerOutput,
    DeleteLoadBalancerListenerInput, DeleteLoadBalancerListenerOutput, Listener,
    ListenerDescription, SetLoadBalancerListenerSSLCertificateInput,
    SetLoadBalancerListenerSSLCertificateOutput,
};

/// Reads listeners.
///
/// # Errors
/// `ValidationError`.
pub(super) fn read(listeners: Vec<Listener>) -> Result<Vec<ListenerWords>, Refusal> {
    let missing = |what: &str| invalid(format!("A listener's {what} must be specified"));
    let read = |of: Listener| {
        Ok(ListenerWords {
            protocol: of.protocol.ok_or_else(|| missing("Protocol"))?,
            port: of
                .load_balancer_port
                .ok_or_else(|| missing("LoadBalancerPort"))?,
            instance_protocol: of.instance_protocol,
            instance_port: of.instance_port.ok_or_else(|| missing("InstancePort"))?,
            certificate: of.ssl_certificate_id,
        })
    };
    listeners.into_iter().map(read).collect()
}

/// A listener as it is shown.
pub(super) fn view(of: &ClassicListener) -> ListenerDescription {
    ListenerDescription {
        listener: Some(Listener {
            instance_port: Some(i32::from(of.instance_port)),
            instance_protocol: Some(of.instance_protocol.clone()),
            load_balancer_port: Some(i32::from(of.port)),
            protocol: Some(of.protocol.clone()),
            ssl_certificate_id: of.certificate.clone(),
        }),
        policy_names: of.policies.clone(),
    }
}

pub(super) fn create(
    call: &mut Call<'_>,
    request: CreateLoadBalancerListenerInput,
) -> Outcome<CreateLoadBalancerListenerOutput> {
    let (name, words) = (&request.load_balancer_name, read(request.listeners)?);
    listener::add(&mut call.state, call.context, name, &words)?;
    Ok(CreateLoadBalancerListenerOutput {})
}

pub(super) fn delete(
    call: &mut Call<'_>,
    request: DeleteLoadBalancerListenerInput,
) -> Outcome<DeleteLoadBalancerListenerOutput> {
    let (name, ports) = (&request.load_balancer_name, &request.load_balancer_ports);
    listener::remove(&mut call.state, call.context, name, ports)?;
    Ok(DeleteLoadBalancerListenerOutput {})
}

pub(super) fn set_certificate(
    call: &mut Call<'_>,
    request: SetLoadBalancerListenerSSLCertificateInput,
) -> Outcome<SetLoadBalancerListenerSSLCertificateOutput> {
    listener::set_certificate(
        &mut call.state,
        call.context,
        &request.load_balancer_name,
        request.load_balancer_port,
        &request.ssl_certificate_id,
    )?;
    Ok(SetLoadBalancerListenerSSLCertificateOutput {})
}

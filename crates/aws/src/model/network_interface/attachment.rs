//! Attaching interfaces to instances, within what the instance's type carries.
//!
//! <https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/AvailableIpPerENI.html>

use super::*;
use crate::model::instance::{Instance, InstanceState};
use crate::model::instance_type::InstanceType;

/// The highest device index there is on any type.
const LAST_DEVICE_INDEX: u16 = 31;

fn instance<'s>(state: &'s State, id: &InstanceId) -> Result<&'s Instance, Refusal> {
    state
        .instances
        .get(id)
        .map(Arc::as_ref)
        .ok_or_else(|| unknown_instance(id))
}

/// An unknown or malformed instance id.
pub(crate) fn unknown_instance(id: &InstanceId) -> Refusal {
    if InstanceId::well_formed(id.as_str()) {
        Refusal::new(
            "InvalidInstanceID.NotFound",
            format!("The instance ID '{id}' does not exist"),
        )
    } else {
        Refusal::new(
            "InvalidInstanceID.Malformed",
            format!("Invalid id: \"{id}\""),
        )
    }
}

fn type_of(instance: &Instance) -> Option<&'static InstanceType> {
    instance_type::find(&instance.instance_type)
}

/// Refuses more addresses than the type of the instance that has the interface carries. An
/// interface that is not attached has no such limit yet.
pub(super) fn check_address_slots(
    state: &State,
    interface: &NetworkInterface,
    more: usize,
) -> Result<(), Refusal> {
    let Some(id) = interface.instance() else {
        return Ok(());
    };
    check_slots_on(instance(state, id)?, interface.slots() + more)
}

fn check_slots_on(instance: &Instance, slots: usize) -> Result<(), Refusal> {
    let limit = type_of(instance).map(|of| of.addresses_per_interface);
    if limit.is_some_and(|limit| slots > limit) {
        return Err(Refusal::new(
            "PrivateIpAddressLimitExceeded",
            "Number of private addresses will exceed limit.",
        ));
    }
    Ok(())
}

/// Attaches an interface to an instance at a device index.
///
/// # Errors
/// `InvalidNetworkInterface.InUse`, `AttachmentLimitExceeded` and `PrivateIpAddressLimitExceeded` by
/// the instance's type, `InvalidParameterValue` for an index that is taken,
/// `InvalidParameterCombination` across zones, `AuthFailure` on a service's interface.
pub fn attach(
    state: &mut State,
    context: &Context,
    id: &NetworkInterfaceId,
    to: &InstanceId,
    device_index: u16,
    delete_on_termination: bool,
) -> Result<AttachmentId, Refusal> {
    let interface = state
        .network_interfaces
        .get(id)
        .ok_or_else(|| unknown(id.as_str()))?;
    interface.changeable()?;
    if interface.attachment.is_some() {
        return Err(Refusal::new(
            "InvalidNetworkInterface.InUse",
            format!("Interface: [{id}] in use."),
        ));
    }
    check_fits(state, interface, instance(state, to)?, device_index)?;
    let attachment = Attachment {
        id: AttachmentId::fresh(&state.digits()),
        instance: Some(to.clone()),
        device_index,
        delete_on_termination,
        since: context.now,
    };
    let attachment_id = attachment.id.clone();
    edit(state, id)?.attachment = Some(attachment);
    insert_by_index(state, to, id, device_index);
    Ok(attachment_id)
}

/// Refuses what the instance's place, device indices and type don't allow.
fn check_fits(
    state: &State,
    interface: &NetworkInterface,
    to: &Instance,
    device_index: u16,
) -> Result<(), Refusal> {
    let zone = |subnet: &SubnetId| state.subnets.get(subnet).map(|subnet| subnet.zone.clone());
    if zone(&interface.subnet) != zone(&to.subnet) {
        return Err(Refusal::invalid_combination(
            "You may not attach a network interface to an instance if they are not in the same availability zone",
        ));
    }
    if device_index > LAST_DEVICE_INDEX {
        return Err(Refusal::invalid_value(format!(
            "Invalid value '{device_index}' for device index. Device index must be between 0 and {LAST_DEVICE_INDEX}"
        )));
    }
    let present = of_instance(state, &to.id);
    let taken = present
        .iter()
        .filter_map(|other| other.attachment.as_ref())
        .any(|attachment| attachment.device_index == device_index);
    if taken {
        return Err(Refusal::invalid_value(format!(
            "Instance '{}' already has an interface attached at device index '{device_index}'.",
            to.id
        )));
    }
    let count = present.len() + 1;
    if type_of(to).is_some_and(|of| count > of.interfaces) {
        return Err(Refusal::new(
            "AttachmentLimitExceeded",
            format!(
                "Interface count {count} exceeds the limit for {}",
                to.instance_type
            ),
        ));
    }
    check_slots_on(to, interface.slots())
}

fn insert_by_index(state: &mut State, to: &InstanceId, id: &NetworkInterfaceId, device_index: u16) {
    let before = of_instance(state, to)
        .iter()
        .filter_map(|other| other.attachment.as_ref())
        .filter(|attachment| attachment.device_index < device_index)
        .count();
    if let Some(instance) = state.instances.get_mut(to) {
        Arc::make_mut(instance)
            .interfaces
            .insert(before, id.clone());
    }
}

/// Attaches an interface to an instance that is already there, as AttachNetworkInterface does: the
/// interface stays when the instance is terminated.
///
/// # Errors
/// As [`attach`], and `IncorrectState` unless the instance is running or stopped.
pub fn attach_to_running(
    state: &mut State,
    context: &Context,
    id: &NetworkInterfaceId,
    to: &InstanceId,
    device_index: u16,
) -> Result<AttachmentId, Refusal> {
    let instance = instance(state, to)?;
    if instance.region != context.region {
        return Err(unknown_instance(to));
    }
    if !matches!(
        instance.state,
        InstanceState::Running | InstanceState::Stopped
    ) {
        return Err(Refusal::new(
            "IncorrectState",
            format!("Instance '{to}' is not 'running' or 'stopped'."),
        ));
    }
    attach(state, context, id, to, device_index, false)
}

/// What the ids of services' attachments begin with.
const OF_SERVICE: &str = "ela-attach-";

/// Marks an interface as attached to the service that made it (device index 1, as AWS shows it).
///
/// # Errors
/// `InvalidNetworkInterfaceID.NotFound`.
pub fn attach_to_service(
    state: &mut State,
    context: &Context,
    id: &NetworkInterfaceId,
) -> Result<AttachmentId, Refusal> {
    let attachment = AttachmentId::from(format!("{OF_SERVICE}{}", state.digits()));
    edit(state, id)?.attachment = Some(Attachment {
        id: attachment.clone(),
        instance: None,
        device_index: 1,
        delete_on_termination: false,
        since: context.now,
    });
    Ok(attachment)
}

/// The interface with that attachment.
///
/// # Errors
/// `InvalidAttachmentID.NotFound`, `InvalidNetworkInterfaceAttachmentId.Malformed`, `OperationNotPermitted` for a
/// service's.
pub fn find_attachment<'s>(
    state: &'s State,
    context: &Context,
    id: &str,
) -> Result<&'s NetworkInterface, Refusal> {
    if id.starts_with(OF_SERVICE) {
        return Err(Refusal::new(
            "OperationNotPermitted",
            "You are not allowed to manage 'ela-attach' attachments.",
        ));
    }
    if !AttachmentId::well_formed(id) {
        return Err(Refusal::new(
            "InvalidNetworkInterfaceAttachmentId.Malformed",
            format!("Invalid id: \"{id}\" (expecting \"eni-attach-...\")"),
        ));
    }
    context
        .here(&state.network_interfaces)
        .find(|interface| {
            let attachment = interface.attachment.as_ref();
            attachment.is_some_and(|attachment| attachment.id.as_str() == id)
        })
        .ok_or_else(|| {
            Refusal::new(
                "InvalidAttachmentID.NotFound",
                format!("The networkInterfaceAttachment ID '{id}' does not exist"),
            )
        })
}

/// Detaches an interface; it keeps its addresses, groups and Elastic IPs.
///
/// # Errors
/// `OperationNotPermitted` for a primary interface, `AuthFailure` on a service's interface.
pub fn detach(state: &mut State, id: &NetworkInterfaceId) -> Result<(), Refusal> {
    let interface = edit(state, id)?;
    interface.changeable()?;
    let primary = interface
        .attachment
        .as_ref()
        .is_some_and(|attachment| attachment.device_index == 0);
    if primary {
        return Err(Refusal::new(
            "OperationNotPermitted",
            "The network interface at device index 0 and networkCard index 0 cannot be detached.",
        ));
    }
    release(state, id)
}

/// Ends an attachment whatever its device index: the instance or the service is going.
///
/// # Errors
/// `InvalidNetworkInterfaceID.NotFound`.
pub fn release(state: &mut State, id: &NetworkInterfaceId) -> Result<(), Refusal> {
    let attachment = edit(state, id)?.attachment.take();
    let instance = attachment
        .and_then(|attachment| attachment.instance)
        .and_then(|instance| state.instances.get_mut(&instance));
    if let Some(instance) = instance {
        Arc::make_mut(instance)
            .interfaces
            .retain(|other| other != id);
    }
    Ok(())
}

/// Changes whether an interface goes with its instance.
///
/// # Errors
/// `InvalidAttachmentID.NotFound` unless the attachment is the interface's, `AuthFailure` on a
/// service's interface.
pub fn set_delete_on_termination(
    state: &mut State,
    id: &NetworkInterfaceId,
    attachment_id: &str,
    delete: bool,
) -> Result<(), Refusal> {
    let interface = edit(state, id)?;
    interface.changeable()?;
    let attachment = interface
        .attachment
        .as_mut()
        .filter(|attachment| attachment.id.as_str() == attachment_id);
    let Some(attachment) = attachment else {
        return Err(Refusal::new(
            "InvalidAttachmentID.NotFound",
            format!("The networkInterfaceAttachment ID '{attachment_id}' does not exist"),
        ));
    };
    attachment.delete_on_termination = delete;
    Ok(())
}

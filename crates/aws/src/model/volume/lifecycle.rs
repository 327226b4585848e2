//! Making, attaching, detaching and deleting volumes.

use super::{Volume, VolumeSpec};
use crate::model::instance::Instance;
use crate::model::instance::{self, InstanceState};
use crate::model::{Context, Refusal, State, VolumeId, region, tag};
use std::sync::Arc;

/// The most volumes of an instance of the Nitro system beside its network interfaces, its root device too.
/// <https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/volume_limits.html>
const MOST: usize = 28;

/// An unknown or malformed id.
pub fn unknown(id: &str) -> Refusal {
    if VolumeId::well_formed(id) {
        Refusal::new(
            "InvalidVolume.NotFound",
            format!("The volume '{id}' does not exist."),
        )
    } else {
        Refusal::invalid_value(format!(
            "Value ({id}) for parameter volumeId is invalid. Expected: 'vol-...'."
        ))
    }
}

/// The volume of that id in the region asked.
///
/// # Errors
/// `InvalidVolume.NotFound`; `InvalidParameterValue` for what is no volume's id.
pub fn find<'s>(state: &'s State, context: &Context, id: &str) -> Result<&'s Volume, Refusal> {
    context.find(&state.volumes, id).ok_or_else(|| unknown(id))
}

/// Makes an empty volume in a zone.
///
/// # Errors
/// `InvalidZone.NotFound`; what [`VolumeSpec::check`] refuses.
pub fn create(
    state: &mut State,
    context: &Context,
    zone: &str,
    spec: VolumeSpec,
) -> Result<VolumeId, Refusal> {
    let known = region::find(&context.region).and_then(|region| region.zone(zone));
    if known.is_none() {
        return Err(Refusal::new(
            "InvalidZone.NotFound",
            format!("The zone '{zone}' does not exist."),
        ));
    }
    spec.check()?;
    let id = VolumeId::fresh(&state.digits());
    let volume = Volume {
        id: id.clone(),
        region: context.region.clone(),
        zone: zone.to_owned(),
        size: spec.size,
        kind: spec.kind,
        iops: spec.iops,
        throughput: spec.throughput,
        encrypted: spec.encrypted,
        created: context.now,
        attached: 0,
        instance: None,
        device: String::new(),
        delete_on_termination: false,
    };
    state.volumes.insert(id.clone(), Arc::new(volume));
    Ok(id)
}

/// Attaches a volume to an instance of its zone, under a device's name.
/// <https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_AttachVolume.html>
///
/// # Errors
/// `InvalidVolume.NotFound`, `InvalidInstanceID.NotFound`, `VolumeInUse`, `IncorrectState`,
/// `InvalidVolume.ZoneMismatch`, `InvalidParameterValue` for a device's name that is none or taken,
/// `AttachmentLimitExceeded`.
pub fn attach(
    state: &mut State,
    context: &Context,
    id: &str,
    instance: &str,
    device: &str,
) -> Result<VolumeId, Refusal> {
    let volume = find(state, context, id)?;
    let instance = instance::find(state, context, instance)?;
    if volume.instance.is_some() {
        return Err(Refusal::new(
            "VolumeInUse",
            format!("{id} is already attached to an instance"),
        ));
    }
    if !matches!(
        instance.state,
        InstanceState::Running | InstanceState::Stopped
    ) {
        return Err(Refusal::new(
            "IncorrectState",
            format!("Instance '{}' is not 'running'.", instance.id),
        ));
    }
    let zone = state
        .subnets
        .get(&instance.subnet)
        .map(|subnet| &subnet.zone);
    if zone != Some(&volume.zone) {
        return Err(Refusal::new(
            "InvalidVolume.ZoneMismatch",
            format!(
                "The volume '{id}' is not in the same availability zone as instance '{}'",
                instance.id
            ),
        ));
    }
    check_device(state, instance, device)?;
    let (id, holder) = (volume.id.clone(), instance.id.clone());
    if let Some(instance) = state.instances.get_mut(&holder).map(Arc::make_mut) {
        instance.data_volumes.push(id.clone());
    }
    if let Some(volume) = state.volumes.get_mut(&id).map(Arc::make_mut) {
        volume.instance = Some(holder);
        volume.device = device.to_owned();
        volume.attached = context.now;
        volume.delete_on_termination = false;
    }
    Ok(id)
}

/// Checks that an instance has room for one more device of that name.
/// <https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/device_naming.html>
fn check_device(state: &State, instance: &Instance, device: &str) -> Result<(), Refusal> {
    let name = device.strip_prefix("/dev/").unwrap_or(device);
    let named = ["sd", "xvd"]
        .iter()
        .filter_map(|start| name.strip_prefix(start))
        .any(|rest| !rest.is_empty() && rest.chars().all(|c| c.is_ascii_alphanumeric()));
    if !named {
        return Err(Refusal::invalid_value(format!(
            "Value ({device}) for parameter device is invalid. {device} is not a valid EBS device name."
        )));
    }
    let attached = || instance.volumes().filter_map(|id| state.volumes.get(id));
    if attached().any(|volume| volume.device == device) {
        return Err(Refusal::invalid_value(format!(
            "Invalid value '{device}' for unixDevice. Attachment point {device} is already in use"
        )));
    }
    if attached().count() >= MOST {
        return Err(Refusal::new(
            "AttachmentLimitExceeded",
            format!(
                "The instance '{}' has {MOST} volumes attached, its limit",
                instance.id
            ),
        ));
    }
    Ok(())
}

/// Detaches a volume, and gives what it was attached to.
/// <https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_DetachVolume.html>
///
/// # Errors
/// `InvalidVolume.NotFound`; `IncorrectState` for one that is attached nowhere; `InvalidAttachment.NotFound` for
/// another instance or device than it is attached to; `OperationNotPermitted` for the root device of a running
/// instance.
pub fn detach(
    state: &mut State,
    context: &Context,
    id: &str,
    instance: Option<&str>,
    device: Option<&str>,
) -> Result<Volume, Refusal> {
    let before = find(state, context, id)?.clone();
    let Some(attached) = &before.instance else {
        return Err(Refusal::new(
            "IncorrectState",
            format!("Volume '{id}' is in the 'available' state."),
        ));
    };
    let other = instance.is_some_and(|named| named != attached.as_str())
        || device.is_some_and(|named| named != before.device);
    if other {
        return Err(Refusal::new(
            "InvalidAttachment.NotFound",
            format!(
                "The volume '{id}' is not attached to instance '{}' as device '{}'.",
                instance.unwrap_or(attached.as_str()),
                device.unwrap_or(&before.device)
            ),
        ));
    }
    let holder = state.instances.get(attached);
    let root = holder.filter(|holder| holder.root_volume.as_ref() == Some(&before.id));
    if root.is_some_and(|holder| holder.state != InstanceState::Stopped) {
        return Err(Refusal::new(
            "OperationNotPermitted",
            format!("Unable to detach root volume '{id}' from instance '{attached}'"),
        ));
    }
    if root.is_some() {
        return Err(Refusal::unsupported(
            "Instances without their root volume are not implemented by Skylab",
        ));
    }
    let attached = attached.clone();
    if let Some(instance) = state.instances.get_mut(&attached).map(Arc::make_mut) {
        instance.data_volumes.retain(|volume| *volume != before.id);
    }
    if let Some(volume) = state.volumes.get_mut(&before.id).map(Arc::make_mut) {
        volume.instance = None;
        volume.device.clear();
    }
    Ok(before)
}

/// Deletes a volume that is attached nowhere.
///
/// # Errors
/// `InvalidVolume.NotFound`, `VolumeInUse`.
pub fn delete(state: &mut State, context: &Context, id: &str) -> Result<(), Refusal> {
    let volume = find(state, context, id)?;
    if let Some(instance) = &volume.instance {
        return Err(Refusal::new(
            "VolumeInUse",
            format!("Volume {id} is currently attached to {instance}"),
        ));
    }
    let id = volume.id.clone();
    state.volumes.remove(&id);
    tag::remove_all(state, id.as_str());
    Ok(())
}

//! Starting again, stopping, rebooting and terminating.

use super::*;

/// How long a terminated instance is still shown, in seconds.
const SHOWN: i64 = 3600;

fn wrong_state(instance: &Instance, verb: &str) -> Refusal {
    let message = format!(
        "The instance '{}' is not in a state from which it can be {verb}.",
        instance.id
    );
    Refusal::new("IncorrectInstanceState", message)
}

/// Stops a running instance: its automatic public addresses go, its interfaces and disk stay.
///
/// # Errors
/// `IncorrectInstanceState`, `OperationNotPermitted` with stop protection.
pub fn stop(state: &mut State, context: &Context, id: &str) -> Result<InstanceId, Refusal> {
    let instance = find(state, context, id)?;
    match instance.state {
        InstanceState::Stopping | InstanceState::Stopped => return Ok(instance.id.clone()),
        InstanceState::Pending | InstanceState::Running => {}
        _ => return Err(wrong_state(instance, "stopped")),
    }
    if instance.disable_api_stop {
        let message = format!(
            "The instance '{id}' may not be stopped. Modify its 'disableApiStop' instance attribute and try again."
        );
        return Err(Refusal::new("OperationNotPermitted", message));
    }
    let id = instance.id.clone();
    for interface in instance.interfaces.clone() {
        elastic_ip::release_automatic(state, &interface);
    }
    edit(state, &id, |instance| {
        instance.state = InstanceState::Stopping;
        instance.until = context.now + context.pace.waiting(30);
        instance.state_reason =
            Some("Client.UserInitiatedShutdown: User initiated shutdown".to_owned());
    });
    Ok(id)
}

/// Starts a stopped instance on the disk it had; one that was launched with a public address gets a
/// new one.
/// <https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/using-instance-addressing.html#concepts-public-addresses>
///
/// # Errors
/// `IncorrectInstanceState`.
pub fn start(state: &mut State, context: &Context, id: &str) -> Result<InstanceId, Refusal> {
    let instance = find(state, context, id)?;
    match instance.state {
        InstanceState::Pending | InstanceState::Running => return Ok(instance.id.clone()),
        InstanceState::Stopped => {}
        _ => return Err(wrong_state(instance, "started")),
    }
    let (id, interfaces) = (instance.id.clone(), instance.interfaces.clone());
    // With several interfaces AWS gives no public address again.
    if let [only] = interfaces.as_slice()
        && state
            .network_interfaces
            .get(only)
            .is_some_and(|interface| interface.public_on_start)
    {
        elastic_ip::assign_automatic(state, only)?;
    }
    edit(state, &id, |instance| {
        instance.state = InstanceState::Pending;
        instance.until = context.now + context.pace.waiting(20);
        instance.launched = context.now;
        instance.boots += 1;
        instance.state_reason = None;
    });
    Ok(id)
}

/// Reboots a running instance: its disk and addresses stay.
///
/// # Errors
/// `IncorrectInstanceState`.
pub fn reboot(state: &mut State, context: &Context, id: &str) -> Result<(), Refusal> {
    let instance = find(state, context, id)?;
    if !matches!(
        instance.state,
        InstanceState::Pending | InstanceState::Running
    ) {
        return Err(wrong_state(instance, "rebooted"));
    }
    let id = instance.id.clone();
    edit(state, &id, |instance| instance.boots += 1);
    Ok(())
}

/// Terminates an instance: what is to go with it goes, other interfaces are detached.
///
/// # Errors
/// `OperationNotPermitted` with termination protection.
pub fn terminate(state: &mut State, context: &Context, id: &str) -> Result<InstanceId, Refusal> {
    let instance = find(state, context, id)?;
    if matches!(
        instance.state,
        InstanceState::ShuttingDown | InstanceState::Terminated
    ) {
        return Ok(instance.id.clone());
    }
    if instance.disable_api_termination {
        let message = format!(
            "The instance '{id}' may not be terminated. Modify its 'disableApiTermination' instance attribute and try again."
        );
        return Err(Refusal::new("OperationNotPermitted", message));
    }
    let (id, interfaces) = (instance.id.clone(), instance.interfaces.clone());
    for interface in interfaces {
        part_with(state, &interface)?;
    }
    edit(state, &id, |instance| {
        instance.state = InstanceState::ShuttingDown;
        instance.until = context.now + context.pace.waiting(30);
        instance.state_reason =
            Some("Client.UserInitiatedShutdown: User initiated shutdown".to_owned());
    });
    Ok(id)
}

fn part_with(state: &mut State, interface: &NetworkInterfaceId) -> Result<(), Refusal> {
    let goes = state
        .network_interfaces
        .get(interface)
        .and_then(|interface| interface.attachment.as_ref())
        .is_some_and(|attachment| attachment.delete_on_termination);
    elastic_ip::release_automatic(state, interface);
    network_interface::release(state, interface)?;
    if goes {
        network_interface::delete(state, interface)?;
    }
    Ok(())
}

/// Ends the states that are over by now.
pub fn finish_transitions(state: &mut State, now: i64) {
    let timed = |instance: &&Arc<Instance>| {
        !matches!(
            instance.state,
            InstanceState::Running | InstanceState::Stopped
        ) && instance.until <= now
    };
    let due: Vec<_> = state
        .instances
        .values()
        .filter(timed)
        .map(|instance| instance.id.clone())
        .collect();
    for id in due {
        let current = state.instances.get(&id).map(|instance| instance.state);
        match current {
            Some(InstanceState::Pending) => edit(state, &id, |instance| {
                instance.state = InstanceState::Running;
            }),
            Some(InstanceState::Stopping) => edit(state, &id, |instance| {
                instance.state = InstanceState::Stopped;
            }),
            Some(InstanceState::ShuttingDown) => {
                forget_volumes(state, &id);
                edit(state, &id, |instance| {
                    instance.state = InstanceState::Terminated;
                    instance.until = now + SHOWN;
                });
            }
            _ => {
                state.instances.remove(&id);
                tag::remove_all(state, id.as_str());
            }
        }
    }
}

fn forget_volumes(state: &mut State, instance: &InstanceId) {
    let Some(instance) = state.instances.get_mut(instance).map(Arc::make_mut) else {
        return;
    };
    let ids: Vec<VolumeId> = instance.volumes().cloned().collect();
    instance.data_volumes.clear();
    let goes = |id: &VolumeId| {
        state
            .volumes
            .get(id)
            .is_some_and(|of| of.delete_on_termination)
    };
    let volumes: Vec<_> = ids.into_iter().map(|id| (id.clone(), goes(&id))).collect();
    for (id, goes) in volumes {
        if goes {
            state.volumes.remove(&id);
            tag::remove_all(state, id.as_str());
        } else if let Some(volume) = state.volumes.get_mut(&id) {
            let volume = Arc::make_mut(volume);
            volume.instance = None;
            volume.device.clear();
        }
    }
}

/// When the next state ends.
pub fn next_transition(state: &State) -> Option<i64> {
    let timed = |instance: &&Arc<Instance>| {
        !matches!(
            instance.state,
            InstanceState::Running | InstanceState::Stopped
        )
    };
    state
        .instances
        .values()
        .filter(timed)
        .map(|instance| instance.until)
        .min()
}

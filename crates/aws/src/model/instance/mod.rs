//! Instances: what they are, and how they come and go.
//!
//! <https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/ec2-instance-lifecycle.html>

mod credit;
mod launch;
mod lifecycle;
pub mod profile;

pub use credit::{CpuCredits, set_credits};
pub use launch::{Launch, LaunchInterface, run};
pub use lifecycle::{finish_transitions, next_transition, reboot, start, stop, terminate};
pub use profile::ProfileAssociation;

use super::*;
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// An instance.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Instance {
    /// Its id.
    pub id: InstanceId,
    /// The region.
    pub region: String,
    /// The reservation that started it.
    pub reservation: ReservationId,
    /// Its number in the reservation.
    pub launch_index: u32,
    /// Its image.
    pub image: ImageId,
    /// Its type, such as `m5.large`.
    pub instance_type: String,
    /// Its subnet (its primary interface's).
    pub subnet: SubnetId,
    /// Its VPC.
    pub vpc: VpcId,
    /// Its interfaces by device index; each one's attachment names this instance in turn.
    pub interfaces: Vec<NetworkInterfaceId>,
    /// Its root volume.
    pub root_volume: Option<VolumeId>,
    /// The volumes that were attached to it, in that order.
    #[serde(default)]
    pub data_volumes: Vec<VolumeId>,
    /// The name of its key pair.
    pub key_name: Option<String>,
    /// Its user data, decoded.
    pub user_data: Option<Vec<u8>>,
    /// Its state.
    pub state: InstanceState,
    /// When the state ends: pending becomes running, stopping stopped, shutting-down terminated,
    /// terminated vanishes. In seconds since 1970.
    pub until: i64,
    /// When it was last started.
    pub launched: i64,
    /// How often it was booted: one more at each start and reboot.
    pub boots: u64,
    /// How often its disk was made anew: a new disk runs user data.
    pub disks: u64,
    /// Why it is in its state, as AWS's code (`Client.UserInitiatedShutdown`).
    pub state_reason: Option<String>,
    /// Its metadata service's options.
    pub metadata: MetadataOptions,
    /// Whether API termination is refused.
    pub disable_api_termination: bool,
    /// Whether API stop is refused.
    pub disable_api_stop: bool,
    /// What shutting down from inside means: `stop` or `terminate`.
    pub shutdown_behavior: String,
    /// Detailed monitoring; stored and shown.
    pub monitoring: bool,
    /// The ARN of its instance profile.
    pub iam_instance_profile: Option<String>,
    /// Since when it has that profile, and under which id.
    #[serde(default)]
    pub profile_association: Option<ProfileAssociation>,
    /// The idempotency token it was started with.
    pub client_token: Option<String>,
    /// EBS-optimized; stored and shown.
    pub ebs_optimized: bool,
    /// CPU credits, where its type has them.
    pub credits: Option<CpuCredits>,
}

impl Instance {
    /// Its volumes, the root device first.
    pub fn volumes(&self) -> impl Iterator<Item = &VolumeId> {
        self.root_volume.iter().chain(&self.data_volumes)
    }
}

/// An instance's state.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum InstanceState {
    /// Starting.
    Pending,
    /// Running.
    Running,
    /// Terminating.
    ShuttingDown,
    /// Gone; shown for about an hour.
    Terminated,
    /// Stopping.
    Stopping,
    /// Stopped.
    Stopped,
}

/// Options of the metadata service.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MetadataOptions {
    /// Whether it answers.
    pub enabled: bool,
    /// Whether it answers only with a session token (IMDSv2 required).
    pub tokens_required: bool,
    /// The reply's time to live for token responses, 1 to 64.
    pub hop_limit: u8,
    /// Whether the instance's tags show in it.
    pub instance_tags: bool,
}

impl InstanceState {
    /// AWS's code of the state.
    pub fn code(self) -> i32 {
        match self {
            Self::Pending => 0,
            Self::Running => 16,
            Self::ShuttingDown => 32,
            Self::Terminated => 48,
            Self::Stopping => 64,
            Self::Stopped => 80,
        }
    }

    /// AWS's name of the state.
    pub fn name(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Running => "running",
            Self::ShuttingDown => "shutting-down",
            Self::Terminated => "terminated",
            Self::Stopping => "stopping",
            Self::Stopped => "stopped",
        }
    }
}

pub(crate) fn unknown(id: &str) -> Refusal {
    if InstanceId::well_formed(id) {
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

/// An instance of the request's region, a terminated one too.
///
/// # Errors
/// `InvalidInstanceID.NotFound` or `.Malformed`.
pub fn find<'s>(state: &'s State, context: &Context, id: &str) -> Result<&'s Instance, Refusal> {
    context
        .find(&state.instances, id)
        .ok_or_else(|| unknown(id))
}

/// Changes an instance.
pub fn edit(state: &mut State, id: &InstanceId, change: impl FnOnce(&mut Instance)) {
    if let Some(instance) = state.instances.get_mut(id) {
        change(Arc::make_mut(instance));
    }
}

/// A hop limit of the metadata service.
///
/// # Errors
/// `InvalidParameterValue` for a hop limit out of 1 to 64.
pub fn check_hop_limit(limit: i32) -> Result<u8, Refusal> {
    u8::try_from(limit).ok().filter(|limit| (1..=64).contains(limit)).ok_or_else(|| {
        Refusal::invalid_value(format!("Value ({limit}) for parameter HttpPutResponseHopLimit is invalid. The value must be between 1 and 64."))
    })
}

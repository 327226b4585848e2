//! Instances.

use super::*;
use serde::{Deserialize, Serialize};

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
    /// The idempotency token it was started with.
    pub client_token: Option<String>,
    /// EBS-optimized; stored and shown.
    pub ebs_optimized: bool,
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

//! Internet gateways.

use super::*;
use serde::{Deserialize, Serialize};

/// An internet gateway.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct InternetGateway {
    /// Its id.
    pub id: InternetGatewayId,
    /// The region.
    pub region: String,
    /// The VPC it is attached to.
    pub vpc: Option<VpcId>,
}

//! Launch templates and their versions.

use super::*;
use serde::{Deserialize, Serialize};

/// A launch template.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct LaunchTemplate {
    /// Its id.
    pub id: LaunchTemplateId,
    /// The region.
    pub region: String,
    /// Its name, unique in the region.
    pub name: String,
    /// When it was made, in seconds since 1970.
    pub created: i64,
    /// Who made it, as an ARN.
    pub created_by: String,
    /// The default version's number.
    pub default_version: i64,
    /// The number of the newest version ever made.
    pub latest_version: i64,
    /// Its versions.
    pub versions: Vec<LaunchTemplateVersion>,
}

/// A version of a launch template.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct LaunchTemplateVersion {
    /// Its number.
    pub number: i64,
    /// The user's words.
    pub description: Option<String>,
    /// When it was made, in seconds since 1970.
    pub created: i64,
    /// Who made it, as an ARN.
    pub created_by: String,
    /// The launch's parameters as they came, by their names in the EC2 query protocol.
    pub data: Vec<(String, String)>,
}

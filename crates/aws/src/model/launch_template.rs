//! Launch templates and their versions.
//!
//! <https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/ec2-launch-templates.html>

use super::*;
use serde::{Deserialize, Serialize};
use std::net::Ipv4Addr;
use std::sync::Arc;

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
    /// Its versions, by number.
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
    /// What it launches.
    pub data: LaunchData,
}

/// A launch's parameters, as far as a template has them. What they refer to is looked up at launch.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct LaunchData {
    /// The image's id.
    pub image: Option<String>,
    /// The type's name.
    pub instance_type: Option<String>,
    /// The key pair's name.
    pub key_name: Option<String>,
    /// User data, in base64.
    pub user_data: Option<String>,
    /// Security groups by id.
    pub group_ids: Vec<String>,
    /// Security groups by name.
    pub group_names: Vec<String>,
    /// Interfaces.
    pub interfaces: Vec<InterfaceData>,
    /// Volumes.
    pub volumes: Vec<VolumeData>,
    /// Detailed monitoring.
    pub monitoring: Option<bool>,
    /// The zone.
    pub zone: Option<String>,
    /// EBS-optimized.
    pub ebs_optimized: Option<bool>,
    /// Whether API termination is refused.
    pub disable_api_termination: Option<bool>,
    /// Whether API stop is refused.
    pub disable_api_stop: Option<bool>,
    /// `stop` or `terminate`.
    pub shutdown_behavior: Option<String>,
    /// The instance profile's ARN.
    pub profile_arn: Option<String>,
    /// The instance profile's name.
    pub profile_name: Option<String>,
    /// Tags, by the type of resource they are for.
    pub tags: Vec<(String, Vec<(String, String)>)>,
    /// The metadata service's options.
    pub metadata: Option<MetadataData>,
    /// `standard` or `unlimited` CPU credits.
    pub credits: Option<String>,
}

/// An interface of a launch template.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct InterfaceData {
    /// The device index.
    pub device_index: Option<i32>,
    /// The network card's index; only the first there is.
    pub network_card: Option<i32>,
    /// An interface that exists already.
    pub existing: Option<String>,
    /// The subnet.
    pub subnet: Option<String>,
    /// Security groups by id.
    pub groups: Vec<String>,
    /// The primary address.
    pub primary: Option<Ipv4Addr>,
    /// Secondary addresses.
    pub secondary: Vec<Ipv4Addr>,
    /// That many secondary addresses of AWS's choice.
    pub secondary_count: Option<i32>,
    /// Delegated prefixes.
    pub prefixes: Vec<String>,
    /// That many prefixes of AWS's choice.
    pub prefix_count: Option<i32>,
    /// The description.
    pub description: Option<String>,
    /// Whether it gets a public address.
    pub public: Option<bool>,
    /// Whether it goes with the instance.
    pub delete_on_termination: Option<bool>,
}

/// A volume of a launch template.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct VolumeData {
    /// The device's name.
    pub device: Option<String>,
    /// Its size in GiB.
    pub size: Option<i32>,
    /// Its type.
    pub kind: Option<String>,
    /// Its input and output operations a second.
    pub iops: Option<i32>,
    /// Its throughput in MiB a second.
    pub throughput: Option<i32>,
    /// Whether it goes with the instance.
    pub delete_on_termination: Option<bool>,
}

/// The metadata service's options in a launch template, in AWS's words.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct MetadataData {
    /// `enabled` or `disabled`.
    pub endpoint: Option<String>,
    /// `optional` or `required`.
    pub tokens: Option<String>,
    /// The hop limit.
    pub hop_limit: Option<i32>,
    /// `enabled` or `disabled`.
    pub tags: Option<String>,
}

impl LaunchData {
    /// These parameters, and those of `below` where these say nothing.
    pub fn over(self, below: Self) -> Self {
        let list = |own: Vec<String>, below| if own.is_empty() { below } else { own };
        Self {
            image: self.image.or(below.image),
            instance_type: self.instance_type.or(below.instance_type),
            key_name: self.key_name.or(below.key_name),
            user_data: self.user_data.or(below.user_data),
            group_ids: list(self.group_ids, below.group_ids),
            group_names: list(self.group_names, below.group_names),
            interfaces: if self.interfaces.is_empty() {
                below.interfaces
            } else {
                self.interfaces
            },
            volumes: if self.volumes.is_empty() {
                below.volumes
            } else {
                self.volumes
            },
            monitoring: self.monitoring.or(below.monitoring),
            zone: self.zone.or(below.zone),
            ebs_optimized: self.ebs_optimized.or(below.ebs_optimized),
            disable_api_termination: self
                .disable_api_termination
                .or(below.disable_api_termination),
            disable_api_stop: self.disable_api_stop.or(below.disable_api_stop),
            shutdown_behavior: self.shutdown_behavior.or(below.shutdown_behavior),
            profile_arn: self.profile_arn.or(below.profile_arn),
            profile_name: self.profile_name.or(below.profile_name),
            tags: if self.tags.is_empty() {
                below.tags
            } else {
                self.tags
            },
            metadata: self.metadata.or(below.metadata),
            credits: self.credits.or(below.credits),
        }
    }
}

impl LaunchTemplate {
    /// The version that a request names: a number, `$Latest`, `$Default`, or the default one.
    ///
    /// # Errors
    /// `InvalidLaunchTemplateId.VersionNotFound`, `InvalidLaunchTemplateVersion.Malformed`.
    pub fn version(&self, named: Option<&str>) -> Result<&LaunchTemplateVersion, Refusal> {
        let number = match named {
            None | Some("$Default") => self.default_version,
            Some("$Latest") => self
                .versions
                .last()
                .map_or(self.latest_version, |last| last.number),
            Some(text) => text.parse().map_err(|_| {
                Refusal::new(
                    "InvalidLaunchTemplateVersion.Malformed",
                    format!(
                        "Launch template version '{text}' is not a number, $Latest or $Default."
                    ),
                )
            })?,
        };
        let found = self
            .versions
            .iter()
            .find(|version| version.number == number);
        found.ok_or_else(|| {
            Refusal::new(
                "InvalidLaunchTemplateId.VersionNotFound",
                format!("Could not find the specified version {number} for the launch template with ID {}.", self.id),
            )
        })
    }
}

pub(crate) fn unknown(id: &str) -> Refusal {
    let (code, message) = if LaunchTemplateId::well_formed(id) {
        (
            "InvalidLaunchTemplateId.NotFound",
            format!("The specified launch template, with template ID {id}, does not exist."),
        )
    } else {
        (
            "InvalidLaunchTemplateId.Malformed",
            format!("Invalid id: \"{id}\""),
        )
    };
    Refusal::new(code, message)
}

/// The template that a request names, by its id or its name.
///
/// # Errors
/// `InvalidLaunchTemplateId.NotFound`, `InvalidLaunchTemplateName.NotFoundException`,
/// `InvalidParameterCombination` for both, `MissingParameter` for neither.
pub fn find<'s>(
    state: &'s State,
    context: &Context,
    id: Option<&str>,
    name: Option<&str>,
) -> Result<&'s LaunchTemplate, Refusal> {
    let mut here = context.here(&state.launch_templates);
    match (id, name) {
        (Some(_), Some(_)) => Err(Refusal::invalid_combination(
            "Either launch template ID or launch template name may be specified, but not both",
        )),
        (Some(id), None) => here
            .find(|template| template.id.as_str() == id)
            .ok_or_else(|| unknown(id)),
        (None, Some(name)) => here.find(|template| template.name == name).ok_or_else(|| {
            Refusal::new(
                "InvalidLaunchTemplateName.NotFoundException",
                format!(
                    "The specified launch template, with template name {name}, does not exist."
                ),
            )
        }),
        (None, None) => Err(Refusal::missing("LaunchTemplateId or LaunchTemplateName")),
    }
}

/// Makes a template with its first version.
///
/// # Errors
/// `InvalidLaunchTemplateName.AlreadyExistsException`, `InvalidLaunchTemplateName.MalformedException`.
pub fn create(
    state: &mut State,
    context: &Context,
    name: &str,
    description: Option<String>,
    data: LaunchData,
) -> Result<LaunchTemplateId, Refusal> {
    let sign = |letter: char| letter.is_ascii_alphanumeric() || "-().!/_".contains(letter);
    if !(3..=128).contains(&name.len()) || !name.chars().all(sign) {
        return Err(Refusal::new(
            "InvalidLaunchTemplateName.MalformedException",
            "A launch template name must be between 3 and 128 characters, and may contain letters, numbers, and the following characters: - ( ) . / _.",
        ));
    }
    if find(state, context, None, Some(name)).is_ok() {
        return Err(Refusal::new(
            "InvalidLaunchTemplateName.AlreadyExistsException",
            format!("Launch template name already in use: {name}"),
        ));
    }
    let id = LaunchTemplateId::fresh(&state.digits());
    let template = LaunchTemplate {
        id: id.clone(),
        region: context.region.clone(),
        name: name.to_owned(),
        created: context.now,
        created_by: context.caller.clone(),
        default_version: 1,
        latest_version: 1,
        versions: vec![version(context, 1, description, data)],
    };
    state
        .launch_templates
        .insert(id.clone(), Arc::new(template));
    Ok(id)
}

fn version(
    context: &Context,
    number: i64,
    description: Option<String>,
    data: LaunchData,
) -> LaunchTemplateVersion {
    LaunchTemplateVersion {
        number,
        description,
        created: context.now,
        created_by: context.caller.clone(),
        data,
    }
}

fn edit(state: &mut State, id: &LaunchTemplateId, change: impl FnOnce(&mut LaunchTemplate)) {
    if let Some(template) = state.launch_templates.get_mut(id) {
        change(Arc::make_mut(template));
    }
}

/// Adds a version; its number.
pub fn add_version(
    state: &mut State,
    context: &Context,
    id: &LaunchTemplateId,
    description: Option<String>,
    data: LaunchData,
) -> i64 {
    let mut number = 0;
    edit(state, id, |template| {
        template.latest_version += 1;
        number = template.latest_version;
        template
            .versions
            .push(version(context, number, description, data));
    });
    number
}

/// Makes a version the default one.
pub fn set_default(state: &mut State, id: &LaunchTemplateId, number: i64) {
    edit(state, id, |template| template.default_version = number);
}

/// Deletes a version that is not the default one; whether there was such.
pub fn delete_version(state: &mut State, id: &LaunchTemplateId, number: i64) -> bool {
    let mut gone = false;
    edit(state, id, |template| {
        let before = template.versions.len();
        let default = template.default_version;
        template
            .versions
            .retain(|version| version.number != number || version.number == default);
        gone = template.versions.len() < before;
    });
    gone
}

/// Deletes a template and all its versions.
pub fn delete(state: &mut State, id: &LaunchTemplateId) {
    state.launch_templates.remove(id);
    tag::remove_all(state, id.as_str());
}

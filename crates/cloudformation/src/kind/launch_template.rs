//! Launch templates.

use super::ask::{Ask, renamed};
use super::{Kind, fixed, live, tags};
use crate::step::{ID, Step, Steps};
use serde_json::{Value, json};
use wire::call::Service::Ec2;

pub(super) const KINDS: &[Kind] = &[Kind {
    name: "AWS::EC2::LaunchTemplate",
    properties: &[
        fixed("LaunchTemplateName"),
        live("LaunchTemplateData").required(),
        fixed("TagSpecifications"),
        fixed("VersionDescription"),
    ],
    attributes: &[
        "LaunchTemplateId",
        "LaunchTemplateName",
        "DefaultVersionNumber",
        "LatestVersionNumber",
    ],
    create,
    update,
    delete,
}];

/// The names of members as EC2 takes them: its lists have singular names.
fn wire_name(name: &str) -> String {
    match name {
        "BlockDeviceMappings" => "BlockDeviceMapping",
        "NetworkInterfaces" => "NetworkInterface",
        "SecurityGroupIds" | "Groups" => "SecurityGroupId",
        "SecurityGroups" => "SecurityGroup",
        "TagSpecifications" => "TagSpecification",
        "Tags" => "Tag",
        "Ipv4Prefixes" => "Ipv4Prefix",
        other => other,
    }
    .to_owned()
}

fn data(ask: &Ask<'_>) -> Value {
    renamed(&ask.get("LaunchTemplateData"), &wire_name)
}

fn create(ask: &Ask<'_>) -> Steps {
    let mut own = renamed(&ask.get("TagSpecifications"), &wire_name);
    if own.is_null() {
        own = tags::specification(ask, "launch-template");
    }
    let given = json!({
        "LaunchTemplateName": ask.name("LaunchTemplateName", 128),
        "LaunchTemplateData": data(ask),
        "TagSpecification": own,
        "VersionDescription": ask.get("VersionDescription"),
    });
    let step = Step::new(Ec2, "CreateLaunchTemplate", given)
        .learns(ID, "/launchTemplate/launchTemplateId")
        .learns("LaunchTemplateId", "/launchTemplate/launchTemplateId")
        .learns("LaunchTemplateName", "/launchTemplate/launchTemplateName")
        .learns(
            "DefaultVersionNumber",
            "/launchTemplate/defaultVersionNumber",
        )
        .learns("LatestVersionNumber", "/launchTemplate/latestVersionNumber")
        .tagged("launch-template", ID);
    Ok(vec![step])
}

/// Another version; the default one stays.
fn update(ask: &Ask<'_>) -> Steps {
    let given = json!({ "LaunchTemplateId": ask.id(), "LaunchTemplateData": data(ask) });
    let step = Step::new(Ec2, "CreateLaunchTemplateVersion", given).learns(
        "LatestVersionNumber",
        "/launchTemplateVersion/versionNumber",
    );
    Ok(vec![step])
}

fn delete(ask: &Ask<'_>) -> Steps {
    let given = json!({ "LaunchTemplateId": ask.id() });
    let step = Step::new(Ec2, "DeleteLaunchTemplate", given).tolerates(&[
        "InvalidLaunchTemplateId.NotFound",
        "InvalidLaunchTemplateName.NotFoundException",
    ]);
    Ok(vec![step])
}

//! Launch templates.

use crate::account::Account;

/// A template that launches t3.small instances into a subnet, with a tag.
fn template(account: &mut Account, subnet: &str) -> String {
    let image = account.make("imageId", "DescribeImages", &[]);
    let asked = [
        ("LaunchTemplateName", "web"),
        ("LaunchTemplateData.ImageId", image.as_str()),
        ("LaunchTemplateData.InstanceType", "t3.small"),
        ("LaunchTemplateData.NetworkInterface.1.DeviceIndex", "0"),
        ("LaunchTemplateData.NetworkInterface.1.SubnetId", subnet),
        (
            "LaunchTemplateData.TagSpecification.1.ResourceType",
            "instance",
        ),
        ("LaunchTemplateData.TagSpecification.1.Tag.1.Key", "Name"),
        (
            "LaunchTemplateData.TagSpecification.1.Tag.1.Value",
            "from-template",
        ),
        ("LaunchTemplateData.TagSpecification.1.Tag.2.Key", "Team"),
        ("LaunchTemplateData.TagSpecification.1.Tag.2.Value", "web"),
    ];
    account.make("launchTemplateId", "CreateLaunchTemplate", &asked)
}

/// AWS-EC2: what a template says holds unless the launch says otherwise.
#[test]
fn templates_fill_launches() {
    let mut account = Account::new();
    let vpc = account.vpc("10.0.0.0/16");
    let subnet = account.subnet(&vpc, "10.0.0.0/24");
    template(&mut account, &subnet);
    let launch = [
        ("LaunchTemplate.LaunchTemplateName", "web"),
        ("MinCount", "1"),
        ("MaxCount", "1"),
        ("InstanceType", "t3.large"),
        ("TagSpecification.1.ResourceType", "instance"),
        ("TagSpecification.1.Tag.1.Key", "Name"),
        ("TagSpecification.1.Tag.1.Value", "by-hand"),
    ];
    let instance = account.ok("RunInstances", &launch);
    assert_eq!(instance.one("instanceType"), "t3.large");
    assert_eq!(instance.one("subnetId"), subnet);
    let of_instance = [
        ("Filter.1.Name", "resource-id"),
        ("Filter.1.Value.1", &*instance.one("instanceId")),
    ];
    let tags = account.ok("DescribeTags", &of_instance);
    let mut values = tags.all("value");
    values.retain(|value| value == "by-hand" || value == "web" || value == "from-template");
    values.sort();
    assert_eq!(values, ["by-hand", "web"]);
    assert!(
        tags.all("key")
            .contains(&"aws:ec2launchtemplate:id".to_owned())
    );
}

/// AWS-EC2: versions build on others, one of them is the default, which stays.
#[test]
fn templates_have_versions() {
    let mut account = Account::new();
    let vpc = account.vpc("10.0.0.0/16");
    let subnet = account.subnet(&vpc, "10.0.0.0/24");
    let id = template(&mut account, &subnet);
    let next = [
        ("LaunchTemplateId", id.as_str()),
        ("SourceVersion", "1"),
        ("LaunchTemplateData.InstanceType", "m5.large"),
    ];
    let second = account.ok("CreateLaunchTemplateVersion", &next);
    assert_eq!(
        (second.one("versionNumber"), second.one("subnetId")),
        ("2".to_owned(), subnet)
    );
    let latest = [
        ("LaunchTemplateId", id.as_str()),
        ("LaunchTemplateVersion.1", "$Latest"),
    ];
    assert_eq!(
        account
            .ok("DescribeLaunchTemplateVersions", &latest)
            .one("instanceType"),
        "m5.large"
    );
    let run = [
        ("LaunchTemplate.LaunchTemplateId", id.as_str()),
        ("MinCount", "1"),
        ("MaxCount", "1"),
    ];
    assert_eq!(
        account.ok("RunInstances", &run).one("instanceType"),
        "t3.small",
        "the default version"
    );
    account.ok(
        "ModifyLaunchTemplate",
        &[("LaunchTemplateId", &id), ("SetDefaultVersion", "2")],
    );
    assert_eq!(
        account.ok("RunInstances", &run).one("instanceType"),
        "m5.large"
    );
    let both = [
        ("LaunchTemplateId", id.as_str()),
        ("LaunchTemplateVersion.1", "1"),
        ("LaunchTemplateVersion.2", "2"),
    ];
    let deleted = account.ok("DeleteLaunchTemplateVersions", &both);
    assert_eq!(deleted.all("versionNumber").len(), 2);
    assert_eq!(deleted.one("code"), "unexpectedError");
    account.ok("DeleteLaunchTemplate", &[("LaunchTemplateId", &id)]);
    assert_eq!(
        account.refused("RunInstances", &run),
        "InvalidLaunchTemplateId.NotFound"
    );
}

/// Templates that can't be, and names that are taken.
#[test]
fn bad_templates() {
    let mut account = Account::new();
    let vpc = account.vpc("10.0.0.0/16");
    let subnet = account.subnet(&vpc, "10.0.0.0/24");
    let id = template(&mut account, &subnet);
    let named = |name: &'static str| {
        [
            ("LaunchTemplateName", name),
            ("LaunchTemplateData.InstanceType", "t3.micro"),
        ]
    };
    assert_eq!(
        account.refused("CreateLaunchTemplate", &named("web")),
        "InvalidLaunchTemplateName.AlreadyExistsException"
    );
    assert_eq!(
        account.refused("CreateLaunchTemplate", &named("a b")),
        "InvalidLaunchTemplateName.MalformedException"
    );
    assert_eq!(
        account.refused(
            "DescribeLaunchTemplateVersions",
            &[("LaunchTemplateId", &id), ("LaunchTemplateVersion.1", "7")]
        ),
        "InvalidLaunchTemplateId.VersionNotFound"
    );
    assert_eq!(
        account.refused("DeleteLaunchTemplate", &[("LaunchTemplateName", "nothing")]),
        "InvalidLaunchTemplateName.NotFoundException"
    );
}

//! Launch template operations.

use super::describe::{Kind, Wanted, one, select};
use super::launch_template_data::{read, wire_data};
use super::tag::{specified, wire_tags};
use super::{Call, Outcome};
use crate::model::launch_template::{self as templates, LaunchTemplate, LaunchTemplateVersion};
use crate::model::{Refusal, State, tag};
use wire::Timestamp;
use wire::ec2;
use wire::pagination::page;

fn wire_template(state: &State, template: &LaunchTemplate) -> ec2::LaunchTemplate {
    ec2::LaunchTemplate {
        create_time: Some(Timestamp(template.created)),
        created_by: Some(template.created_by.clone()),
        default_version_number: Some(template.default_version),
        latest_version_number: Some(template.latest_version),
        launch_template_id: Some(template.id.to_string()),
        launch_template_name: Some(template.name.clone()),
        tags: wire_tags(state, template.id.as_str()),
        ..Default::default()
    }
}

fn wire_version(
    template: &LaunchTemplate,
    version: &LaunchTemplateVersion,
) -> ec2::LaunchTemplateVersion {
    ec2::LaunchTemplateVersion {
        create_time: Some(Timestamp(version.created)),
        created_by: Some(version.created_by.clone()),
        default_version: Some(version.number == template.default_version),
        launch_template_data: Some(wire_data(&version.data)),
        launch_template_id: Some(template.id.to_string()),
        launch_template_name: Some(template.name.clone()),
        version_description: version.description.clone(),
        version_number: Some(version.number),
        ..Default::default()
    }
}

pub(super) fn create(
    call: &mut Call<'_>,
    request: ec2::CreateLaunchTemplateRequest,
) -> Outcome<ec2::CreateLaunchTemplateResult> {
    let token = call.token(
        "CreateLaunchTemplate",
        &request,
        request.client_token.as_deref(),
    )?;
    if let Some(made) = token.made.as_deref()
        && let Ok(template) = templates::find(&call.state, call.context, Some(made), None)
    {
        return Ok(ec2::CreateLaunchTemplateResult {
            launch_template: Some(wire_template(&call.state, template)),
            ..Default::default()
        });
    }
    let tags = specified(request.tag_specifications, "launch-template")?;
    let data = read(request.launch_template_data)?;
    let (name, description) = (request.launch_template_name, request.version_description);
    let id = templates::create(&mut call.state, call.context, &name, description, data)?;
    tag::apply(
        &mut call.state,
        call.context,
        id.as_str(),
        "launch-template",
        tags,
    )?;
    call.keep(token, id.as_str());
    let template = templates::find(&call.state, call.context, Some(id.as_str()), None)?;
    Ok(ec2::CreateLaunchTemplateResult {
        launch_template: Some(wire_template(&call.state, template)),
        ..Default::default()
    })
}

pub(super) fn create_version(
    call: &mut Call<'_>,
    request: ec2::CreateLaunchTemplateVersionRequest,
) -> Outcome<ec2::CreateLaunchTemplateVersionResult> {
    let (id, name) = (
        request.launch_template_id.as_deref(),
        request.launch_template_name.as_deref(),
    );
    let template = templates::find(&call.state, call.context, id, name)?;
    let token = call.token(
        "CreateLaunchTemplateVersion",
        &request,
        request.client_token.as_deref(),
    )?;
    if let Some(made) = &token.made
        && let Ok(version) = template.version(Some(made))
    {
        return Ok(ec2::CreateLaunchTemplateVersionResult {
            launch_template_version: Some(wire_version(template, version)),
            ..Default::default()
        });
    }
    let mut data = read(request.launch_template_data)?;
    if let Some(source) = request.source_version.as_deref() {
        data = data.over(template.version(Some(source))?.data.clone());
    }
    let id = template.id.clone();
    let number = templates::add_version(
        &mut call.state,
        call.context,
        &id,
        request.version_description,
        data,
    );
    call.keep(token, &number.to_string());
    let template = templates::find(&call.state, call.context, Some(id.as_str()), None)?;
    let version = template.version(Some(&number.to_string()))?;
    Ok(ec2::CreateLaunchTemplateVersionResult {
        launch_template_version: Some(wire_version(template, version)),
        ..Default::default()
    })
}

pub(super) fn modify(
    call: &mut Call<'_>,
    request: ec2::ModifyLaunchTemplateRequest,
) -> Outcome<ec2::ModifyLaunchTemplateResult> {
    let (id, name) = (
        request.launch_template_id.as_deref(),
        request.launch_template_name.as_deref(),
    );
    let template = templates::find(&call.state, call.context, id, name)?;
    let id = template.id.clone();
    if let Some(default) = request.default_version.as_deref() {
        let number = template.version(Some(default))?.number;
        templates::set_default(&mut call.state, &id, number);
    }
    let template = templates::find(&call.state, call.context, Some(id.as_str()), None)?;
    Ok(ec2::ModifyLaunchTemplateResult {
        launch_template: Some(wire_template(&call.state, template)),
    })
}

pub(super) fn delete(
    call: &mut Call<'_>,
    request: ec2::DeleteLaunchTemplateRequest,
) -> Outcome<ec2::DeleteLaunchTemplateResult> {
    let (id, name) = (
        request.launch_template_id.as_deref(),
        request.launch_template_name.as_deref(),
    );
    let template = templates::find(&call.state, call.context, id, name)?;
    let shown = wire_template(&call.state, template);
    let id = template.id.clone();
    templates::delete(&mut call.state, &id);
    Ok(ec2::DeleteLaunchTemplateResult {
        launch_template: Some(shown),
    })
}

/// Each version goes or stays by itself.
pub(super) fn delete_versions(
    call: &mut Call<'_>,
    request: ec2::DeleteLaunchTemplateVersionsRequest,
) -> Outcome<ec2::DeleteLaunchTemplateVersionsResult> {
    let (id, name) = (
        request.launch_template_id.as_deref(),
        request.launch_template_name.as_deref(),
    );
    let template = templates::find(&call.state, call.context, id, name)?.clone();
    let mut result = ec2::DeleteLaunchTemplateVersionsResult::default();
    for named in &request.versions {
        let number = template.version(Some(named)).map(|version| version.number);
        let (id, name) = (Some(template.id.to_string()), Some(template.name.clone()));
        if let Ok(number) = number
            && templates::delete_version(&mut call.state, &template.id, number)
        {
            result.successfully_deleted_launch_template_versions.push(
                ec2::DeleteLaunchTemplateVersionsResponseSuccessItem {
                    launch_template_id: id,
                    launch_template_name: name,
                    version_number: Some(number),
                },
            );
            continue;
        }
        let (code, message) = match &number {
            Ok(_) => (
                ec2::LaunchTemplateErrorCode::UnexpectedError,
                "The default version of a launch template can't be deleted; make another version the default first.".to_owned(),
            ),
            Err(refusal) => (
                ec2::LaunchTemplateErrorCode::LaunchTemplateVersionDoesNotExist,
                refusal.message.clone(),
            ),
        };
        result.unsuccessfully_deleted_launch_template_versions.push(
            ec2::DeleteLaunchTemplateVersionsResponseErrorItem {
                launch_template_id: id,
                launch_template_name: name,
                response_error: Some(ec2::ResponseError {
                    code: Some(code),
                    message: Some(message),
                }),
                version_number: number.ok().or_else(|| named.parse().ok()),
            },
        );
    }
    Ok(result)
}

pub(super) fn describe(
    call: &mut Call<'_>,
    request: ec2::DescribeLaunchTemplatesRequest,
) -> Outcome<ec2::DescribeLaunchTemplatesResult> {
    let mut ids = request.launch_template_ids;
    for name in &request.launch_template_names {
        let named = templates::find(&call.state, call.context, None, Some(name))?;
        ids.push(named.id.to_string());
    }
    let wanted = Wanted {
        ids,
        filters: request.filters,
        max_results: request.max_results,
        next_token: request.next_token,
    };
    let kind = Kind {
        // https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_DescribeLaunchTemplates.html
        filters: &["create-time", "launch-template-name"],
        id: &|template: &LaunchTemplate| template.id.to_string(),
        field: &|template, name| match name {
            "create-time" => one(Timestamp(template.created).iso()),
            "launch-template-name" => one(&template.name),
            _ => Vec::new(),
        },
        not_found: &templates::unknown,
    };
    let here = call.context.here(&call.state.launch_templates);
    let (chosen, next_token) = select(call, here, wanted, &kind)?;
    let launch_templates = chosen
        .into_iter()
        .map(|template| wire_template(&call.state, template));
    Ok(ec2::DescribeLaunchTemplatesResult {
        launch_templates: launch_templates.collect(),
        next_token,
    })
}

pub(super) fn describe_versions(
    call: &mut Call<'_>,
    request: ec2::DescribeLaunchTemplateVersionsRequest,
) -> Outcome<ec2::DescribeLaunchTemplateVersionsResult> {
    let (id, name) = (
        request.launch_template_id.as_deref(),
        request.launch_template_name.as_deref(),
    );
    let number = |text: Option<&str>, otherwise: i64| match text {
        None => Ok(otherwise),
        Some(text) => text
            .parse()
            .map_err(|_| Refusal::invalid_value(format!("Invalid version {text}"))),
    };
    let (least, most) = (
        number(request.min_version.as_deref(), 0)?,
        number(request.max_version.as_deref(), i64::MAX)?,
    );
    let mut shown = Vec::new();
    if id.is_none() && name.is_none() {
        // Without a template only $Latest and $Default make sense: of every template.
        for template in call.state.launch_templates.values() {
            for named in request
                .versions
                .iter()
                .filter(|_| template.region == call.context.region)
            {
                shown.push(wire_version(template, template.version(Some(named))?));
            }
        }
    } else {
        let template = templates::find(&call.state, call.context, id, name)?;
        if request.versions.is_empty() {
            let within = template
                .versions
                .iter()
                .filter(|version| (least..=most).contains(&version.number));
            shown.extend(within.map(|version| wire_version(template, version)));
        }
        for named in &request.versions {
            shown.push(wire_version(template, template.version(Some(named))?));
        }
    }
    let (launch_template_versions, next_token) = page(
        shown,
        request.max_results,
        request.next_token.as_deref(),
        1..=200,
    )?;
    Ok(ec2::DescribeLaunchTemplateVersionsResult {
        launch_template_versions,
        next_token,
    })
}

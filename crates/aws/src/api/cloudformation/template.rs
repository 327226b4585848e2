//! Operations on templates.

use super::super::{Call, Outcome};
use crate::model::Refusal;
use crate::model::cloudformation::{find, find_change_set, invalid};
use ::cloudformation::Template;
use ::cloudformation::parameter::Declaration;
use std::collections::BTreeSet;
use wire::cloudformation::*;

pub(super) fn get(call: &mut Call<'_>, request: GetTemplateInput) -> Outcome<GetTemplateOutput> {
    let stack = request.stack_name.as_deref();
    let text = match (&request.change_set_name, stack) {
        (Some(set), stack) => find_change_set(&call.state, call.context, set, stack)?
            .definition
            .template
            .clone(),
        (None, Some(stack)) => find(&call.state, call.context, stack)?
            .definition
            .template
            .clone(),
        (None, None) => return Err(invalid("StackName or ChangeSetName must be specified.").into()),
    };
    Ok(GetTemplateOutput {
        stages_available: vec![TemplateStage::Original, TemplateStage::Processed],
        template_body: Some(text),
    })
}

/// The template that a request carries or names.
fn named(call: &Call<'_>, body: Option<String>, stack: Option<&str>) -> Result<Template, Refusal> {
    let text = match (body, stack) {
        (Some(body), None) => body,
        (None, Some(stack)) => find(&call.state, call.context, stack)?
            .definition
            .template
            .clone(),
        _ => {
            return Err(invalid(
                "Either Template URL or Template Body must be specified.",
            ));
        }
    };
    Ok(Template::read(&text)?)
}

/// What a caller has to acknowledge, and why.
fn capabilities(of: &Template) -> (Vec<Capability>, Option<String>) {
    match of.capabilities() {
        None => (Vec::new(), None),
        Some((capability, kinds)) => {
            let reason = format!(
                "The following resource(s) require capabilities: [{}]",
                kinds.join(", ")
            );
            (capability.parse().into_iter().collect(), Some(reason))
        }
    }
}

pub(super) fn validate(
    call: &mut Call<'_>,
    request: ValidateTemplateInput,
) -> Outcome<ValidateTemplateOutput> {
    let template = named(call, request.template_body, None)?;
    let (capabilities, capabilities_reason) = capabilities(&template);
    let parameter = |(name, of): (&String, &Declaration)| TemplateParameter {
        default_value: of.default.clone(),
        description: of.description.clone(),
        no_echo: Some(of.no_echo),
        parameter_key: Some(name.clone()),
    };
    Ok(ValidateTemplateOutput {
        capabilities,
        capabilities_reason,
        declared_transforms: Vec::new(),
        description: template.description.clone(),
        parameters: template.parameters.iter().map(parameter).collect(),
    })
}

pub(super) fn summary(
    call: &mut Call<'_>,
    request: GetTemplateSummaryInput,
) -> Outcome<GetTemplateSummaryOutput> {
    let template = named(call, request.template_body, request.stack_name.as_deref())?;
    let (capabilities, capabilities_reason) = capabilities(&template);
    let parameter = |(name, of): (&String, &Declaration)| ParameterDeclaration {
        default_value: of.default.clone(),
        description: of.description.clone(),
        no_echo: Some(of.no_echo),
        parameter_constraints: Some(ParameterConstraints {
            allowed_values: of.allowed_values.clone(),
        }),
        parameter_key: Some(name.clone()),
        parameter_type: Some(of.type_name.clone()),
    };
    let kinds: BTreeSet<String> = template
        .resources
        .values()
        .map(|of| of.kind.clone())
        .collect();
    Ok(GetTemplateSummaryOutput {
        capabilities,
        capabilities_reason,
        description: template.description.clone(),
        metadata: template.metadata.as_ref().map(ToString::to_string),
        parameters: template.parameters.iter().map(parameter).collect(),
        resource_types: kinds.into_iter().collect(),
        version: template.version,
        ..GetTemplateSummaryOutput::default()
    })
}

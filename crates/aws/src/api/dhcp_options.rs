//! DHCP option set operations.

use super::describe::{Kind, one, select, wanted};
use super::tag::{specified, wire_tags};
use super::{Call, Outcome};
use crate::model::dhcp_options::{self, DhcpOptions};
use crate::model::{State, tag, vpc};
use wire::ec2;
use wire::shape::Nothing;

const FILTERS: &[&str] = &["dhcp-options-id", "key", "owner-id", "value"];

fn wire_options(state: &State, options: &DhcpOptions) -> ec2::DhcpOptions {
    let value = |value: &String| ec2::AttributeValue {
        value: Some(value.clone()),
    };
    let configuration = |(key, values): &(String, Vec<String>)| ec2::DhcpConfiguration {
        key: Some(key.clone()),
        values: values.iter().map(value).collect(),
    };
    ec2::DhcpOptions {
        dhcp_configurations: options.options.iter().map(configuration).collect(),
        dhcp_options_id: Some(options.id.to_string()),
        owner_id: Some(state.settings.account.clone()),
        tags: wire_tags(state, options.id.as_str()),
    }
}

pub(super) fn create(
    call: &mut Call<'_>,
    request: ec2::CreateDhcpOptionsRequest,
) -> Outcome<ec2::CreateDhcpOptionsResult> {
    let tags = specified(request.tag_specifications, "dhcp-options")?;
    let options = request
        .dhcp_configurations
        .into_iter()
        .map(|new| (new.key.unwrap_or_default(), new.values))
        .collect();
    let id = dhcp_options::create(&mut call.state, call.context, options)?;
    tag::apply(
        &mut call.state,
        call.context,
        id.as_str(),
        "dhcp-options",
        tags,
    )?;
    let options = dhcp_options::find(&call.state, call.context, id.as_str())?;
    Ok(ec2::CreateDhcpOptionsResult {
        dhcp_options: Some(wire_options(&call.state, options)),
    })
}

pub(super) fn delete(
    call: &mut Call<'_>,
    request: ec2::DeleteDhcpOptionsRequest,
) -> Outcome<Nothing> {
    dhcp_options::delete(&mut call.state, call.context, &request.dhcp_options_id)?;
    Ok(Nothing {})
}

pub(super) fn associate(
    call: &mut Call<'_>,
    request: ec2::AssociateDhcpOptionsRequest,
) -> Outcome<Nothing> {
    let id = vpc::find(&call.state, call.context, &request.vpc_id)?
        .id
        .clone();
    let options = match request.dhcp_options_id.as_str() {
        "default" => None,
        options => Some(
            dhcp_options::find(&call.state, call.context, options)?
                .id
                .clone(),
        ),
    };
    vpc::edit(&mut call.state, &id, |vpc| vpc.dhcp_options = options);
    Ok(Nothing {})
}

pub(super) fn describe(
    call: &mut Call<'_>,
    request: ec2::DescribeDhcpOptionsRequest,
) -> Outcome<ec2::DescribeDhcpOptionsResult> {
    let wanted = wanted!(request, dhcp_options_ids);
    let state = &call.state;
    let kind = Kind {
        filters: FILTERS,
        id: &|options: &DhcpOptions| options.id.to_string(),
        field: &|options, name| match name {
            "dhcp-options-id" => one(&options.id),
            "key" => options.options.iter().map(|(key, _)| key.clone()).collect(),
            "value" => options
                .options
                .iter()
                .flat_map(|(_, values)| values.clone())
                .collect(),
            _ => one(&state.settings.account),
        },
        not_found: &dhcp_options::unknown,
    };
    let here = call.context.here(&state.dhcp_options);
    let (chosen, next_token) = select(call, here, wanted, &kind)?;
    let dhcp_options = chosen
        .into_iter()
        .map(|options| wire_options(state, options))
        .collect();
    Ok(ec2::DescribeDhcpOptionsResult {
        dhcp_options,
        next_token,
    })
}

//! Managed prefix list operations.

use super::describe::{Kind, one, select, wanted};
use super::tag::{specified, wire_tags};
use super::{Call, Outcome};
use crate::model::prefix_list::{
    self as lists, Modification, PrefixList, PrefixListEntry, Progress,
};
use crate::model::{Refusal, State, tag};
use ipnet::Ipv4Net;
use wire::ec2::{
    AddPrefixListEntry, CreateManagedPrefixListRequest, CreateManagedPrefixListResult,
    DeleteManagedPrefixListRequest, DeleteManagedPrefixListResult,
    DescribeManagedPrefixListsRequest, DescribeManagedPrefixListsResult,
    DescribePrefixListsRequest, DescribePrefixListsResult, GetManagedPrefixListEntriesRequest,
    GetManagedPrefixListEntriesResult, ManagedPrefixList, ModifyManagedPrefixListRequest,
    ModifyManagedPrefixListResult, PrefixListState,
};
use wire::pagination::page;

fn range(text: &str) -> Result<Ipv4Net, Refusal> {
    text.parse::<Ipv4Net>()
        .ok()
        .filter(|range| *range == range.trunc())
        .ok_or_else(|| {
            Refusal::invalid_value(format!("The CIDR block {text} is not a valid CIDR block."))
        })
}

fn entries(wanted: Vec<AddPrefixListEntry>) -> Result<Vec<PrefixListEntry>, Refusal> {
    let entry = |wanted: AddPrefixListEntry| {
        Ok(PrefixListEntry {
            cidr: range(&wanted.cidr)?,
            description: wanted.description,
        })
    };
    wanted.into_iter().map(entry).collect()
}

pub(super) fn create(
    call: &mut Call<'_>,
    request: CreateManagedPrefixListRequest,
) -> Outcome<CreateManagedPrefixListResult> {
    let token = call.token(
        "CreateManagedPrefixList",
        &request,
        request.client_token.as_deref(),
    )?;
    if let Some(made) = &token.made
        && let Ok(list) = lists::find(&call.state, call.context, made)
    {
        return Ok(CreateManagedPrefixListResult {
            prefix_list: Some(wire_list(&call.state, list)),
        });
    }
    let tags = specified(request.tag_specifications, "prefix-list")?;
    match request.address_family.as_str() {
        "IPv4" => {}
        "IPv6" => return Err(Refusal::unsupported("Skylab has no IPv6 prefix lists").into()),
        other => {
            let message = format!(
                "Value ({other}) for parameter AddressFamily is invalid. Valid values: IPv4, IPv6."
            );
            return Err(Refusal::invalid_value(message).into());
        }
    }
    let entries = entries(request.entries)?;
    let (name, max_entries) = (&request.prefix_list_name, request.max_entries);
    let id = lists::create(&mut call.state, call.context, name, max_entries, entries)?;
    tag::apply(
        &mut call.state,
        call.context,
        id.as_str(),
        "prefix-list",
        tags,
    )?;
    call.keep(token, id.as_str());
    let list = lists::find(&call.state, call.context, id.as_str())?;
    Ok(CreateManagedPrefixListResult {
        prefix_list: Some(wire_list(&call.state, list)),
    })
}

pub(super) fn modify(
    call: &mut Call<'_>,
    request: ModifyManagedPrefixListRequest,
) -> Outcome<ModifyManagedPrefixListResult> {
    let id = lists::find(&call.state, call.context, &request.prefix_list_id)?
        .id
        .clone();
    let removed = request
        .remove_entries
        .iter()
        .map(|entry| range(&entry.cidr));
    let change = Modification {
        current_version: request.current_version,
        name: request.prefix_list_name,
        max_entries: request.max_entries,
        add: entries(request.add_entries)?,
        remove: removed.collect::<Result<_, _>>()?,
    };
    lists::modify(&mut call.state, call.context, &id, change)?;
    let list = lists::find(&call.state, call.context, id.as_str())?;
    Ok(ModifyManagedPrefixListResult {
        prefix_list: Some(wire_list(&call.state, list)),
    })
}

pub(super) fn delete(
    call: &mut Call<'_>,
    request: DeleteManagedPrefixListRequest,
) -> Outcome<DeleteManagedPrefixListResult> {
    let list = lists::find(&call.state, call.context, &request.prefix_list_id)?;
    let (id, mut shown) = (list.id.clone(), wire_list(&call.state, list));
    lists::delete(&mut call.state, &id)?;
    shown.state = Some(PrefixListState::DeleteComplete);
    Ok(DeleteManagedPrefixListResult {
        prefix_list: Some(shown),
    })
}

pub(super) fn entries_of(
    call: &mut Call<'_>,
    request: GetManagedPrefixListEntriesRequest,
) -> Outcome<GetManagedPrefixListEntriesResult> {
    let list = lists::find(&call.state, call.context, &request.prefix_list_id)?;
    let entries = list.entries_of(request.target_version.unwrap_or(list.version))?;
    let shown = entries.iter().map(|entry| wire::ec2::PrefixListEntry {
        cidr: Some(entry.cidr.to_string()),
        description: entry.description.clone(),
    });
    let (entries, next_token) = page(
        shown.collect(),
        request.max_results,
        request.next_token.as_deref(),
        1..=100,
    )?;
    Ok(GetManagedPrefixListEntriesResult {
        entries,
        next_token,
    })
}

pub(super) fn describe(
    call: &mut Call<'_>,
    request: DescribeManagedPrefixListsRequest,
) -> Outcome<DescribeManagedPrefixListsResult> {
    let wanted = wanted!(request, prefix_list_ids);
    let state = &call.state;
    let kind = Kind {
        filters: &["owner-id", "prefix-list-id", "prefix-list-name"],
        id: &|list: &PrefixList| list.id.to_string(),
        field: &|list, name| match name {
            "owner-id" => one(&state.settings.account),
            "prefix-list-id" => one(&list.id),
            _ => one(&list.name),
        },
        not_found: &lists::unknown,
    };
    let here = call.context.here(&state.prefix_lists);
    let (chosen, next_token) = select(call, here, wanted, &kind)?;
    let prefix_lists = chosen
        .into_iter()
        .map(|list| wire_list(state, list))
        .collect();
    Ok(DescribeManagedPrefixListsResult {
        prefix_lists,
        next_token,
    })
}

/// The lists of AWS's own services. They serve gateway endpoints, of which a lab has none.
pub(super) fn describe_of_services(
    call: &mut Call<'_>,
    request: DescribePrefixListsRequest,
) -> Outcome<DescribePrefixListsResult> {
    let wanted = wanted!(request, prefix_list_ids);
    let kind = Kind {
        filters: &["prefix-list-id", "prefix-list-name"],
        id: &|list: &PrefixList| list.id.to_string(),
        field: &|list, _| one(&list.name),
        not_found: &lists::unknown,
    };
    let (_, next_token) = select(call, std::iter::empty(), wanted, &kind)?;
    Ok(DescribePrefixListsResult {
        next_token,
        ..DescribePrefixListsResult::default()
    })
}

fn wire_list(state: &State, list: &PrefixList) -> ManagedPrefixList {
    let account = &state.settings.account;
    ManagedPrefixList {
        address_family: Some("IPv4".to_owned()),
        max_entries: i32::try_from(list.max_entries).ok(),
        owner_id: Some(account.clone()),
        prefix_list_arn: Some(format!(
            "arn:aws:ec2:{}:{account}:prefix-list/{}",
            list.region, list.id
        )),
        prefix_list_id: Some(list.id.to_string()),
        prefix_list_name: Some(list.name.clone()),
        state: Some(match list.progress {
            Progress::Created => PrefixListState::CreateComplete,
            Progress::Modified => PrefixListState::ModifyComplete,
        }),
        tags: wire_tags(state, list.id.as_str()),
        version: Some(list.version),
        ..ManagedPrefixList::default()
    }
}

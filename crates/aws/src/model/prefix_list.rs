//! Managed prefix lists.
//!
//! <https://docs.aws.amazon.com/vpc/latest/userguide/managed-prefix-lists.html>

use super::*;
use serde::{Deserialize, Serialize};

use ipnet::Ipv4Net;
use std::sync::Arc;

/// The most entries a list may be made for.
const MOST_ENTRIES: i32 = 1000;
/// How many lists an account has in a region.
/// <https://docs.aws.amazon.com/vpc/latest/userguide/amazon-vpc-limits.html>
const LISTS_PER_REGION: usize = 100;

/// A customer-managed prefix list of IPv4 ranges.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PrefixList {
    /// Its id.
    pub id: PrefixListId,
    /// The region.
    pub region: String,
    /// Its name.
    pub name: String,
    /// How many entries it may have; what refers to it counts that many rules or routes.
    pub max_entries: u32,
    /// Its version, one more with every change.
    pub version: i64,
    /// Its entries, version by version; the last is the current.
    pub versions: Vec<Vec<PrefixListEntry>>,
    /// What was last done to it.
    pub progress: Progress,
}

/// What was last done to a list; AWS shows it as the list's state.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Progress {
    /// Made: `create-complete`.
    Created,
    /// Changed: `modify-complete`.
    Modified,
}

/// An entry of a prefix list.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PrefixListEntry {
    /// The range.
    pub cidr: Ipv4Net,
    /// The user's words.
    pub description: Option<String>,
}

/// A change of a list. A new name makes no new version; new entries do.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Modification {
    /// The version that the change is based on.
    pub current_version: Option<i64>,
    /// The new name.
    pub name: Option<String>,
    /// The new maximum of entries.
    pub max_entries: Option<i32>,
    /// Entries to add, or to describe anew.
    pub add: Vec<PrefixListEntry>,
    /// Entries to remove.
    pub remove: Vec<Ipv4Net>,
}

impl PrefixList {
    /// The current entries.
    pub fn entries(&self) -> &[PrefixListEntry] {
        self.versions.last().map_or(&[], Vec::as_slice)
    }

    /// The entries of a version.
    ///
    /// # Errors
    /// `PrefixListVersionNotFound`.
    pub fn entries_of(&self, version: i64) -> Result<&[PrefixListEntry], Refusal> {
        // Version n stands at n - 1.
        usize::try_from(version - 1)
            .ok()
            .and_then(|index| self.versions.get(index))
            .map(Vec::as_slice)
            .ok_or_else(|| {
                Refusal::new(
                    "PrefixListVersionNotFound",
                    format!(
                        "The prefix list version '{version}' does not exist for '{}'",
                        self.id
                    ),
                )
            })
    }

    fn push_version(&mut self, entries: Vec<PrefixListEntry>) {
        self.versions.push(entries);
        self.version += 1;
        self.progress = Progress::Modified;
    }
}

/// An unknown or malformed id.
pub(crate) fn unknown(id: &str) -> Refusal {
    if PrefixListId::well_formed(id) {
        Refusal::new(
            "InvalidPrefixListID.NotFound",
            format!("The prefix list ID '{id}' does not exist"),
        )
    } else {
        Refusal::new(
            "InvalidPrefixListId.Malformed",
            format!("Invalid id: \"{id}\" (expecting \"pl-...\")"),
        )
    }
}

/// The list of that id in the region asked.
///
/// # Errors
/// `InvalidPrefixListID.NotFound`, `InvalidPrefixListId.Malformed`.
pub fn find<'s>(state: &'s State, context: &Context, id: &str) -> Result<&'s PrefixList, Refusal> {
    context
        .find(&state.prefix_lists, id)
        .ok_or_else(|| unknown(id))
}

fn edit<'s>(state: &'s mut State, id: &PrefixListId) -> Result<&'s mut PrefixList, Refusal> {
    state
        .prefix_lists
        .get_mut(id)
        .map(Arc::make_mut)
        .ok_or_else(|| unknown(id.as_str()))
}

fn check_name(name: &str) -> Result<(), Refusal> {
    if name.is_empty() || name.len() > 255 || name.starts_with("com.amazonaws") {
        return Err(Refusal::invalid_value(format!(
            "Value ({name}) for parameter PrefixListName is invalid. Names are up to 255 characters and do not start with com.amazonaws."
        )));
    }
    Ok(())
}

fn checked_max_entries(number: i32) -> Result<u32, Refusal> {
    u32::try_from(number)
        .ok()
        .filter(|_| (1..=MOST_ENTRIES).contains(&number))
        .ok_or_else(|| {
            Refusal::invalid_value(format!(
                "Value ({number}) for parameter MaxEntries is invalid. It must be between 1 and {MOST_ENTRIES}."
            ))
        })
}

fn too_many_entries() -> Refusal {
    Refusal::new(
        "PrefixListMaxEntriesExceeded",
        "You've reached the maximum number of entries for the prefix list.",
    )
}

fn repeated(cidr: Ipv4Net) -> Refusal {
    Refusal::invalid_value(format!("The CIDR {cidr} is specified more than once."))
}

/// Makes a list, at version 1.
///
/// # Errors
/// `InvalidParameterValue` for its name, maximum or an entry given twice,
/// `PrefixListMaxEntriesExceeded`, `PrefixListLimitExceeded`.
pub fn create(
    state: &mut State,
    context: &Context,
    name: &str,
    max_entries: i32,
    entries: Vec<PrefixListEntry>,
) -> Result<PrefixListId, Refusal> {
    check_name(name)?;
    let max_entries = checked_max_entries(max_entries)?;
    if entries.len() > max_entries as usize {
        return Err(too_many_entries());
    }
    for (position, entry) in entries.iter().enumerate() {
        if entries[..position]
            .iter()
            .any(|other| other.cidr == entry.cidr)
        {
            return Err(repeated(entry.cidr));
        }
    }
    let present = context.here(&state.prefix_lists).count();
    if context.quotas && present >= LISTS_PER_REGION {
        return Err(Refusal::new(
            "PrefixListLimitExceeded",
            "The maximum number of prefix lists has been reached.",
        ));
    }
    let id = PrefixListId::fresh(&state.digits());
    let list = PrefixList {
        id: id.clone(),
        region: context.region.clone(),
        name: name.to_owned(),
        max_entries,
        version: 1,
        versions: vec![entries],
        progress: Progress::Created,
    };
    state.prefix_lists.insert(id.clone(), Arc::new(list));
    Ok(id)
}

fn check_version(list: &PrefixList, given: Option<i64>) -> Result<(), Refusal> {
    match given {
        Some(version) if version != list.version => Err(Refusal::new(
            "PrefixListVersionMismatch",
            format!(
                "The prefix list has the incorrect version number. Expected {}, got {version}.",
                list.version
            ),
        )),
        _ => Ok(()),
    }
}

/// Changes a list.
///
/// # Errors
/// `PrefixListVersionMismatch` when it has changed since, `MissingParameter` for new entries without
/// the version they are based on, `InvalidParameterCombination` for entries and size at once,
/// `InvalidParameterValue` for what is not there to remove, `PrefixListMaxEntriesExceeded`, and
/// `RulesPerSecurityGroupLimitExceeded` when a group that names it would grow over its quota.
pub fn modify(
    state: &mut State,
    context: &Context,
    id: &PrefixListId,
    change: Modification,
) -> Result<(), Refusal> {
    let mut list = find(state, context, id.as_str())?.clone();
    check_version(&list, change.current_version)?;
    let new_entries = !change.add.is_empty() || !change.remove.is_empty();
    if new_entries && change.max_entries.is_some() {
        return Err(Refusal::invalid_combination(
            "You cannot modify the entries of a prefix list and modify the size of a prefix list at the same time.",
        ));
    }
    if new_entries && change.current_version.is_none() {
        return Err(Refusal::missing("CurrentVersion"));
    }
    if let Some(name) = change.name {
        check_name(&name)?;
        list.name = name;
        list.progress = Progress::Modified;
    }
    if let Some(max_entries) = change.max_entries {
        list.max_entries = checked_max_entries(max_entries)?;
        list.progress = Progress::Modified;
    }
    if new_entries {
        let entries = changed_entries(list.entries(), change.add, &change.remove)?;
        list.push_version(entries);
    }
    if list.entries().len() > list.max_entries as usize {
        return Err(too_many_entries());
    }
    *edit(state, id)? = list;
    security_group::check_resized_list(state, context, id)
}

fn changed_entries(
    present: &[PrefixListEntry],
    add: Vec<PrefixListEntry>,
    remove: &[Ipv4Net],
) -> Result<Vec<PrefixListEntry>, Refusal> {
    let mut entries = present.to_vec();
    for cidr in remove {
        let position = entries
            .iter()
            .position(|entry| entry.cidr == *cidr)
            .ok_or_else(|| {
                Refusal::invalid_value(format!("The prefix list entry {cidr} does not exist."))
            })?;
        entries.remove(position);
    }
    let kept = entries.len();
    for entry in add {
        match entries.iter().position(|other| other.cidr == entry.cidr) {
            Some(position) if position < kept => entries[position] = entry,
            Some(_) => return Err(repeated(entry.cidr)),
            None => entries.push(entry),
        }
    }
    Ok(entries)
}

/// What names a list: security groups and route tables.
pub fn referring(state: &State, id: &PrefixListId) -> Vec<String> {
    let groups = state.security_groups.values().filter(|group| {
        let mut rules = group.rules.iter();
        rules.any(|rule| matches!(&rule.peer, security_group::Peer::PrefixList(list) if list == id))
    });
    let tables = state.route_tables.values().filter(|table| {
        let mut routes = table.routes.iter();
        routes.any(|route| {
            matches!(&route.destination, route_table::Destination::PrefixList(list) if list == id)
        })
    });
    groups
        .map(|group| group.id.to_string())
        .chain(tables.map(|table| table.id.to_string()))
        .collect()
}

/// Deletes a list; its tags go.
///
/// # Errors
/// `DependencyViolation` while something names it.
pub fn delete(state: &mut State, id: &PrefixListId) -> Result<(), Refusal> {
    edit(state, id)?;
    if !referring(state, id).is_empty() {
        return Err(Refusal::new(
            "DependencyViolation",
            format!("The prefix list '{id}' has dependencies and cannot be deleted."),
        ));
    }
    state.prefix_lists.remove(id);
    tag::remove_all(state, id.as_str());
    Ok(())
}

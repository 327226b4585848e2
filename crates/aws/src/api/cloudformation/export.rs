//! What stacks export and import.

use super::super::{Call, Outcome};
use super::page;
use crate::model::cloudformation::{importers, invalid, stacks};
use wire::cloudformation::*;

pub(super) fn list(call: &mut Call<'_>, request: ListExportsInput) -> Outcome<ListExportsOutput> {
    let mut exports: Vec<Export> = stacks(&call.state, &call.context.region)
        .flat_map(|stack| stack.outputs.iter().map(move |output| (stack, output)))
        .filter_map(|(stack, output)| {
            Some(Export {
                exporting_stack_id: Some(stack.id.clone()),
                name: Some(output.export.clone()?),
                value: Some(output.value.clone()),
            })
        })
        .collect();
    exports.sort_by(|a, b| a.name.cmp(&b.name));
    let (exports, next_token) = page(exports, request.next_token.as_deref())?;
    Ok(ListExportsOutput {
        exports,
        next_token,
    })
}

pub(super) fn imports(
    call: &mut Call<'_>,
    request: ListImportsInput,
) -> Outcome<ListImportsOutput> {
    let name = &request.export_name;
    let users = importers(&call.state, &call.context.region, name);
    if users.is_empty() {
        return Err(invalid(format!("Export '{name}' is not imported by any stack.")).into());
    }
    let (imports, next_token) = page(users, request.next_token.as_deref())?;
    Ok(ListImportsOutput {
        imports,
        next_token,
    })
}

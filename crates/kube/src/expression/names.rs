//! The variables that an expression uses and doesn't bind itself.

use cel::common::ast::{EntryExpr, Expr, IdedExpr};
use std::collections::BTreeSet;

/// The free variables of an expression.
pub(super) fn free(expression: &IdedExpr) -> BTreeSet<&str> {
    let mut found = BTreeSet::new();
    walk(expression, &mut Vec::new(), &mut found);
    found
}

fn walk<'e>(of: &'e IdedExpr, bound: &mut Vec<&'e str>, found: &mut BTreeSet<&'e str>) {
    match &of.expr {
        Expr::Ident(name) => {
            if !bound.contains(&name.as_str()) && !name.starts_with('@') {
                found.insert(name);
            }
        }
        Expr::Call(call) => {
            let inner = call.target.iter().map(AsRef::as_ref).chain(&call.args);
            inner.for_each(|inner| walk(inner, bound, found));
        }
        Expr::Comprehension(of) => {
            walk(&of.iter_range, bound, found);
            walk(&of.accu_init, bound, found);
            let before = bound.len();
            bound.extend([of.iter_var.as_str(), of.accu_var.as_str()]);
            bound.extend(of.iter_var2.as_deref());
            for inner in [&of.loop_cond, &of.loop_step, &of.result] {
                walk(inner, bound, found);
            }
            bound.truncate(before);
        }
        Expr::List(list) => list
            .elements
            .iter()
            .for_each(|inner| walk(inner, bound, found)),
        Expr::Select(select) => walk(&select.operand, bound, found),
        Expr::Map(map) => map
            .entries
            .iter()
            .for_each(|of| entry(&of.expr, bound, found)),
        Expr::Struct(of) => of
            .entries
            .iter()
            .for_each(|of| entry(&of.expr, bound, found)),
        Expr::Literal(_) | Expr::Unspecified => {}
    }
}

fn entry<'e>(of: &'e EntryExpr, bound: &mut Vec<&'e str>, found: &mut BTreeSet<&'e str>) {
    match of {
        EntryExpr::StructField(field) => walk(&field.value, bound, found),
        EntryExpr::MapEntry(of) => {
            walk(&of.key, bound, found);
            walk(&of.value, bound, found);
        }
    }
}

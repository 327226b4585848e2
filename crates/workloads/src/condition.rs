//! Conditions in a status.

use serde_json::{Value, json};

use crate::{clock, object};

/// The condition of a type in a list of conditions.
pub(crate) fn find<'a>(conditions: &'a [Value], kind: &str) -> Option<&'a Value> {
    conditions
        .iter()
        .find(|c| c.get("type").and_then(Value::as_str) == Some(kind))
}

/// A condition's field, empty where there is none.
pub(crate) fn field<'a>(condition: &'a Value, field: &str) -> &'a str {
    condition
        .get(field)
        .and_then(Value::as_str)
        .unwrap_or_default()
}

/// Whether a condition of that type has status `True`.
pub(crate) fn is_true(conditions: &[Value], kind: &str) -> bool {
    find(conditions, kind).is_some_and(|c| field(c, "status") == "True")
}

/// Removes the condition of a type.
pub(crate) fn remove(conditions: &mut Vec<Value>, kind: &str) {
    conditions.retain(|c| field(c, "type") != kind);
}

/// A condition as a controller finds it now.
pub(crate) struct Finding<'a> {
    /// `type`.
    pub kind: &'a str,
    /// `True`, `False` or `Unknown`.
    pub status: &'a str,
    /// The machine-readable reason.
    pub reason: &'a str,
    /// The text for people.
    pub message: &'a str,
}

impl Finding<'_> {
    /// The condition's object with both of its times being `now`.
    pub(crate) fn at(&self, now: i64) -> Value {
        json!({
            "type": self.kind,
            "status": self.status,
            "reason": self.reason,
            "message": self.message,
            "lastTransitionTime": clock::format(now),
        })
    }

    /// Puts the condition in place of the one of its type. `lastTransitionTime` stays where the
    /// status stays.
    pub(crate) fn set(&self, conditions: &mut Vec<Value>, now: i64) {
        let mut condition = self.at(now);
        let Some(place) = conditions
            .iter_mut()
            .find(|c| field(c, "type") == self.kind)
        else {
            conditions.push(condition);
            return;
        };
        if field(place, "status") == self.status
            && let Some(since) = place.get("lastTransitionTime")
        {
            object::put(&mut condition, &["lastTransitionTime"], since.clone());
        }
        *place = condition;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_transition_time_stays_with_the_status() {
        let mut conditions = Vec::new();
        let mut finding = Finding {
            kind: "Ready",
            status: "True",
            reason: "A",
            message: "",
        };
        finding.set(&mut conditions, 0);
        finding.reason = "B";
        finding.set(&mut conditions, 60);
        assert_eq!(
            field(&conditions[0], "lastTransitionTime"),
            clock::format(0)
        );
        finding.status = "False";
        finding.set(&mut conditions, 120);
        assert_eq!(
            field(&conditions[0], "lastTransitionTime"),
            clock::format(120)
        );
        assert_eq!(conditions.len(), 1);
    }
}

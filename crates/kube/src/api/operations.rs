//! JSON patches, carried out operation by operation, so that none makes of a small object a boundless one: copies
//! of copies double with each operation, in depth and in size.
//!
//! <https://www.rfc-editor.org/rfc/rfc6902>, with the bounds of
//! <https://github.com/kubernetes/kubernetes/blob/v1.32.0/staging/src/k8s.io/apiserver/pkg/endpoints/handlers/patch.go>

use super::nesting;
use super::status::Status;
use json_patch::{Patch, PatchOperation};
use serde_json::Value;

/// A patch has no more operations.
const MOST: usize = 10_000;
/// What a patch copies is no longer, as JSON.
const MOST_COPIED: usize = 3 << 20;

/// Why a patch can't be carried out.
#[derive(Debug, thiserror::Error)]
pub(super) enum PatchError {
    /// It is too long.
    #[error("The allowed maximum operations in a JSON patch is {MOST}, got {0}")]
    Many(usize),
    /// It copies too much.
    #[error(
        "the server rejected our request due to an error in our request: Unable to complete the copy, the accumulated size increase of copy is more than the limit {MOST_COPIED}"
    )]
    Large,
    /// It puts something too deep.
    #[error("the server rejected our request due to an error in our request: {0}")]
    Deep(String),
    /// An operation doesn't fit the object.
    #[error("the server rejected our request due to an error in our request: {0}")]
    Unfit(#[from] json_patch::PatchError),
}

impl From<PatchError> for Status {
    fn from(error: PatchError) -> Self {
        let (code, reason) = match error {
            PatchError::Many(_) => (413, "RequestEntityTooLarge"),
            _ => (422, "Invalid"),
        };
        Self::new(code, reason, error.to_string())
    }
}

/// Carries out a patch. After an error the object is of no use.
pub(super) fn carry_out(object: &mut Value, patch: &Patch) -> Result<(), PatchError> {
    if patch.0.len() > MOST {
        return Err(PatchError::Many(patch.0.len()));
    }
    let mut copied = 0;
    for operation in &patch.0 {
        bound(object, operation, &mut copied)?;
        json_patch::patch(object, std::slice::from_ref(operation))?;
    }
    Ok(())
}

/// Refuses an operation whose outcome would be too deep or too large.
fn bound(object: &Value, operation: &PatchOperation, copied: &mut usize) -> Result<(), PatchError> {
    let (path, value) = match operation {
        PatchOperation::Add(add) => (&add.path, Some(&add.value)),
        PatchOperation::Replace(replace) => (&replace.path, Some(&replace.value)),
        PatchOperation::Move(moved) => (&moved.path, object.pointer(moved.from.as_str())),
        PatchOperation::Copy(copy) => {
            let value = object.pointer(copy.from.as_str());
            *copied += value.map_or(0, |value| value.to_string().len());
            if *copied > MOST_COPIED {
                return Err(PatchError::Large);
            }
            (&copy.path, value)
        }
        PatchOperation::Remove(_) | PatchOperation::Test(_) => return Ok(()),
    };
    let depth = path.tokens().count();
    if value.is_some_and(|value| !nesting::fits_below(value, depth)) {
        return Err(PatchError::Deep("exceeded max depth".to_owned()));
    }
    Ok(())
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use serde_json::json;

    fn patch(operations: Value) -> Patch {
        serde_json::from_value(operations).unwrap()
    }

    /// K8S-API: copies of copies end before they are deep or large.
    #[test]
    fn copies_are_bounded() {
        let copy = |from: &str, path: &str| json!({"op": "copy", "from": from, "path": path});
        let deeper = patch(Value::Array(vec![copy("/a", "/a/b"); 200]));
        let mut object = json!({"a": {}});
        let refused = carry_out(&mut object, &deeper).unwrap_err();
        assert!(matches!(refused, PatchError::Deep(_)), "{refused}");
        let wider = Value::Array(vec![copy("/a", "/a/-"); 40]);
        let mut object = json!({"a": ["x"]});
        let refused = carry_out(&mut object, &patch(wider)).unwrap_err();
        assert!(
            matches!(refused, PatchError::Deep(_) | PatchError::Large),
            "{refused}"
        );
        let mut object = json!({"a": "x".repeat(1 << 20)});
        let many = patch((0..4).map(|n| copy("/a", &format!("/b{n}"))).collect());
        let refused = carry_out(&mut object, &many).unwrap_err();
        assert!(matches!(refused, PatchError::Large), "{refused}");
    }

    /// K8S-API: a patch that is carried out changes the object, one with too many operations is refused.
    #[test]
    fn patches_change() {
        let mut object = json!({"a": {"b": 1}});
        let fine = patch(json!([
            {"op": "copy", "from": "/a", "path": "/c"}, {"op": "move", "from": "/a/b", "path": "/d"},
            {"op": "test", "path": "/d", "value": 1}, {"op": "replace", "path": "/a", "value": []},
        ]));
        carry_out(&mut object, &fine).unwrap();
        assert_eq!(object, json!({"a": [], "c": {"b": 1}, "d": 1}));
        let many = patch(Value::Array(vec![
            json!({"op": "add", "path": "/a", "value": 1});
            10_001
        ]));
        let status = Status::from(carry_out(&mut object, &many).unwrap_err());
        assert_eq!(status.code, 413);
        let unfit = patch(json!([{"op": "remove", "path": "/none"}]));
        assert_eq!(
            Status::from(carry_out(&mut object, &unfit).unwrap_err()).code,
            422
        );
    }
}

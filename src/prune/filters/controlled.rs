//! What a controller made is its to delete.

use serde_json::Value;

use super::{Candidate, Context, Reason};

pub(super) fn why_kept(candidate: &Candidate<'_>, _: &Context<'_>) -> Option<Reason> {
    let controller = candidate.metadata("ownerReferences").as_array()?.iter().find(|owner| owner["controller"] == true)?;
    let text = |value: &Value| value.as_str().unwrap_or("?").to_owned();
    Some(Reason::Controlled { by: format!("{} {}", text(&controller["kind"]), text(&controller["name"])) })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    #[test]
    fn what_is_controlled_is_left_to_its_controller() {
        let owner = |controller: serde_json::Value| json!({"kind": "Deployment", "name": "x", "controller": controller});
        super::super::keeps(
            super::why_kept,
            [
                (json!({}), false),
                (json!({"ownerReferences": []}), false),
                (json!({"ownerReferences": [owner(json!(null))]}), false),
                (json!({"ownerReferences": [owner(json!(false))]}), false),
                (json!({"ownerReferences": [owner(json!(false)), owner(json!(true))]}), true),
                (json!({"ownerReferences": [{"controller": true}]}), true),
            ],
        );
    }
}

//! What is left alone for a while, since somebody says so on the object: no change is applied, and no drift put right.
//!
//! The words are kaito's own, and one of Flux', whose users know it. They may be annotations or labels, as there.

use serde_json::Value;

use crate::spec::Workspace;

/// On an object or a Workspace: it is left alone.
pub const RECONCILE: &str = "kaito.sh/reconcile";

/// On a Workspace, or on what keeps a set: all of it is left alone.
pub const SUSPEND: &str = "kaito.sh/suspend";

/// What Flux is told.
const FLUX: &str = "kustomize.toolkit.fluxcd.io/reconcile";

/// The words, and the value at which each of them holds.
const WORDS: [(&str, &str); 3] = [(RECONCILE, "disabled"), (SUSPEND, "true"), (FLUX, "disabled")];

/// The word by which an object is to be left alone, if it is.
pub fn pause_of(object: &Value) -> Option<&'static str> {
    let metadata = &object["metadata"];
    pause(|key| [&metadata["annotations"][key], &metadata["labels"][key]].into_iter().filter_map(Value::as_str).collect())
}

/// The word by which a Workspace as it is declared, and all that it stands for, is to be left alone, if it is.
pub fn pause_of_workspace(workspace: &Workspace) -> Option<&'static str> {
    pause(|key| [workspace.annotation(key), workspace.label(key)].into_iter().flatten().collect())
}

fn pause<'v>(values: impl Fn(&str) -> Vec<&'v str>) -> Option<&'static str> {
    let holds = |(key, wanted): &(&'static str, &str)| values(key).iter().any(|value| value.trim().eq_ignore_ascii_case(wanted));
    WORDS.into_iter().find(holds).map(|(key, _)| key)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_is_left_alone() {
        let table = [
            (json!({"annotations": {"kaito.sh/reconcile": "disabled"}}), Some(RECONCILE)),
            (json!({"annotations": {"kaito.sh/reconcile": " Disabled "}}), Some(RECONCILE)),
            (json!({"labels": {"kaito.sh/reconcile": "DISABLED"}}), Some(RECONCILE)),
            (json!({"annotations": {"kaito.sh/reconcile": "enabled"}, "labels": {"kaito.sh/reconcile": "disabled"}}), Some(RECONCILE)),
            (json!({"annotations": {"kaito.sh/suspend": "True"}}), Some(SUSPEND)),
            (json!({"labels": {"kustomize.toolkit.fluxcd.io/reconcile": "disabled"}}), Some(FLUX)),
            (json!({"annotations": {"kaito.sh/reconcile": "enabled"}}), None),
            (json!({"annotations": {"kaito.sh/reconcile": ""}}), None),
            (json!({"annotations": {"kaito.sh/suspend": "false"}}), None),
            (json!({"annotations": {"reconcile": "disabled"}}), None),
            (json!({"annotations": {"kaito.sh/reconcile": null}}), None),
            (json!({"annotations": ["disabled"]}), None),
            (json!({}), None),
        ];
        for (metadata, want) in table {
            assert_eq!(pause_of(&json!({"metadata": metadata})), want, "{metadata}");
            let mut declared = json!({"apiVersion": "kaito.sh/v1beta1", "kind": "Workspace", "metadata": metadata});
            declared["metadata"]["name"] = "phi-4".into();
            if let Ok(workspace) = serde_json::from_value::<Workspace>(declared) {
                assert_eq!(pause_of_workspace(&workspace), want, "{metadata}");
            }
        }
    }
}

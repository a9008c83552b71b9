//! A patch of the rendered objects, which `git apply` and `patch -p1` take: of the files as `kaito render --output-dir` writes them.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use serde_json::Value;
use similar::TextDiff;

use super::lines::CONTEXT;
use crate::diff::{ObjectChange, Report};
use crate::yaml;

/// The patch.
pub fn unified(report: &Report) -> String {
    let mut paths = BTreeSet::new();
    let mut out = String::new();
    for owner in &report.owners {
        let workspace = owner.owner.as_ref().map(|owner| (owner.namespace.as_str(), owner.name.as_str()));
        for object in &owner.objects {
            let mut path = object.reference.file_path(workspace, false);
            if paths.contains(&path) {
                path = object.reference.file_path(workspace, true);
            }
            out.push_str(&of_object(object, &path));
            paths.insert(path);
        }
    }
    out
}

fn of_object(object: &ObjectChange, path: &str) -> String {
    let (before, after) = (text(object.before.as_ref()), text(object.after.as_ref()));
    let mut out = format!("diff --git a/{path} b/{path}\n");
    let (mut old, mut new) = (format!("a/{path}"), format!("b/{path}"));
    if object.before.is_none() {
        out.push_str("new file mode 100644\n");
        "/dev/null".clone_into(&mut old);
    }
    if object.after.is_none() {
        out.push_str("deleted file mode 100644\n");
        "/dev/null".clone_into(&mut new);
    }
    _ = write!(out, "{}", TextDiff::from_lines(&before, &after).unified_diff().context_radius(CONTEXT).header(&old, &new));
    out
}

/// An object as YAML; empty if there is none.
pub(super) fn text(object: Option<&Value>) -> String {
    let mut text = String::new();
    if let Some(object) = object {
        yaml::to_yaml(object, &mut text);
    }
    text
}

/// RBAC's names may hold anything: what isn't at home in a path is written as in a URL.
pub(super) fn in_path(name: &str) -> String {
    let mut path = String::with_capacity(name.len());
    for byte in name.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'.' | b'-' | b'_' => path.push(char::from(byte)),
            _ => _ = write!(path, "%{byte:02X}"),
        }
    }
    path
}

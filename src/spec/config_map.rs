//! The configuration that lies in a ConfigMap as the text of one key.

use std::sync::Arc;

use crate::diagnostic::{Diagnostic, SourceFile};
use crate::rule;
use crate::yaml::{Document, Step};

/// What is said of a ConfigMap that is referred to and could be read only in part: what it holds isn't known then.
pub(crate) fn unread_config_map(config_map: &Document, name: &str) -> Option<Diagnostic> {
    if config_map.is_whole {
        return None;
    }
    let (line, _) = config_map.file.line_column(config_map.root.span.start);
    let message = format!("the ConfigMap {name} couldn't be read whole, in {}:{line}", config_map.file.name);
    Some(rule::INVALID_CONFIG.says(message).help("mend what is said of it there"))
}

/// The text of a key of a ConfigMap, as a file of its own; what is wrong is added to `findings`.
pub(super) fn text(
    config_map: &Document,
    name: &str,
    key: &str,
    needed_by: &str,
    findings: &mut Vec<Diagnostic>,
) -> Option<Arc<SourceFile>> {
    let Some(node) = config_map.root.get("data").and_then(|data| data.get(key)) else {
        let finding = rule::INVALID_CONFIG.says(format!("ConfigMap {name} has no key {key}, which {needed_by} needs"));
        findings.push(config_map.finding(finding, &[Step::Field("data")]));
        return None;
    };
    let Some(text) = node.as_str() else {
        let finding = rule::INVALID_CONFIG
            .says(format!("expected a string, found {}", node.describe()))
            .help(format!("write it as a block: {key}: |"));
        findings.push(config_map.finding(finding, &[Step::Field("data"), Step::Field(key)]));
        return None;
    };
    Some(file(config_map, name, key, text))
}

/// The text of a key of a ConfigMap, as a file that knows where it stands.
pub(super) fn file(config_map: &Document, name: &str, key: &str, text: &str) -> Arc<SourceFile> {
    let place = config_map.place(&[Step::Field("data"), Step::Field(key)]);
    SourceFile::within(place, format!("{} (ConfigMap {name}, {key})", config_map.file.name), text)
}

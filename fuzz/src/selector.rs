//! Label selectors.

use std::collections::BTreeMap;

use kaito::selector::Selector;

/// A selector is read as it is shown, and selects nothing that one of its requirements alone doesn't. A second line has labels.
pub fn holds(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    let (text, labels) = text.split_once('\n').unwrap_or((text, "app=a,tier=x,gpus=4"));
    let selector = match text.parse::<Selector>() {
        Ok(selector) => selector,
        Err(message) => return assert!(!message.is_empty()),
    };
    assert_eq!(selector.to_string().parse::<Selector>().as_ref().map(ToString::to_string), Ok(selector.to_string()));
    let labels: BTreeMap<String, String> =
        labels.split(',').filter_map(|label| label.split_once('=')).map(|(key, value)| (key.to_owned(), value.to_owned())).collect();
    let is_selected = selector.matches(&labels);
    if let Ok(both) = format!("{text},app").parse::<Selector>() {
        assert_eq!(both.matches(&labels), is_selected && labels.contains_key("app"), "{text:?}");
    }
    // A key that is wanted and not wanted at once selects nothing.
    if let Ok(never) = format!("app,!app,{text}").parse::<Selector>() {
        assert!(!never.matches(&labels), "{text:?}");
    }
}

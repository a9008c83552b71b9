//! The items of a list, read on another thread while further answers come: a list of a thousand workloads is more than ten megabytes.

use serde::Deserialize;
use serde::de::Error as _;
use serde_json::{Error, Value};
use tokio::sync::oneshot;

#[derive(Deserialize)]
struct List {
    /// A server that has none may say `null`.
    items: Option<Vec<Value>>,
}

/// Reads the items of a list.
///
/// # Errors
/// It is no list.
pub(super) async fn read(list: String) -> Result<Vec<Value>, Error> {
    let (done, items) = oneshot::channel();
    rayon::spawn(move || _ = done.send(items_of(&list)));
    items.await.unwrap_or_else(|_| Err(Error::custom("the list was not read to its end")))
}

fn items_of(list: &str) -> Result<Vec<Value>, Error> {
    serde_json::from_str(list).map(|list: List| list.items.unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn lists() {
        let table = [
            (r#"{"kind":"List","items":[{"a":1},{"b":[2]}],"metadata":{}}"#, Some(vec![json!({"a": 1}), json!({"b": [2]})])),
            (r#"{"items":[]}"#, Some(vec![])),
            (r#"{"items":null}"#, Some(vec![])),
            (r#"{"kind":"Status"}"#, Some(vec![])),
            (r#"{"items":[{"a":1}"#, None),
            (r#"{"items":{}}"#, None),
            ("", None),
        ];
        for (list, want) in table {
            assert_eq!(items_of(list).ok(), want, "{list}");
        }
    }
}

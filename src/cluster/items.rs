//! The items of a list, read on other threads while further answers come: a list of a thousand workloads is more than ten megabytes.

use rayon::prelude::*;
use serde::Deserialize;
use serde::de::Error as _;
use serde_json::value::RawValue;
use serde_json::{Error, Value};
use tokio::sync::oneshot;

use crate::raw_object::RawObject;

/// What an item of a list is read as.
pub(super) trait Item: Send + Sized + 'static {
    /// Reads an item.
    ///
    /// # Errors
    /// It can't be read as such.
    fn read(item: &RawValue) -> Result<Self, Error>;
}

impl Item for Value {
    fn read(item: &RawValue) -> Result<Self, Error> {
        serde_json::from_str(item.get())
    }
}

impl Item for RawObject {
    fn read(item: &RawValue) -> Result<Self, Error> {
        Ok(Self::item(item))
    }
}

#[derive(Deserialize)]
struct List<'l> {
    /// A server that has none may say `null`.
    #[serde(borrow)]
    items: Option<Vec<&'l RawValue>>,
}

/// Up to how many bytes a list is read at once: another thread would take longer to begin.
const SMALL: usize = 1 << 16;

/// Reads the items of a list.
///
/// # Errors
/// It is no list.
pub(super) async fn read<T: Item>(list: String) -> Result<Vec<T>, Error> {
    if list.len() <= SMALL {
        let List { items } = serde_json::from_str(&list)?;
        return items.unwrap_or_default().into_iter().map(T::read).collect();
    }
    let (done, items) = oneshot::channel();
    rayon::spawn(move || _ = done.send(items_of(&list)));
    items.await.unwrap_or_else(|_| Err(Error::custom("the list was not read to its end")))
}

fn items_of<T: Item>(list: &str) -> Result<Vec<T>, Error> {
    let List { items } = serde_json::from_str(list)?;
    items.unwrap_or_default().into_par_iter().with_min_len(16).map(T::read).collect()
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
            assert_eq!(items_of::<Value>(list).ok(), want, "{list}");
            let raw = items_of::<RawObject>(list).ok();
            assert_eq!(raw.map(|items| items.iter().map(RawObject::read).collect::<Vec<_>>()), want, "{list}");
        }
    }
}

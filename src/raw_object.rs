//! An object as its JSON text: a tenth of what a tree of values takes, and most are looked at once or never.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::Deserialize;
use serde_json::value::RawValue;
use serde_json::{Value, json};

/// An object as its JSON text, which is read when somebody wants to know. A copy costs nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RawObject {
    /// What the items of a list don't say.
    type_meta: Option<Arc<TypeMeta>>,
    text: Arc<str>,
}

/// The `apiVersion` and kind of objects.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TypeMeta {
    /// The group and its version: `apps/v1`.
    pub api_version: String,
    /// The kind.
    pub kind: String,
}

/// What of an object identifies it and says whose it is.
#[derive(Deserialize)]
struct Head {
    #[serde(rename = "apiVersion")]
    api_version: Option<String>,
    kind: Option<String>,
    metadata: Option<Metadata>,
}

#[derive(Deserialize)]
struct Metadata {
    name: Option<String>,
    namespace: Option<String>,
    labels: Option<BTreeMap<String, String>>,
    annotations: Option<BTreeMap<String, String>>,
}

impl RawObject {
    /// The text of an object.
    pub fn of(object: &Value) -> Self {
        Self { type_meta: None, text: object.to_string().into() }
    }

    /// An item of a list, which doesn't say what it is.
    pub fn item(text: &RawValue) -> Self {
        Self { type_meta: None, text: text.get().into() }
    }

    /// The same, of this kind.
    #[must_use]
    pub fn of_kind(self, type_meta: &Arc<TypeMeta>) -> Self {
        Self { type_meta: Some(Arc::clone(type_meta)), ..self }
    }

    /// The object.
    pub fn read(&self) -> Value {
        let mut object = serde_json::from_str(&self.text).unwrap_or_default();
        if let (Value::Object(_), Some(TypeMeta { api_version, kind })) = (&object, self.type_meta.as_deref()) {
            object["apiVersion"] = api_version.clone().into();
            object["kind"] = kind.clone().into();
        }
        object
    }

    /// The object without all but its `apiVersion`, kind, name, namespace, labels and annotations, which takes a fraction of the time.
    pub fn head(&self) -> Value {
        let Ok(Head { api_version, kind, metadata }) = serde_json::from_str::<Head>(&self.text) else { return Value::Null };
        let (api_version, kind) = match self.type_meta.as_deref() {
            Some(of_list) => (Some(&of_list.api_version), Some(&of_list.kind)),
            None => (api_version.as_ref(), kind.as_ref()),
        };
        let mut head = json!({"apiVersion": api_version, "kind": kind, "metadata": {}});
        if let Some(Metadata { name, namespace, labels, annotations }) = metadata {
            let fields = [("name", name.map(Value::from)), ("namespace", namespace.map(Value::from))];
            let maps = [("labels", labels), ("annotations", annotations)].map(|(name, map)| (name, map.map(|map| json!(map))));
            for (name, value) in fields.into_iter().chain(maps) {
                if let Some(value) = value {
                    head["metadata"][name] = value;
                }
            }
        }
        head
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn objects() {
        let object = json!({
            "apiVersion": "v1",
            "kind": "Service",
            "metadata": {"name": "a", "namespace": "n", "labels": {"l": "1"}, "annotations": {"a": "2"}, "managedFields": [{"manager": "x"}]},
            "spec": {"ports": [{"port": 80}]},
        });
        let raw = RawObject::of(&object);
        assert_eq!(raw.read(), object);
        let metadata = json!({"name": "a", "namespace": "n", "labels": {"l": "1"}, "annotations": {"a": "2"}});
        assert_eq!(raw.head(), json!({"apiVersion": "v1", "kind": "Service", "metadata": metadata}));
    }

    #[test]
    fn items() {
        let service = Arc::new(TypeMeta { api_version: "v1".to_owned(), kind: "Service".to_owned() });
        let text = RawValue::from_string(r#"{"metadata":{"name":"a"}}"#.to_owned()).unwrap();
        let item = RawObject::item(&text).of_kind(&service);
        let want = json!({"apiVersion": "v1", "kind": "Service", "metadata": {"name": "a"}});
        assert_eq!(item.read(), want);
        assert_eq!(item.head(), want);
    }

    #[test]
    fn what_is_no_object() {
        for text in ["null", "[]", "1", r#"{"metadata": []}"#] {
            let raw = RawObject { type_meta: None, text: text.into() };
            assert_eq!(raw.head()["metadata"]["name"], Value::Null, "{text}");
        }
    }
}

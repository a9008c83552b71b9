//! The lists of objects that kustomize and kpt pass through functions, and what a function says about them.
//!
//! Source: KRM Functions Specification 1.0, `config.kubernetes.io/v1` `ResourceList`.

use serde_json::{Value, json};

use crate::diagnostic::{Diagnostic, Severity};
use crate::manifest::ObjectRef;

/// The `apiVersion` of a list.
pub const API_VERSION: &str = "config.kubernetes.io/v1";

/// Says of an object that it is for tools alone and goes to no cluster.
pub const LOCAL_CONFIG: &str = "config.kubernetes.io/local-config";

/// Where the tool keeps an object; the newer name first.
const PLACES: [[&str; 2]; 3] = [
    ["internal.config.kubernetes.io/path", "internal.config.kubernetes.io/index"],
    ["config.kubernetes.io/path", "config.kubernetes.io/index"],
    // kpt before 1.0.
    ["config.k8s.io/path", "config.k8s.io/index"],
];

/// A list of objects, and how the function is to work on them.
#[derive(Clone, Debug, PartialEq)]
pub struct ResourceList {
    /// The objects.
    pub items: Vec<Value>,
    /// How the function is to work.
    pub function_config: Option<Value>,
}

impl ResourceList {
    /// Takes a list apart.
    ///
    /// # Errors
    /// It isn't one.
    pub fn of(list: Value) -> Result<Self, Diagnostic> {
        let no_list = |what: &str| {
            let finding = Diagnostic::error(format!("standard input is no ResourceList: {what}"));
            finding.help(format!(
                "kustomize and kpt pass one (apiVersion: {API_VERSION}, kind: ResourceList); `kaito render` reads plain files"
            ))
        };
        let is_known =
            list["apiVersion"].as_str().is_some_and(|version| version == API_VERSION || version.starts_with("config.kubernetes.io/v1"));
        if list["kind"] != "ResourceList" || !is_known {
            let text = |name: &str| list[name].as_str().unwrap_or("none").to_owned();
            return Err(no_list(&format!("its apiVersion is {}, its kind {}", text("apiVersion"), text("kind"))));
        }
        let Value::Object(mut fields) = list else { return Err(no_list("it is no mapping")) };
        let items = match fields.remove("items") {
            None | Some(Value::Null) => Vec::new(),
            Some(Value::Array(items)) => items,
            Some(_) => return Err(no_list("its items are no list")),
        };
        Ok(Self { items, function_config: fields.remove("functionConfig").filter(|config| !config.is_null()) })
    }

    /// The list with what a function has to say.
    pub fn with_results(self, results: &[Value]) -> Value {
        let mut list = json!({"apiVersion": API_VERSION, "kind": "ResourceList", "items": self.items});
        if let Some(config) = self.function_config {
            list["functionConfig"] = config;
        }
        if !results.is_empty() {
            list["results"] = results.into();
        }
        list
    }
}

/// A finding about one of the objects, or about none.
pub fn result(finding: &Diagnostic, item: Option<&Value>) -> Value {
    let severity = match finding.severity {
        Severity::Error => "error",
        Severity::Warning => "warning",
        Severity::Note => "info",
    };
    let help = finding.help.iter().map(|help| format!("\n{help}"));
    let mut result = json!({"message": finding.message.clone() + &help.collect::<String>(), "severity": severity});
    if let Some(rule) = finding.rule {
        result["tags"] = json!({"rule": rule.id});
    }
    if !finding.field.is_empty() {
        result["field"] = json!({"path": finding.field});
    }
    let Some(item) = item else { return result };
    let mut reference = json!({"apiVersion": item["apiVersion"], "kind": item["kind"], "name": item["metadata"]["name"]});
    if let Some(namespace) = item["metadata"]["namespace"].as_str() {
        reference["namespace"] = namespace.into();
    }
    result["resourceRef"] = reference;
    if let Some((path, index)) = place(item) {
        result["file"] = json!({"path": path, "index": index});
    }
    result
}

/// In which file an object stands, and the how manieth it is there.
fn place(item: &Value) -> Option<(&str, u64)> {
    let annotations = &item["metadata"]["annotations"];
    PLACES.iter().find_map(|[path, index]| {
        let index = annotations[*index].as_str().and_then(|index| index.parse().ok()).unwrap_or_default();
        Some((annotations[*path].as_str()?, index))
    })
}

/// Whether an object goes to no cluster.
pub fn is_local(item: &Value) -> bool {
    item["metadata"]["annotations"][LOCAL_CONFIG].as_str().is_some_and(|value| value.eq_ignore_ascii_case("true"))
}

/// Whether something is an object at all, so that a function may look at it.
pub fn reference(item: &Value) -> Option<ObjectRef> {
    ObjectRef::of(item).ok()
}

/// Leaves an object where the tool keeps the one that it takes the place of.
pub fn keep_place(object: &mut Value, old: &Value) {
    for name in PLACES.iter().flatten() {
        if let Some(value) = old["metadata"]["annotations"][*name].as_str() {
            object["metadata"]["annotations"][*name] = value.into();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_a_list() {
        let table = [
            (json!({"apiVersion": API_VERSION, "kind": "ResourceList"}), Ok((0, false))),
            (json!({"apiVersion": API_VERSION, "kind": "ResourceList", "items": null, "functionConfig": null}), Ok((0, false))),
            (
                json!({"apiVersion": "config.kubernetes.io/v1alpha1", "kind": "ResourceList", "items": [{}], "functionConfig": {}}),
                Ok((1, true)),
            ),
            (json!({"apiVersion": "v1", "kind": "List", "items": []}), Err("its apiVersion is v1, its kind List")),
            (json!({"apiVersion": API_VERSION, "kind": "ResourceList", "items": {}}), Err("its items are no list")),
            (json!([]), Err("its apiVersion is none, its kind none")),
        ];
        for (list, want) in table {
            match (ResourceList::of(list.clone()), want) {
                (Ok(read), Ok((items, has_config))) => {
                    assert_eq!((read.items.len(), read.function_config.is_some()), (items, has_config), "{list}");
                }
                (Err(finding), Err(words)) => assert!(finding.message.contains(words), "{}", finding.message),
                (read, _) => assert!(read.is_ok() && read.is_err(), "{list}: {read:?}"),
            }
        }
    }

    #[test]
    fn places() {
        let item = |annotations: Value| json!({"apiVersion": "v1", "kind": "A", "metadata": {"name": "a", "annotations": annotations}});
        let old = item(json!({"config.kubernetes.io/path": "a/b.yaml", "config.kubernetes.io/index": "2", "other": "x"}));
        assert_eq!(place(&old), Some(("a/b.yaml", 2)));
        let mut object = item(Value::Null);
        keep_place(&mut object, &old);
        assert_eq!(object["metadata"]["annotations"], json!({"config.kubernetes.io/path": "a/b.yaml", "config.kubernetes.io/index": "2"}));
        let finding = Diagnostic::warning("it is odd").help("mend it").field("spec.a");
        let want = json!({
            "message": "it is odd\nmend it",
            "severity": "warning",
            "field": {"path": "spec.a"},
            "resourceRef": {"apiVersion": "v1", "kind": "A", "name": "a"},
            "file": {"path": "a/b.yaml", "index": 2},
        });
        assert_eq!(result(&finding, Some(&object)), want);
    }
}

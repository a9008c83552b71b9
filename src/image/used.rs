//! Which images objects need, wherever they say so: for mirrors.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use crate::manifest::ObjectRef;

/// A place that an image is named in.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Use {
    /// The object.
    pub object: ObjectRef,
    /// The field, such as `spec.template.spec.containers[0].image`.
    pub field: String,
}

/// The images that objects need, found one object after the other.
#[derive(Default)]
pub struct UsedImages {
    /// Images to look for in any text, such as those that scripts pull.
    known: BTreeSet<String>,
    found: BTreeMap<String, BTreeSet<Use>>,
}

impl UsedImages {
    /// Looks for these images in any text, and for any image where pods and charts name theirs.
    pub fn new(known: impl IntoIterator<Item = String>) -> Self {
        Self { known: known.into_iter().collect(), found: BTreeMap::new() }
    }

    /// Adds the images of an object.
    pub fn look_into(&mut self, object: &ObjectRef, value: &Value) {
        // A definition's schema has fields of these names too.
        if object.kind != "CustomResourceDefinition" {
            self.value(object, value, &mut String::new());
            super::each_in_pods(&mut value.clone(), "", &mut |field, image| self.add(object, field, image.clone()));
            if let Some(chart) = chart(object, value) {
                self.add(object, "spec.url", chart);
            }
        }
    }

    /// The images, each with where it is used.
    pub fn into_found(self) -> BTreeMap<String, BTreeSet<Use>> {
        self.found
    }

    fn add(&mut self, object: &ObjectRef, field: &str, image: String) {
        self.found.entry(image).or_default().insert(Use { object: object.clone(), field: field.to_owned() });
    }

    fn value(&mut self, object: &ObjectRef, value: &Value, path: &mut String) {
        match value {
            Value::String(text) => {
                let named: Vec<String> = self.known.iter().filter(|known| holds_word(text, known)).cloned().collect();
                named.into_iter().for_each(|image| self.add(object, path, image));
            }
            Value::Array(items) => {
                for (number, item) in items.iter().enumerate() {
                    self.inside(object, item, path, &format!("[{number}]"));
                }
            }
            Value::Object(fields) => {
                for (name, value) in fields {
                    let step = if path.is_empty() { name.clone() } else { format!(".{name}") };
                    if name == "image"
                        && let Some(image) = parts(value)
                    {
                        self.add(object, &format!("{path}{step}"), image);
                    }
                    self.inside(object, value, path, &step);
                }
            }
            _ => {}
        }
    }

    fn inside(&mut self, object: &ObjectRef, value: &Value, path: &mut String, step: &str) {
        let length = path.len();
        path.push_str(step);
        self.value(object, value, path);
        path.truncate(length);
    }
}

/// An image as charts take it: registry, repository and tag apart.
fn parts(value: &Value) -> Option<String> {
    let text = |field: &str| value[field].as_str().filter(|text| !text.is_empty());
    let repository = text("repository")?;
    let name = text("registry").map_or_else(|| repository.to_owned(), |registry| format!("{registry}/{repository}"));
    Some(text("tag").map_or_else(|| name.clone(), |tag| format!("{name}:{tag}")))
}

/// The chart that Flux fetches as an image.
fn chart(object: &ObjectRef, value: &Value) -> Option<String> {
    let spec = (object.kind == "OCIRepository").then_some(&value["spec"])?;
    let name = spec["url"].as_str()?.strip_prefix("oci://")?;
    let tag = spec["ref"]["tag"].as_str().map(|tag| format!(":{tag}")).unwrap_or_default();
    let digest = spec["ref"]["digest"].as_str().map(|digest| format!("@{digest}")).unwrap_or_default();
    Some(format!("{name}{tag}{digest}"))
}

/// Whether a text has an image in it, and not only the beginning or end of another.
fn holds_word(text: &str, image: &str) -> bool {
    let goes_on = |c: Option<char>| c.is_some_and(|c| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-' | ':' | '/' | '@'));
    text.match_indices(image).any(|(at, _)| {
        let before = text[..at].strip_suffix("docker://").unwrap_or(&text[..at]);
        !goes_on(before.chars().next_back()) && !goes_on(text[at + image.len()..].chars().next())
    })
}

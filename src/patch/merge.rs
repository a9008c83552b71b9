//! Strategic merge, as kustomize does it: mappings merge field by field, lists of built-in kinds item by item, null deletes.
//!
//! Of lists that merge, the items that the patch names come first, in its order, as kustomize has it; of lists whose items are told
//! apart by two fields, as ports with protocols, only new ones do. Kubernetes' directives that kustomize leaves alone, `$setElementOrder`, `$deleteFromPrimitiveList` and `$retainKeys`, do what `kubectl patch` does.
//!
//! Source: `sigs.k8s.io/kustomize/kyaml/yaml/merge2`, and `k8s.io/apimachinery/pkg/util/strategicpatch` for those three.

use serde_json::{Map, Value};

use super::keys::merge_keys;
use crate::manifest::ObjectRef;

const PATCH: &str = "$patch";
const RETAIN_KEYS: &str = "$retainKeys";
const SET_ELEMENT_ORDER: &str = "$setElementOrder/";
const DELETE_FROM_PRIMITIVE_LIST: &str = "$deleteFromPrimitiveList/";

/// One step into a patch: a field, or an item by its number.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum At {
    Field(String),
    Item(usize),
}

/// What is wrong with a patch, and where in it.
#[derive(Debug)]
pub(super) struct Fault {
    pub message: String,
    pub path: Vec<At>,
}

/// Merges a patch into an object; `None` if the patch deletes it.
///
/// # Errors
/// A directive that doesn't exist, an item that can't be told apart, or a value of another kind than the object's.
pub(super) fn merge(object: Value, patch: &Value, reference: &ObjectRef) -> Result<Option<Value>, Fault> {
    Merge { reference, path: Vec::new() }.value(Some(object), patch)
}

/// What `$patch` asks for.
#[derive(PartialEq, Eq)]
enum Directive {
    Merge,
    Replace,
    Delete,
}

struct Merge<'a> {
    reference: &'a ObjectRef,
    /// Where in the patch we are.
    path: Vec<At>,
}

type Merged<T> = Result<T, Fault>;

impl Merge<'_> {
    fn fault<T>(&self, message: impl Into<String>) -> Merged<T> {
        Err(Fault { message: message.into(), path: self.path.clone() })
    }

    fn inside<T>(&mut self, step: At, work: impl FnOnce(&mut Self) -> Merged<T>) -> Merged<T> {
        self.path.push(step);
        let done = work(self)?;
        self.path.pop();
        Ok(done)
    }

    /// The merge keys of the list that we are in.
    fn keys(&self) -> Option<&'static [&'static str]> {
        let fields = self.path.iter().filter_map(|step| if let At::Field(name) = step { Some(name.as_str()) } else { None });
        merge_keys(self.reference, &fields.collect::<Vec<_>>())
    }

    /// A value with a patch in it; `None` where nothing is left. What isn't there yet is merged too, so that no directive stays.
    fn value(&mut self, have: Option<Value>, patch: &Value) -> Merged<Option<Value>> {
        match (have.filter(|have| !have.is_null()), patch) {
            (_, Value::Null) => Ok(None),
            (Some(Value::Object(have)), Value::Object(patch)) => self.fields(have, patch),
            (None, Value::Object(patch)) => self.fields(Map::new(), patch),
            (Some(Value::Array(have)), Value::Array(patch)) => self.list(have, patch),
            (None, Value::Array(patch)) => self.list(Vec::new(), patch),
            (Some(have), patch) if is_compound(&have) || is_compound(patch) => {
                self.fault(format!("{} can't be merged with {}, which the object has here", describe(patch), describe(&have)))
            }
            (_, patch) => Ok(Some(patch.clone())),
        }
    }

    fn directive(&self, text: &Value) -> Merged<Directive> {
        match text.as_str() {
            Some("merge") => Ok(Directive::Merge),
            Some("replace") => Ok(Directive::Replace),
            Some("delete") => Ok(Directive::Delete),
            _ => self.fault(format!("$patch is merge, replace or delete; {text} is none of them")),
        }
    }

    fn fields(&mut self, mut have: Map<String, Value>, patch: &Map<String, Value>) -> Merged<Option<Value>> {
        match patch.get(PATCH).map(|text| self.inside(At::Field(PATCH.to_owned()), |inner| inner.directive(text))).transpose()? {
            Some(Directive::Delete) => return Ok(None),
            Some(Directive::Replace) => have.clear(),
            Some(Directive::Merge) | None => {}
        }
        if let Some(retained) = patch.get(RETAIN_KEYS) {
            let names = self.inside(At::Field(RETAIN_KEYS.to_owned()), |inner| inner.strings(retained))?;
            have.retain(|name, _| names.contains(&name.as_str()));
        }
        let ordered: Vec<_> = patch.iter().filter_map(|(name, order)| Some((name.strip_prefix(SET_ELEMENT_ORDER)?, order))).collect();
        let was: Vec<_> = ordered.iter().map(|(list, _)| have.get(*list).and_then(Value::as_array).cloned().unwrap_or_default()).collect();
        for (name, value) in patch {
            if let Some(list) = name.strip_prefix(DELETE_FROM_PRIMITIVE_LIST) {
                if let (Some(Value::Array(items)), Value::Array(gone)) = (have.get_mut(list), value) {
                    items.retain(|item| !gone.contains(item));
                }
            } else if !is_directive(name) {
                let merged = self.inside(At::Field(name.clone()), |inner| inner.value(have.remove(name), value))?;
                have.extend(merged.map(|merged| (name.clone(), merged)));
            }
        }
        for ((list, order), was) in ordered.into_iter().zip(was) {
            if let (Some(Value::Array(items)), Value::Array(order)) = (have.get_mut(list), order) {
                let keys = self.inside(At::Field(list.to_owned()), |inner| Ok(inner.keys()))?;
                set_order(items, order, &was, keys.unwrap_or_default());
            }
        }
        Ok(Some(Value::Object(have)))
    }

    fn strings<'v>(&self, list: &'v Value) -> Merged<Vec<&'v str>> {
        match list.as_array().map(|items| items.iter().map(Value::as_str).collect::<Option<Vec<_>>>()) {
            Some(Some(names)) => Ok(names),
            _ => self.fault("a list of names is wanted here"),
        }
    }

    fn list(&mut self, have: Vec<Value>, patch: &[Value]) -> Merged<Option<Value>> {
        let Some(keys) = self.keys() else { return Ok(Some(Value::Array(patch.to_vec()))) };
        // An item that is nothing but a directive is about the list.
        let is_about_list = |item: &Value| item.as_object().is_some_and(|fields| fields.len() == 1 && fields.contains_key(PATCH));
        let directive = patch.iter().find(|item| is_about_list(item)).map(|item| self.directive(&item[PATCH])).transpose()?;
        if directive == Some(Directive::Delete) {
            return Ok(None);
        }
        let mut have = if directive == Some(Directive::Replace) { Vec::new() } else { have };
        // Keys that nobody uses tell nothing apart.
        let is_used = |key: &&&str| have.iter().chain(patch).any(|item| item.get(**key).is_some_and(|value| !value.is_null()));
        let stays = keys.iter().filter(is_used).count() > 1;
        let mut first = Vec::new();
        for (number, item) in patch.iter().enumerate().filter(|(_, item)| !is_about_list(item)) {
            self.inside(At::Item(number), |inner| inner.item(&mut first, &mut have, item, keys, stays))?;
        }
        first.append(&mut have);
        Ok(Some(Value::Array(first)))
    }

    /// Puts one item of a patch among those that come `first`, or in the place of the one that it is about, if that `stays`.
    fn item(&mut self, first: &mut Vec<Value>, have: &mut Vec<Value>, item: &Value, keys: &[&str], stays: bool) -> Merged<()> {
        if keys.is_empty() {
            have.retain(|other| other != item);
            first.extend((!first.contains(item)).then(|| item.clone()));
            return Ok(());
        }
        if !keys.iter().any(|key| item.get(key).is_some_and(|value| !value.is_null())) {
            return self.fault(format!("this item has no {}, by which items of this list are told apart", keys[0]));
        }
        let place = |list: &[Value]| list.iter().position(|other| is_same(other, item, keys));
        match (place(have), place(first)) {
            (Some(at), _) if stays => {
                let merged = self.value(Some(have.remove(at)), item)?;
                merged.into_iter().for_each(|merged| have.insert(at, merged));
            }
            (Some(at), _) => first.extend(self.value(Some(have.remove(at)), item)?),
            (None, Some(at)) => {
                let merged = self.value(Some(first.remove(at)), item)?;
                merged.into_iter().for_each(|merged| first.insert(at, merged));
            }
            (None, None) => first.extend(self.value(None, item)?),
        }
        Ok(())
    }
}

/// Whether two items are the same: they agree in one of the keys, and differ only in those that one of them leaves out.
fn is_same(a: &Value, b: &Value, keys: &[&str]) -> bool {
    let pairs = keys.iter().map(|key| (a.get(key).filter(|value| !value.is_null()), b.get(key).filter(|value| !value.is_null())));
    let (mut agree, mut differ) = (false, false);
    for pair in pairs {
        match pair {
            (Some(a), Some(b)) if a == b => agree = true,
            (Some(_), Some(_)) => differ = true,
            _ => {}
        }
    }
    agree && !differ
}

/// Puts items into an order. Those that it doesn't name come before the first of the others that stood behind them in the list
/// as it was; source: `mergeSortedSlice` of strategicpatch.
fn set_order(items: &mut Vec<Value>, order: &[Value], was: &[Value], keys: &[&str]) {
    let same = |a: &Value, b: &Value| if keys.is_empty() { a == b } else { is_same(a, b, keys) };
    let place = |list: &[Value], item: &Value| list.iter().position(|other| same(other, item));
    let (mut named, others): (Vec<Value>, Vec<Value>) = items.drain(..).partition(|item| place(order, item).is_some());
    named.sort_by_key(|item| place(order, item));
    let mut others = others.into_iter().peekable();
    for item in named {
        let behind = place(was, &item);
        let stood_before = |other: &Value| place(was, other).zip(behind).is_some_and(|(other, behind)| other < behind);
        while let Some(other) = others.next_if(stood_before) {
            items.push(other);
        }
        items.push(item);
    }
    items.extend(others);
}

fn is_directive(name: &str) -> bool {
    name == PATCH || name == RETAIN_KEYS || name.starts_with(SET_ELEMENT_ORDER)
}

fn is_compound(value: &Value) -> bool {
    value.is_array() || value.is_object()
}

fn describe(value: &Value) -> &'static str {
    match value {
        Value::Null => "nothing",
        Value::Bool(_) => "a boolean",
        Value::Number(_) => "a number",
        Value::String(_) => "a string",
        Value::Array(_) => "a list",
        Value::Object(_) => "a mapping",
    }
}

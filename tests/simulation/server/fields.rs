//! Who owns which fields of an object, and what a server-side apply makes of them. A list is one field: nobody owns its items.

use std::collections::BTreeSet;

use serde_json::{Map, Value, json};

/// Fields by their JSON pointers.
pub(crate) type Fields = BTreeSet<String>;

/// What one field manager owns, as it came to own it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Manager {
    pub name: String,
    /// `Apply` or `Update`.
    pub operation: &'static str,
    /// `status`, or nothing.
    pub subresource: &'static str,
    pub fields: Fields,
}

/// A field that somebody else owns and that is wanted otherwise.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Conflict {
    pub field: String,
    pub manager: String,
}

/// What the server says of an object itself, so that nobody owns it.
const OWN: [&str; 10] = [
    "/apiVersion",
    "/kind",
    "/metadata/name",
    "/metadata/namespace",
    "/metadata/uid",
    "/metadata/resourceVersion",
    "/metadata/generation",
    "/metadata/creationTimestamp",
    "/metadata/deletionTimestamp",
    "/metadata/managedFields",
];

/// The fields of an object that somebody may own: whatever has no fields of its own.
pub(crate) fn leaves(object: &Value) -> Fields {
    fn add(value: &Value, at: &mut String, found: &mut Fields) {
        match value {
            Value::Object(fields) if !fields.is_empty() || at.is_empty() || at == "/metadata" => {
                for (name, value) in fields {
                    let length = at.len();
                    at.push('/');
                    at.push_str(&name.replace('~', "~0").replace('/', "~1"));
                    add(value, at, found);
                    at.truncate(length);
                }
            }
            Value::Null => {}
            _ if OWN.contains(&at.as_str()) => {}
            _ => _ = found.insert(at.clone()),
        }
    }
    let mut found = Fields::new();
    add(object, &mut String::new(), &mut found);
    found
}

/// A field of an object, if it is there.
pub(crate) fn get<'o>(object: &'o Value, field: &str) -> Option<&'o Value> {
    // Few names need to be read, which is what takes time.
    if field.contains('~') {
        object.pointer(field)
    } else {
        field.split('/').skip(1).try_fold(object, |at, name| at.as_object()?.get(name))
    }
}

/// The first field of what is wanted that an object has otherwise.
pub(crate) fn first_other(object: &Value, wanted: &Value) -> Option<String> {
    match wanted {
        Value::Object(fields) if !fields.is_empty() => fields.iter().find_map(|(name, wanted)| {
            let within = first_other(object.get(name).unwrap_or(&Value::Null), wanted)?;
            Some(format!("/{name}{within}"))
        }),
        Value::Null => None,
        wanted => (object != wanted).then(String::new),
    }
}

/// Whether a field is another one, or within it.
fn is_within(field: &str, other: &str) -> bool {
    field.strip_prefix(other).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

/// Whether one of two fields is within the other.
fn overlap(one: &str, other: &str) -> bool {
    is_within(one, other) || is_within(other, one)
}

/// Applies what a manager wants of an object, or of its status.
///
/// # Errors
/// What others own.
pub(crate) fn apply(
    object: &mut Value,
    managers: &mut Vec<Manager>,
    wanted: &Value,
    (name, subresource, force): (&str, &'static str, bool),
) -> Result<(), Vec<Conflict>> {
    let fields = leaves(wanted);
    let is_own = |manager: &Manager| manager.name == name && manager.operation == "Apply" && manager.subresource == subresource;
    let is_other = |field: &str| get(object, field) != get(wanted, field);
    let mut conflicts = Vec::new();
    for manager in managers.iter().filter(|manager| !is_own(manager)) {
        for field in fields.iter().filter(|field| is_other(field)) {
            if manager.fields.iter().any(|owned| overlap(owned, field)) {
                conflicts.push(Conflict { field: field.clone(), manager: manager.name.clone() });
            }
        }
    }
    if !conflicts.is_empty() && !force {
        return Err(conflicts);
    }
    for manager in managers.iter_mut().filter(|manager| !is_own(manager)) {
        manager.fields.retain(|owned| !conflicts.iter().any(|conflict| overlap(owned, &conflict.field)));
    }
    let before = managers.iter().find(|manager| is_own(manager)).map(|manager| manager.fields.clone()).unwrap_or_default();
    managers.retain(|manager| !is_own(manager));
    for gone in before.difference(&fields) {
        let is_anyones = managers.iter().any(|manager| manager.fields.iter().any(|owned| overlap(owned, gone)));
        if !is_anyones && !fields.iter().any(|field| is_within(field, gone)) {
            remove(object, gone);
        }
    }
    for field in &fields {
        let value = get(wanted, field).cloned().unwrap_or_default();
        // Whoever wants a map wants nothing in it to be gone.
        if !(value.is_object() && get(object, field).is_some_and(Value::is_object)) {
            set(object, field, value);
        }
    }
    managers.push(Manager { name: name.to_owned(), operation: "Apply", subresource, fields });
    managers.retain(|manager| !manager.fields.is_empty());
    Ok(())
}

/// Takes note that a manager has changed an object from what it was.
pub(crate) fn update(before: &Value, after: &Value, managers: &mut Vec<Manager>, (name, subresource): (&str, &'static str)) {
    let has = leaves(after);
    let changed: Fields = has.iter().filter(|field| get(before, field) != get(after, field)).cloned().collect();
    for manager in &mut *managers {
        manager.fields.retain(|field| has.contains(field) && !changed.contains(field));
    }
    if !changed.is_empty() {
        let is_own = |manager: &&mut Manager| manager.name == name && manager.operation == "Update" && manager.subresource == subresource;
        match managers.iter_mut().find(is_own) {
            Some(own) => own.fields.extend(changed),
            None => managers.push(Manager { name: name.to_owned(), operation: "Update", subresource, fields: changed }),
        }
    }
    managers.retain(|manager| !manager.fields.is_empty());
}

/// Sets a field, and makes the maps that it is in.
pub(crate) fn set(object: &mut Value, field: &str, value: Value) {
    let mut at = object;
    for part in parts(field) {
        if !at.is_object() {
            *at = json!({});
        }
        at = at.as_object_mut().unwrap().entry(part).or_insert(Value::Null);
    }
    *at = value;
}

/// Removes a field, and the maps that have nothing else.
pub(crate) fn remove(object: &mut Value, field: &str) {
    let Some((parent, _)) = field.rsplit_once('/') else { return };
    let name = parts(field).pop().unwrap_or_default();
    let Some(Value::Object(fields)) = object.pointer_mut(parent) else { return };
    fields.remove(&name);
    if fields.is_empty() && parent != "/metadata" && !parent.is_empty() {
        remove(object, parent);
    }
}

fn parts(field: &str) -> Vec<String> {
    field.split('/').skip(1).map(|part| part.replace("~1", "/").replace("~0", "~")).collect()
}

/// `metadata.managedFields`.
pub(crate) fn managed_fields(managers: &[Manager], api_version: &str) -> Value {
    let entry = |manager: &Manager| {
        let mut fields = json!({});
        for field in &manager.fields {
            let mut at = &mut fields;
            for part in parts(field) {
                at = at.as_object_mut().unwrap().entry(format!("f:{part}")).or_insert_with(|| json!({}));
            }
        }
        let mut entry = json!({
            "manager": manager.name,
            "operation": manager.operation,
            "apiVersion": api_version,
            "fieldsType": "FieldsV1",
            "fieldsV1": fields,
        });
        if !manager.subresource.is_empty() {
            entry["subresource"] = manager.subresource.into();
        }
        entry
    };
    managers.iter().map(entry).collect()
}

/// The same, read.
pub(crate) fn managers(managed_fields: &Value) -> Vec<Manager> {
    fn add(fields: &Map<String, Value>, at: &str, found: &mut Fields) {
        for (name, within) in fields {
            let Some(name) = name.strip_prefix("f:") else { continue };
            let at = format!("{at}/{}", name.replace('~', "~0").replace('/', "~1"));
            match within.as_object().filter(|within| !within.is_empty()) {
                Some(within) => add(within, &at, found),
                None => _ = found.insert(at),
            }
        }
    }
    let read = |entry: &Value| {
        let mut fields = Fields::new();
        add(entry["fieldsV1"].as_object()?, "", &mut fields);
        Some(Manager {
            name: entry["manager"].as_str()?.to_owned(),
            operation: if entry["operation"] == "Apply" { "Apply" } else { "Update" },
            subresource: if entry["subresource"] == "status" { "status" } else { "" },
            fields,
        })
    };
    managed_fields.as_array().into_iter().flatten().filter_map(read).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// An object, who has applied what, who wants what, by force or not; what comes of it.
    type Case = (&'static str, Value, Vec<(&'static str, Value)>, (&'static str, Value, bool), Result<Value, &'static str>);

    #[test]
    fn what_an_apply_makes_of_an_object() {
        let spec = |spec: Value| json!({"spec": spec});
        let table: Vec<Case> = vec![
            ("new", json!({}), vec![], ("a", spec(json!({"x": 1})), false), Ok(spec(json!({"x": 1})))),
            (
                "another value",
                json!({}),
                vec![("a", spec(json!({"x": 1})))],
                ("a", spec(json!({"x": 2})), false),
                Ok(spec(json!({"x": 2}))),
            ),
            (
                "a field goes that is no longer applied",
                json!({}),
                vec![("a", spec(json!({"x": 1, "y": {"z": 1}})))],
                ("a", spec(json!({"x": 1})), false),
                Ok(spec(json!({"x": 1}))),
            ),
            (
                "it stays if somebody else wants it",
                json!({}),
                vec![("a", spec(json!({"x": 1, "y": 1}))), ("b", spec(json!({"y": 1})))],
                ("a", spec(json!({"x": 1})), false),
                Ok(spec(json!({"x": 1, "y": 1}))),
            ),
            (
                "what nobody owns stays",
                spec(json!({"w": 1})),
                vec![("a", spec(json!({"x": 1})))],
                ("a", spec(json!({})), false),
                Ok(spec(json!({"w": 1}))),
            ),
            ("somebody else owns it", json!({}), vec![("b", spec(json!({"x": 1})))], ("a", spec(json!({"x": 2})), false), Err("/spec/x")),
            (
                "the same value is no conflict",
                json!({}),
                vec![("b", spec(json!({"x": 1})))],
                ("a", spec(json!({"x": 1})), false),
                Ok(spec(json!({"x": 1}))),
            ),
            ("by force", json!({}), vec![("b", spec(json!({"x": 1})))], ("a", spec(json!({"x": 2})), true), Ok(spec(json!({"x": 2})))),
            (
                "a list is one field",
                json!({}),
                vec![("b", spec(json!({"l": [1]})))],
                ("a", spec(json!({"l": [1, 2]})), false),
                Err("/spec/l"),
            ),
        ];
        for (what, mut object, before, (name, wanted, force), want) in table {
            let mut managers = Vec::new();
            for (name, wanted) in before {
                apply(&mut object, &mut managers, &wanted, (name, "", false)).unwrap();
            }
            let made = apply(&mut object, &mut managers, &wanted, (name, "", force)).map(|()| object);
            assert_eq!(made.map_err(|conflicts| conflicts[0].field.clone()), want.map_err(ToOwned::to_owned), "{what}");
            assert_eq!(super::managers(&managed_fields(&managers, "v1")), managers, "{what}: written and read");
        }
    }

    #[test]
    fn who_changes_a_field_owns_it() {
        let mut managers = Vec::new();
        let mut object = json!({});
        apply(&mut object, &mut managers, &json!({"spec": {"x": 1, "y": 1}}), ("a", "", false)).unwrap();
        update(&object, &json!({"spec": {"x": 2, "z": 1}}), &mut managers, ("b", ""));
        let owned: Vec<_> =
            managers.iter().map(|manager| (manager.name.as_str(), manager.fields.iter().cloned().collect::<Vec<_>>())).collect();
        assert_eq!(owned, [("b", vec!["/spec/x".to_owned(), "/spec/z".to_owned()])], "what was taken away is nobody's");
    }
}

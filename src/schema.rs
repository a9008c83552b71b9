//! Checks a document against the JSON schema of the type it is read into, and reads it.
//!
//! The Rust types are the only definition of what may stand in an input: their schema finds every fault of a document at
//! once, with places, before serde (which stops at the first) builds the value.

use std::sync::LazyLock;

use schemars::JsonSchema;
use schemars::generate::SchemaSettings;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use crate::diagnostic::{Diagnostic, did_you_mean, either};
use crate::quantity::{self, Quantity};
use crate::rule;
use crate::yaml::{Document, Entry, Kind, Node, Step};

/// The schema of a type, with everything inlined.
pub fn of<T: JsonSchema>() -> Value {
    SchemaSettings::draft2020_12()
        .with(|settings| settings.inline_subschemas = true)
        .into_generator()
        .into_root_schema_for::<T>()
        .to_value()
}

/// Reads a document into its type without what its schema doesn't allow, so that the rest can be looked at too.
pub fn read_what_fits<T: DeserializeOwned>(document: &Document, schema: &Value, findings: &mut Vec<Diagnostic>) -> Option<T> {
    let before = findings.len();
    let mut check = Check::new(document, findings);
    check.node(&document.root, schema);
    let unfit = check.unfit;
    let read = if unfit.is_empty() {
        T::deserialize(&*document.root)
    } else {
        let mut value = document.root.to_value();
        for (path, instead) in unfit {
            replace(&mut value, &path, instead);
        }
        serde_json::from_value(value)
    };
    match read {
        Ok(value) => Some(value),
        Err(error) => {
            // What the schema has already said need not be said in serde's words.
            if findings.len() == before {
                findings.push(document.finding(rule::INVALID_VALUE.says(error.to_string()), &[]));
            }
            None
        }
    }
}

/// Adds everything in a document that its schema doesn't allow.
pub fn check(document: &Document, schema: &Value, findings: &mut Vec<Diagnostic>) {
    Check::new(document, findings).node(&document.root, schema);
}

/// The schema of a part of a value: no field has to be there. Items of lists are wholes.
pub fn partial(mut schema: Value) -> Value {
    if let Value::Object(fields) = &mut schema {
        fields.remove("required");
        for (name, inner) in fields.iter_mut() {
            match (name.as_str(), inner) {
                ("properties", Value::Object(inner)) => inner.values_mut().for_each(|schema| *schema = partial(schema.take())),
                ("anyOf", Value::Array(inner)) => inner.iter_mut().for_each(|schema| *schema = partial(schema.take())),
                ("additionalProperties", inner) => *inner = partial(inner.take()),
                _ => {}
            }
        }
    }
    schema
}

/// The required fields that a value lacks, each with the path of what lacks it.
pub fn missing_fields(value: &Value, schema: &Value) -> Vec<(String, String)> {
    fn search(value: &Value, schema: &Value, path: &str, found: &mut Vec<(String, String)>) {
        let (Value::Object(schema), Value::Object(fields)) = (not_null(schema), value) else { return };
        let required = schema.get("required").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str);
        found.extend(required.filter(|name| fields.get(*name).is_none_or(Value::is_null)).map(|name| (path.to_owned(), name.to_owned())));
        for (name, value) in fields {
            if let Some(schema) = schema.get("properties").and_then(|properties| properties.get(name)) {
                search(value, schema, &if path.is_empty() { name.clone() } else { format!("{path}.{name}") }, found);
            }
        }
    }
    let mut found = Vec::new();
    search(value, schema, "", &mut found);
    found
}

/// Puts something in the place of a field, or takes it out.
fn replace(value: &mut Value, path: &[Step<'_>], instead: Option<Value>) {
    match (value, path) {
        (Value::Object(fields), [Step::Field(name)]) => match instead {
            Some(instead) => _ = fields.insert((*name).to_owned(), instead),
            None => _ = fields.remove(*name),
        },
        (Value::Array(items), [Step::Item(index)]) => items[*index] = instead.unwrap_or_default(),
        (Value::Object(fields), [Step::Field(name), rest @ ..]) => {
            if let Some(value) = fields.get_mut(*name) {
                replace(value, rest, instead);
            }
        }
        (Value::Array(items), [Step::Item(index), rest @ ..]) => replace(&mut items[*index], rest, instead),
        _ => {}
    }
}

/// The least value that a schema allows, for the place of one that it doesn't.
fn blank(schema: &Value) -> Value {
    let Value::Object(schema) = not_null(schema) else { return Value::Null };
    match type_of(schema) {
        Some("object") => {
            let required = schema.get("required").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str);
            Value::Object(required.map(|name| (name.to_owned(), blank(&schema["properties"][name]))).collect())
        }
        Some("array") => Value::Array(Vec::new()),
        Some("string") if schema.get("format").and_then(Value::as_str) == Some(quantity::FORMAT) => Value::from("0"),
        Some("string") => Value::from(allowed_values(schema).and_then(|allowed| allowed.first().copied()).unwrap_or_default()),
        Some("boolean") => Value::Bool(false),
        Some(_) => Value::from(schema.get("minimum").and_then(Value::as_i64).unwrap_or(0)),
        None => Value::Null,
    }
}

/// The fields of a type that has none.
static NONE: LazyLock<Map<String, Value>> = LazyLock::new(Map::new);

/// How many faults of one document are said: nobody reads more.
pub const MOST_FINDINGS: usize = 1000;

struct Check<'a> {
    document: &'a Document,
    path: Vec<Step<'a>>,
    findings: &'a mut Vec<Diagnostic>,
    /// So many findings, and nothing is checked any more.
    most: usize,
    /// The values that must be left out for the rest to fit, and what must stand in their place.
    unfit: Vec<(Vec<Step<'a>>, Option<Value>)>,
}

impl<'a> Check<'a> {
    fn new(document: &'a Document, findings: &'a mut Vec<Diagnostic>) -> Self {
        let most = findings.len() + MOST_FINDINGS;
        Self { document, path: Vec::new(), findings, most, unfit: Vec::new() }
    }

    fn fault(&mut self, finding: Diagnostic, schema: &'a Map<String, Value>) {
        self.findings.push(self.document.finding(finding, &self.path));
        self.unfit.push((self.path.clone(), Some(blank(&Value::Object(schema.clone())))));
    }

    /// A node as it is written.
    fn source(&self, node: &Node) -> &'a str {
        self.document.file.text.get(node.span.clone()).unwrap_or_default()
    }

    fn inside(&mut self, step: impl Into<Step<'a>>, node: &'a Node, schema: &'a Value) {
        self.path.push(step.into());
        self.node(node, schema);
        self.path.pop();
    }

    /// Null counts as absent, as everywhere in Kubernetes.
    fn node(&mut self, node: &'a Node, schema: &'a Value) {
        let Value::Object(schema) = not_null(schema) else { return };
        if node.is_null() || self.findings.len() >= self.most {
            return;
        }
        match (type_of(schema), &node.kind) {
            (Some("object"), Kind::Mapping(_)) => self.mapping(node, schema),
            (Some("array"), Kind::Sequence(items)) => self.sequence(items, schema),
            (Some("string"), Kind::String(text)) => self.string(text, schema),
            (Some("integer"), Kind::Number(number)) if number.as_i64().is_some() => self.bounds(number.as_i64().unwrap_or(0), schema),
            (Some("number"), Kind::Number(_)) | (Some("boolean"), Kind::Bool(_)) | (None, _) => {}
            (Some("integer"), Kind::Number(_)) if self.source(node).bytes().all(|byte| byte.is_ascii_digit()) => {
                self.fault(rule::INVALID_VALUE.says(format!("{} is too large", self.source(node))), schema);
            }
            // A bare `off` is false in YAML 1.1; where it is one of the words that are allowed, it is that word.
            (Some("string"), Kind::Bool(_)) if allowed_values(schema).is_some_and(|allowed| allowed.contains(&self.source(node))) => {
                self.unfit.push((self.path.clone(), Some(Value::from(self.source(node)))));
            }
            (Some(want), kind) => {
                let mut finding = rule::WRONG_TYPE.says(format!("expected {}, found {}", article(want), node.describe()));
                if want == "string" && matches!(kind, Kind::Bool(_) | Kind::Number(_)) {
                    finding = finding.help(format!("put it in quotes: \"{}\"", self.source(node)));
                }
                self.fault(finding, schema);
            }
        }
    }

    fn mapping(&mut self, node: &'a Node, schema: &'a Map<String, Value>) {
        let Kind::Mapping(entries) = &node.kind else { return };
        let properties = schema.get("properties").and_then(Value::as_object).unwrap_or(&NONE);
        for entry in entries {
            if self.findings.len() >= self.most {
                return;
            }
            let rest = schema.get("additionalProperties");
            match properties.get(entry.key.as_str()).or_else(|| rest.filter(|rest| **rest != Value::Bool(false))) {
                Some(schema) => self.inside(entry.key.as_str(), &entry.value, schema),
                None if rest.is_none() => {}
                None => self.unknown_field(entry, properties),
            }
        }
        for name in schema.get("required").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str) {
            if node.get(name).is_none_or(Node::is_null) {
                self.findings.push(self.document.finding(rule::MISSING_FIELD.says(format!("the field {name} is missing")), &self.path));
                let mut path = self.path.clone();
                path.push(Step::Field(name));
                self.unfit.push((path, properties.get(name).map(blank)));
            }
        }
    }

    fn unknown_field(&mut self, entry: &'a Entry, properties: &'a Map<String, Value>) {
        let known: Vec<&str> = properties.keys().map(String::as_str).collect();
        let near = did_you_mean(&entry.key, known.iter().copied());
        let help = near.unwrap_or_else(|| format!("the fields here are {}", known.join(", ")));
        self.path.push(Step::Field(&entry.key));
        let finding = self.document.finding(rule::UNKNOWN_FIELD.says("unknown field").help(help), &self.path);
        // The key is what is wrong, whatever stands behind it.
        self.findings.push(finding.at(&self.document.file, entry.key_span.clone()));
        self.unfit.push((self.path.clone(), None));
        self.path.pop();
    }

    fn sequence(&mut self, items: &'a [Node], schema: &'a Map<String, Value>) {
        if let Some(of) = schema.get("items") {
            for (index, item) in items.iter().enumerate() {
                self.inside(index, item, of);
            }
        }
        let limit = |name: &str| schema.get(name).and_then(Value::as_u64);
        if limit("maxItems").is_some_and(|most| items.len() as u64 > most)
            || limit("minItems").is_some_and(|least| (items.len() as u64) < least)
        {
            let (least, most) = (limit("minItems").unwrap_or(0), limit("maxItems"));
            let allowed = most.map_or_else(
                || format!("at least {least}"),
                |most| if least > 0 { format!("{least} to {most}") } else { format!("at most {most}") },
            );
            self.fault(rule::INVALID_VALUE.says(format!("{} items; allowed are {allowed}", items.len())), schema);
        }
    }

    fn string(&mut self, text: &str, schema: &'a Map<String, Value>) {
        if schema.get("format").and_then(Value::as_str) == Some(quantity::FORMAT)
            && let Err(message) = Quantity::try_from(text.to_owned())
        {
            return self.fault(rule::INVALID_VALUE.says(message), schema);
        }
        let Some(allowed) = allowed_values(schema) else { return };
        if !allowed.contains(&text) {
            let mut finding =
                rule::INVALID_VALUE.says(format!("{text:?} is not allowed here")).help(format!("allowed is {}", either(&allowed)));
            finding.help.extend(did_you_mean(text, allowed));
            self.fault(finding, schema);
        }
    }

    fn bounds(&mut self, number: i64, schema: &'a Map<String, Value>) {
        let int32 = schema.get("format").and_then(Value::as_str) == Some("int32");
        let bound = |name: &str| schema.get(name).and_then(Value::as_f64);
        #[expect(clippy::cast_possible_truncation, reason = "bounds are small integers")]
        let (least, most) = (bound("minimum").map(|b| b as i64), bound("maximum").map(|b| b as i64));
        let least = least.or(int32.then_some(i64::from(i32::MIN)));
        let most = most.or(int32.then_some(i64::from(i32::MAX)));
        if least.is_some_and(|least| number < least) {
            self.fault(rule::INVALID_VALUE.says(format!("{number} is too small; the least is {}", least.unwrap_or(0))), schema);
        } else if most.is_some_and(|most| number > most) {
            self.fault(rule::INVALID_VALUE.says(format!("{number} is too large; the most is {}", most.unwrap_or(0))), schema);
        }
    }
}

/// The schema without its `or null`.
fn not_null(schema: &Value) -> &Value {
    let alternatives = schema.get("anyOf").and_then(Value::as_array);
    alternatives.and_then(|all| all.iter().find(|one| type_name(one) != Some("null"))).unwrap_or(schema)
}

fn type_of(schema: &Map<String, Value>) -> Option<&str> {
    match schema.get("type") {
        Some(Value::String(name)) => Some(name),
        Some(Value::Array(names)) => names.iter().filter_map(Value::as_str).find(|name| *name != "null"),
        _ if schema.contains_key("oneOf") || schema.contains_key("enum") => Some("string"),
        _ => None,
    }
}

fn type_name(schema: &Value) -> Option<&str> {
    schema.get("type").and_then(Value::as_str)
}

/// The strings that an enumeration allows.
fn allowed_values(schema: &Map<String, Value>) -> Option<Vec<&str>> {
    if let Some(values) = schema.get("enum").and_then(Value::as_array) {
        return Some(values.iter().filter_map(Value::as_str).collect());
    }
    let alternatives = schema.get("oneOf").and_then(Value::as_array)?;
    Some(
        alternatives
            .iter()
            .flat_map(|one| {
                let listed = one.get("enum").and_then(Value::as_array).into_iter().flatten();
                listed.chain(one.get("const")).filter_map(Value::as_str)
            })
            .collect(),
    )
}

fn article(type_name: &str) -> &str {
    match type_name {
        "object" => "a mapping",
        "array" => "a list",
        "string" => "a string",
        "integer" => "an integer",
        "boolean" => "true or false",
        _ => "a number",
    }
}

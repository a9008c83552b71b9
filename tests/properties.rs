//! What holds for every input, tried with many that chance makes up. A failure names the smallest input that shows it.

use kaito::diagnostic::SourceFile;
use kaito::options::{Cloud, Options};
use kaito::plan::estimate;
use kaito::preset::{Catalog, Layer};
use kaito::quantity::GIB;
use kaito::render::{Engine, Object, TemplateError, Templates};
use kaito::session::Session;
use kaito::sku::NodeShape;
use kaito::spec::Input;
use kaito::yaml;
use proptest::prelude::*;
use proptest::sample::select;
use serde_json::{Map, Value, json};
use std::sync::LazyLock;

static CATALOG: LazyLock<Catalog> = LazyLock::new(|| Catalog::load("0.12", &[Layer::embedded("0.12")]).unwrap());

/// Characters that mean something to YAML, to a template or to a shell, between ordinary ones.
fn text() -> impl Strategy<Value = String> {
    let special = select(
        ":{}[]-#&*!|>'\"%@`,?\\\n\t $~=<.0_eyn\u{1b}\u{7f}\u{85}\u{86}\u{2028}\u{feff}\u{fffe}\u{e0f0}ü名".chars().collect::<Vec<_>>(),
    );
    let character = prop_oneof![3 => special, 2 => proptest::char::range('a', 'z'), 1 => proptest::char::range('0', '9')];
    proptest::collection::vec(character, 0..24).prop_map(|characters| characters.into_iter().collect())
}

fn value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        (-1e9..1e9f64).prop_map(Value::from),
        text().prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 48, 6, |inner| {
        let fields = proptest::collection::btree_map(text(), inner.clone(), 0..6);
        prop_oneof![
            proptest::collection::vec(inner, 0..6).prop_map(Value::from),
            fields.prop_map(|fields| Value::Object(fields.into_iter().collect::<Map<_, _>>())),
        ]
    })
}

/// What is read from a text, with whatever is said of it.
fn read(text: &str) -> Vec<Value> {
    let mut findings = Vec::new();
    let documents = yaml::read(&SourceFile::new("text", text), yaml::Limits::default(), &mut findings);
    assert!(findings.is_empty(), "{findings:?} in\n{text}");
    documents.iter().map(|document| document.root.to_value()).collect()
}

/// One Workspace with these pieces of text in fields that take any.
fn workspace(texts: &[String; 4]) -> Value {
    let [annotation, config, argument, image] = texts;
    json!({
        "apiVersion": "kaito.sh/v1beta1", "kind": "Workspace",
        "metadata": {"name": "w", "annotations": {"example.com/a": annotation}},
        "resource": {"instanceType": "Standard_NC24ads_A100_v4", "labelSelector": {"matchLabels": {"a": "b"}}},
        "inference": {"template": {"metadata": {"annotations": {"a": config}}, "spec": {"containers": [
            {"name": "c", "image": image, "command": ["/bin/sh", argument], "env": [{"name": "E", "value": annotation}]}]}}}
    })
}

/// The objects of an input, as text and as values.
fn render(input: &Value) -> (String, Vec<Value>) {
    let options = Options::default();
    let mut findings = Vec::new();
    let input = Input::read(&[SourceFile::new("w.json", yaml::to_json(input))], &options, &mut findings);
    let session = Session::new(&input, &CATALOG, &options, false, &mut findings);
    assert!(!findings.iter().any(kaito::diagnostic::Diagnostic::is_error), "{findings:?}");
    let engine = Engine::new(Templates::new("0.12", std::collections::HashMap::new()));
    let (mut text, mut values) = (String::new(), Vec::new());
    let take = |objects: Vec<Object>| {
        for object in objects {
            text.push_str("---\n");
            object.to_yaml(&mut text);
            values.push(object.to_value());
        }
        Ok::<_, TemplateError>(())
    };
    session.render(&engine, |_, objects| Ok(objects), take).unwrap();
    (text, values)
}

/// The fields of a value without what stands in them.
fn structure(value: &Value) -> Value {
    match value {
        Value::Object(fields) => fields.iter().map(|(key, value)| (key.clone(), structure(value))).collect::<Map<_, _>>().into(),
        Value::Array(items) => items.iter().map(structure).collect(),
        Value::String(_) => json!("text"),
        other => other.clone(),
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn what_is_written_is_read_back(value in value()) {
        // A document holds a mapping, as every Kubernetes object is one.
        let value = json!({"apiVersion": "v1", "kind": "Any", "value": value});
        let mut text = String::new();
        yaml::to_yaml(&value, &mut text);
        prop_assert_eq!(read(&text), vec![value.clone()], "{}", text);
        prop_assert_eq!(read(&yaml::to_json(&value)), vec![value]);
    }

    #[test]
    fn no_text_changes_the_structure(texts in proptest::array::uniform4(text())) {
        let (text, values) = render(&workspace(&texts));
        let (_, plain) = render(&workspace(&["a", "b", "c", "d"].map(ToOwned::to_owned)));
        let structures = |values: &[Value]| values.iter().map(structure).collect::<Vec<_>>();
        prop_assert_eq!(structures(&values), structures(&plain));
        prop_assert_eq!(read(&text), values);
    }

    #[test]
    fn rendering_again_gives_the_same_bytes(texts in proptest::array::uniform4(text())) {
        let input = workspace(&texts);
        prop_assert_eq!(render(&input).0, render(&input).0);
    }

    #[test]
    fn more_memory_never_means_more_nodes(
        model in 0..CATALOG.models().count(), gpus in 1..=16u64, memory in 1..=200u64, more in 0..=200u64, context in 1..=200_000u64,
    ) {
        let model = &CATALOG.models().nth(model).unwrap().value;
        let shape = |gib: u64| NodeShape { gpus, memory: gib * gpus * GIB, ..some_shape() };
        let nodes = |gib| estimate(model, &shape(gib), context, &CATALOG.sizing).ok().map(|estimate| estimate.nodes);
        if let Some(nodes_of_less) = nodes(memory) {
            prop_assert!(nodes(memory + more).is_some_and(|nodes_of_more| nodes_of_more <= nodes_of_less));
        }
    }
}

fn some_shape() -> NodeShape {
    CATALOG.sku(Cloud::Azure, "Standard_NC24ads_A100_v4").unwrap().value.shape(String::new())
}

//! The catalog and what is planned from it, against Kaito's own figures in `tests/data/`.

use std::collections::BTreeMap;

use kaito::diagnostic::SourceFile;
use kaito::options::{Cloud, Options};
use kaito::plan::{Workload, estimate};
use kaito::preset::{Catalog, Layer};
use kaito::session::Session;
use kaito::spec::Input;
use kaito::yaml;
use serde_json::Value;

fn catalog() -> Catalog {
    Catalog::load("0.12", &[Layer::embedded("0.12")]).unwrap_or_else(|faults| panic!("{faults:?}"))
}

pub(crate) fn data(name: &str) -> Value {
    let text = std::fs::read_to_string(format!("tests/data/{name}")).unwrap();
    let documents = yaml::read(&SourceFile::new(name, text), yaml::Limits::default(), &mut Vec::new());
    documents[0].root.to_value()
}

/// What a plan says of a model on a size, without anything else.
pub(crate) fn command(catalog: &Catalog, model: &str, sku: &str) -> (u64, String) {
    let text = format!(
        "{{apiVersion: kaito.sh/v1beta1, kind: Workspace, metadata: {{name: w}}, resource: {{instanceType: {sku}, labelSelector: {{}}}}, inference: {{preset: {{name: {model}}}}}}}"
    );
    let options = Options::default();
    let mut findings = Vec::new();
    let input = Input::read(&[SourceFile::new("w.yaml", text)], &options, &mut findings);
    let session = Session::new(&input, catalog, &options, false, &mut findings);
    let plan = session.plans().next().unwrap_or_else(|| panic!("{model} on {sku}: {findings:?}"));
    match &plan.workload {
        Workload::Preset(preset) => (plan.nodes.count, preset.command.clone()),
        _ => unreachable!("a preset was asked for"),
    }
}

/// The arguments behind the program that serves, up to the end of the command or of its branch.
pub(crate) fn arguments(command: &str) -> BTreeMap<String, String> {
    let (_, after) = command.split_once("inference_api.py").unwrap();
    let words = after.split("; else").next().unwrap().split_whitespace();
    words
        .map(|word| {
            word.trim_start_matches("--")
                .split_once('=')
                .map_or((word.trim_start_matches("--").to_owned(), String::new()), |(k, v)| (k.to_owned(), v.to_owned()))
        })
        .collect()
}

#[test]
fn node_counts_are_kaitos() {
    let catalog = catalog();
    let mut compared = 0;
    for (id, clouds) in data("node-counts.yaml").as_object().unwrap() {
        let model = &catalog.model(id).unwrap_or_else(|_| panic!("{id} is missing")).value;
        for (cloud, skus) in clouds.as_object().unwrap() {
            let cloud = Cloud::by_name(cloud).unwrap();
            for (sku, want) in skus.as_object().unwrap() {
                let shape = catalog.sku(cloud, sku).unwrap_or_else(|| panic!("{sku} is missing")).value.shape(String::new());
                let have = estimate(model, &shape, 2048, &catalog.sizing).ok().map(|estimate| estimate.nodes);
                assert_eq!(have, want.as_u64(), "{id} on {sku}");
                compared += 1;
            }
        }
    }
    assert!(compared > 1000, "only {compared} were compared");
}

#[test]
fn vllm_arguments_are_kaitos() {
    let catalog = catalog();
    for (id, skus) in data("vllm-args.json").as_object().unwrap() {
        for (sku, want) in skus.as_object().unwrap() {
            let (nodes, command) = command(&catalog, id, sku);
            assert_eq!(Some(nodes), want["nodes"].as_u64(), "{id} on {sku}");
            let want: BTreeMap<String, String> = serde_json::from_value(want["args"].clone()).unwrap();
            assert_eq!(arguments(&command), want, "{id} on {sku}");
        }
    }
}

#[test]
fn what_follows_from_a_model_is_kaitos() {
    let catalog = catalog();
    let table = data("presets.json");
    assert_eq!(table.as_object().unwrap().len(), catalog.models().count());
    let aliases: usize = catalog.models().map(|model| model.value.aliases.len()).sum();
    assert_eq!(aliases, 25);
    for (id, want) in table.as_object().unwrap() {
        let model = &catalog.model(id).unwrap_or_else(|_| panic!("{id} is missing")).value;
        let text = |field: &str| want[field].as_str().unwrap();
        assert_eq!(model.repository(), *id);
        assert_eq!(model.kv_bytes_per_token(), want["kvBytesPerToken"].as_u64().unwrap(), "{id}");
        assert_eq!(model.attention().name(), text("attention"), "{id}");
        assert_eq!(model.context_limit, want["contextLimit"].as_u64().unwrap(), "{id}");
        assert_eq!(catalog.vllm.no_kv_cache_offload.contains(model), want["disableKvCpuOffload"].as_bool().unwrap(), "{id}");
        assert_eq!(catalog.vllm.deep_gemm.contains(model), want["deepGemm"].as_bool().unwrap(), "{id}");
        let toolkit = catalog.vllm.deep_gemm.contains(model) || catalog.vllm.cuda_toolkit.contains(model);
        assert_eq!(toolkit, want["cudaToolkit"].as_bool().unwrap(), "{id}");
        let transformers = model.transformers.as_ref().map(|arguments| serde_json::to_value(arguments).unwrap());
        assert_eq!(transformers.unwrap_or(Value::Null), want["transformersArgs"], "{id}");
        let arguments = arguments(&command(&catalog, id, "Standard_ND96isr_H200_v5").1);
        for (flag, value) in want["vllmArgs"].as_object().unwrap() {
            assert_eq!(arguments.get(flag).map(String::as_str), value.as_str(), "{id}: {flag}");
        }
        for alias in want["aliases"].as_array().unwrap() {
            assert_eq!(catalog.model(alias.as_str().unwrap()).unwrap().value.id, model.id);
        }
    }
}

#[test]
fn disks_and_startup_budgets_are_kaitos() {
    let catalog = catalog();
    let options = Options::default();
    for (id, want) in data("presets.json").as_object().unwrap() {
        let text = format!(
            "{{apiVersion: kaito.sh/v1beta1, kind: Workspace, metadata: {{name: w}}, resource: {{instanceType: Standard_ND96isr_H200_v5, labelSelector: {{}}}}, inference: {{preset: {{name: {id}}}}}}}"
        );
        let mut findings = Vec::new();
        let input = Input::read(&[SourceFile::new("w.yaml", text)], &options, &mut findings);
        let session = Session::new(&input, &catalog, &options, false, &mut findings);
        let plan = session.plans().next().unwrap();
        let Workload::Preset(preset) = &plan.workload else { unreachable!("a preset was asked for") };
        assert_eq!(preset.disk, want["osDisk"].as_str().unwrap(), "{id}");
        assert_eq!(Some(preset.startup_failures), want["startupFailureThreshold"].as_u64(), "{id}");
    }
}

#[test]
fn layers_change_the_fields_they_name() {
    let layer = |text: &str| Layer::Own(vec![SourceFile::new("own/own.yaml", text)]);
    let load = |text: &str| Catalog::load("0.12", &[Layer::embedded("0.12"), layer(text)]);
    let changed = load("models: [{id: Microsoft/phi-4, config: {hiddenSize: 100}, tuning: {disk: 1Gi}}]").unwrap();
    let (changed, before) = (&changed.model("phi-4").unwrap().value, &catalog().model("phi-4").unwrap().value.clone());
    assert_eq!((changed.config.hidden_size, changed.config.num_attention_heads), (100, before.config.num_attention_heads));
    assert_eq!(changed.weights.as_str(), before.weights.as_str());
    let table = [
        ("models: [{id: acme/a}]", "the field weights is missing"),
        ("models: [{id: acme/a, config: {hiddenSize: 1}}]", "the field numHiddenLayers is missing"),
        ("models: [{id: microsoft/phi-4, weights: null}]", "the field weights is missing"),
        ("models: [{id: microsoft/phi-4, weight: 1Gi}]", "unknown field"),
        ("models: [{id: mistralai/Mistral-7B-v0.3, aliases: [phi-4]}]", "\"phi-4\" means two models"),
        ("models: [{id: microsoft/phi-4, aliases: [microsoft/Phi-4-mini-instruct]}]", "means two models"),
        ("models: {}", "expected a list"),
        ("other: []", "isn't a preset file"),
        ("skus: []", "belongs into skus/azure.yaml"),
    ];
    for (text, says) in table {
        let faults = load(text).err().unwrap_or_else(|| panic!("{text} was taken"));
        assert!(faults.iter().any(|fault| fault.message.contains(says)), "{text}: {says:?} is not said in {faults:?}");
    }
}

//! The command that serves a model.
//!
//! Source: Kaito 0.12. It prints arguments in the random order of a hash map; here they are sorted.

use std::borrow::Cow;
use std::collections::BTreeMap;

use super::workload::{PresetInference, Weights};
use super::{Context, Reasons, Runtime, Streaming};
use crate::preset::Model;
use crate::sku::NodeShape;
use crate::spec::{Located, Workspace, names};

/// Arguments by name, with their value and where it comes from; an empty value is a bare flag.
struct Arguments<'a, 'r> {
    values: Values<'a>,
    origins: BTreeMap<&'a str, String>,
    reasons: &'r mut Reasons,
}

/// Values of arguments, most of them as the catalog has them.
type Values<'a> = BTreeMap<&'a str, Cow<'a, str>>;

impl<'a, 'r> Arguments<'a, 'r> {
    fn new(reasons: &'r mut Reasons) -> Self {
        Self { values: BTreeMap::new(), origins: BTreeMap::new(), reasons }
    }

    fn set(&mut self, flag: &'a str, value: impl Into<Cow<'a, str>>, origin: impl FnOnce() -> String) {
        self.values.insert(flag, value.into());
        if self.reasons.are_wanted() {
            self.origins.insert(flag, origin());
        }
    }

    fn set_all(&mut self, flags: impl IntoIterator<Item = (&'a String, &'a String)>, origin: impl Fn() -> String) {
        for (flag, value) in flags {
            self.set(flag, value, &origin);
        }
    }

    fn explain(self) -> Values<'a> {
        for (flag, value) in &self.values {
            let origin = self.origins.get(flag).cloned().unwrap_or_default();
            self.reasons.add("argument", || (argument(flag, value), String::new(), origin));
        }
        self.values
    }
}

/// The argument that the shell fills with what the init container has found, as one word.
const MODEL_FOUND_AT_START: &str = " --model=\"$STREAM_MODEL_URI\"";

/// The shell command of the main container.
pub(super) fn command(
    located: &Located<Workspace>,
    context: &Context<'_>,
    planned: &PresetInference<'_>,
    shape: &NodeShape,
    reasons: &mut Reasons,
) -> String {
    match planned.runtime {
        Runtime::Transformers => transformers(context, planned, reasons),
        Runtime::Vllm => {
            // Which model it is, such a pod finds out as it starts.
            let is_found = planned.streaming.as_ref().is_some_and(Streaming::fetches_token);
            let found = if is_found { MODEL_FOUND_AT_START } else { "" };
            let arguments = vllm(located, context, planned, shape, reasons);
            let serve = format!("{}{found}{}", context.catalog.vllm.command, text(&arguments));
            if planned.is_distributed() { distributed(located, planned.nodes, &serve) } else { serve }
        }
    }
}

fn transformers(context: &Context<'_>, planned: &PresetInference<'_>, reasons: &mut Reasons) -> String {
    let rules = &context.catalog.transformers;
    let mut arguments = Arguments::new(reasons);
    let file = || context.catalog.file_name("transformers");
    arguments.set_all(&rules.common, file);
    arguments.set_all(planned.model.transformers.iter().flatten(), || planned.model.id.clone());
    arguments.set("served_model_name", planned.model.name(), || "the name of the preset".to_owned());
    arguments.set("pretrained_model_name_or_path", planned.model.repository(), || planned.model.id.clone());
    if let Some(revision) = &planned.model.revision {
        arguments.set("revision", revision, || planned.model.id.clone());
    }
    let arguments = arguments.explain();
    format!("{}{} {}{}", rules.launcher, text(&rules.launcher_arguments), rules.script, text(&arguments))
}

fn vllm<'a>(
    located: &'a Located<Workspace>,
    context: &'a Context<'_>,
    planned: &'a PresetInference<'_>,
    shape: &NodeShape,
    reasons: &mut Reasons,
) -> Values<'a> {
    let rules = &context.catalog.vllm;
    let model = planned.model;
    let workspace = &located.value;
    let file = || context.catalog.file_name("vllm");
    let mut arguments = Arguments::new(reasons);
    arguments.set_all(&rules.common, file);
    arguments
        .set_all(rules.formats.get(model.format.name()).into_iter().flatten(), || format!("{}: format {}", file(), model.format.name()));
    let dtype = if model.quantization.is_some() { &rules.dtype.quantized } else { &rules.dtype.otherwise };
    arguments.set("dtype", dtype, || format!("{}: {}", file(), if model.quantization.is_some() { "quantized" } else { "not quantized" }));
    let name = model.name();
    for rule in &rules.rules {
        if let Some((key, value)) = rule.value(model, &name) {
            arguments.set(&rule.flag, value, || format!("{}: {key}", file()));
            arguments.set_all(&rule.with, || format!("{}: {key}", file()));
        }
    }
    let utilization = rules.gpu_memory_utilization.by_gpu_model.get(&shape.model);
    arguments.set("gpu-memory-utilization", utilization.unwrap_or(&rules.gpu_memory_utilization.default), || {
        format!("{}: GPU {}", file(), shape.model)
    });
    arguments.set("served-model-name", served_name(workspace, model), || {
        "the InferenceSet's name for its children, else the preset's".to_owned()
    });
    weights(&mut arguments, planned);
    if !planned.adapters.is_empty() {
        arguments.set("enable-lora", "", || "inference.adapters".to_owned());
    }
    if planned.config.is_some() {
        arguments.set("kaito-config-file", "/mnt/config/inference_config.yaml", || "inference.config".to_owned());
    }
    if let Some(mode) = workspace.annotation(names::PERFORMANCE_MODE).filter(|mode| *mode != "balanced") {
        arguments.set("performance-mode", mode, || format!("annotation {}", names::PERFORMANCE_MODE));
    }
    let data_parallel = parallelism(&mut arguments, planned, shape);
    if rules.no_kv_cache_offload.contains(model) || data_parallel || planned.nodes > 1 || shape.mig {
        let because = "no offload with hybrid caches, data parallelism, several nodes or MIG";
        arguments.set("kaito-kv-cache-cpu-memory-utilization", "0", || because.to_owned());
    }
    if planned.sidecar {
        arguments.set("port", planned.port.to_string(), || format!("label {}: decode", names::INFERENCE_ROLE));
    }
    if planned.streaming.is_some() && arguments.values.get("tensor-parallel-size").is_some_and(|size| size != "1") {
        let because = || "streamed by the processes of all GPUs together".to_owned();
        arguments.set("model-loader-extra-config", "{\"distributed\": true}", because);
    }
    arguments.set_all(&model.arguments, || format!("arguments of {}", model.id));
    arguments.explain()
}

fn served_name(workspace: &Workspace, model: &Model) -> String {
    match workspace.label(names::INFERENCE_SET_CREATED_BY) {
        Some(set) if !set.is_empty() && workspace.label(names::MULTI_ROLE_CREATED_BY).is_none() => set.to_owned(),
        _ => model.name(),
    }
}

fn weights<'a>(arguments: &mut Arguments<'a, '_>, planned: &'a PresetInference<'_>) {
    let model = planned.model;
    let (path, because) = match (&planned.streaming, &planned.weights) {
        (Some(streaming), _) => (streaming.uri(), "weights are streamed".to_owned()),
        (None, Weights::Local(path)) => (Some(path.clone()), format!("annotation {}", names::USE_LOCAL_WEIGHTS)),
        (None, _) => {
            arguments.set("model", model.repository(), || model.id.clone());
            arguments.set("download-dir", "/workspace/weights", || "weights are downloaded at start".to_owned());
            if let Some(revision) = &model.revision {
                arguments.set("code-revision", revision, || model.id.clone());
            }
            return;
        }
    };
    match path {
        Some(path) => arguments.set("model", path, || because.clone()),
        None => arguments.reasons.add("argument", || (MODEL_FOUND_AT_START.trim().to_owned(), String::new(), because.clone())),
    }
    arguments.values.remove("load_format");
    arguments.set("load-format", "runai_streamer", || because);
}

/// Splits the model over GPUs and nodes; whether each GPU has a whole copy.
fn parallelism(arguments: &mut Arguments<'_, '_>, planned: &PresetInference<'_>, shape: &NodeShape) -> bool {
    let gpus = planned.gpus;
    let weights = planned.model.weights_bytes();
    let data_parallel = planned.nodes == 1 && gpus > 1 && u128::from(weights) * u128::from(gpus) * 2 < u128::from(shape.memory);
    let copies = || format!("weights x {gpus} GPUs x 2 {} the node's GPU memory", if data_parallel { "<" } else { ">=" });
    if data_parallel {
        arguments.set("data-parallel-size", gpus.to_string(), copies);
        arguments.set("tensor-parallel-size", "1", copies);
        return true;
    }
    arguments.set("tensor-parallel-size", gpus.to_string(), || "GPUs per node".to_owned());
    if planned.nodes > 1 {
        arguments.set("pipeline-parallel-size", planned.nodes.to_string(), || "nodes".to_owned());
        arguments.set("distributed-executor-backend", "ray", || "several nodes".to_owned());
    }
    false
}

/// The host of pod 0, where Ray's head runs.
pub fn leader(located_name: &str, namespace: &str) -> String {
    format!("{located_name}-0.{located_name}-headless.{namespace}.svc.cluster.local")
}

fn distributed(located: &Located<Workspace>, nodes: u64, serve: &str) -> String {
    let leader = leader(&located.value.metadata.name, &located.namespace);
    format!(
        "if [ \"${{POD_INDEX}}\" = \"0\" ]; then /workspace/vllm/multi-node-serving.sh leader --ray_cluster_size={nodes} --ray_port=6379; {serve}; \
         else /workspace/vllm/multi-node-serving.sh worker --ray_address={leader} --ray_port=6379; fi"
    )
}

/// An argument as one word of the shell that runs the command.
pub(super) fn argument(flag: &str, value: &str) -> String {
    let mut text = String::new();
    push_argument(&mut text, flag, value);
    text
}

/// Arguments, each with a space before it.
pub(super) fn text(arguments: &BTreeMap<impl AsRef<str>, impl AsRef<str>>) -> String {
    let mut text = String::with_capacity(1024);
    for (flag, value) in arguments {
        text.push(' ');
        push_argument(&mut text, flag.as_ref(), value.as_ref());
    }
    text
}

fn push_argument(text: &mut String, flag: &str, value: &str) {
    text.push_str("--");
    text.push_str(flag);
    if !value.is_empty() {
        text.push('=');
        text.push_str(&shlex::try_quote(value).unwrap_or_default());
    }
}

//! What the templates of a fine-tuning are given.

use serde::Serialize;
use serde_json::{Map, Value, json};

use super::context::{Pods, pods};
use crate::plan::{Context, Plan, Tuning, TuningInput, TuningOutput};
use crate::preset::DefaultTraining;

/// For `job.yaml`.
#[derive(Serialize)]
pub(super) struct Job<'a> {
    #[serde(flatten)]
    pods: Pods<'a>,
    image: &'a str,
    command: &'a str,
    gpus: u64,
    target_modules: Option<&'a str>,
    weights_puller: &'a str,
    weights_image: &'a str,
    adapter_puller: &'a str,
    data_downloader: &'a str,
    adapter_pusher: &'a str,
    pause: &'a str,
    config: &'a str,
    output_dir: &'a str,
    input_urls: Option<String>,
    input_image: Option<&'a str>,
    input_name: &'a str,
    input_secrets: &'a [String],
    input_volume: Map<String, Value>,
    output_image: Option<&'a str>,
    /// What oras writes onto the image, in the form of its `--annotation-file`.
    output_annotations: String,
    push_secret: Option<&'a str>,
    output_volume: Map<String, Value>,
}

/// The context of a Job.
pub(super) fn job<'a>(plan: &'a Plan<'a>, tuning: &'a Tuning<'a>, context: &'a Context<'a>) -> Job<'a> {
    let images = &context.images;
    let empty_dir = || Map::from_iter([("emptyDir".to_owned(), json!({}))]);
    let (input_image, input_name, input_secrets) = match &tuning.input {
        TuningInput::Image(image, name, secrets) => (Some(image.as_str()), *name, *secrets),
        _ => (None, "", [].as_slice()),
    };
    let (output_image, push_secret) = match &tuning.output {
        TuningOutput::Image(image, secret) => (Some(image.as_str()), Some(*secret)),
        TuningOutput::Volume(_) => (None, None),
    };
    Job {
        pods: pods(plan, context),
        image: &tuning.image,
        command: &tuning.command,
        gpus: tuning.gpus,
        target_modules: tuning.target_modules,
        weights_puller: &images.weights_puller,
        weights_image: &tuning.weights_image,
        adapter_puller: &images.adapter_puller,
        data_downloader: &images.data_downloader,
        adapter_pusher: &images.adapter_pusher,
        pause: &images.pause,
        config: tuning.training.config,
        output_dir: &tuning.training.output_dir,
        input_urls: if let TuningInput::Urls(urls) = &tuning.input { Some(urls.join(" ")) } else { None },
        input_image,
        input_name,
        input_secrets,
        input_volume: if let TuningInput::Volume(volume) = &tuning.input { (*volume).clone() } else { empty_dir() },
        output_image,
        output_annotations: json!({"$manifest": {"sh.kaito.model.name": tuning.preset_name}}).to_string(),
        push_secret,
        output_volume: if let TuningOutput::Volume(volume) = &tuning.output { (*volume).clone() } else { empty_dir() },
    }
}

/// For `configmap-training.yaml`.
#[derive(Serialize)]
pub(super) struct TrainingConfigMap<'a> {
    name: &'a str,
    namespace: &'a str,
    training_config: String,
}

/// The context of a default configuration.
pub(super) fn config_map<'a>(default: &'a DefaultTraining, namespace: &'a str) -> TrainingConfigMap<'a> {
    TrainingConfigMap { name: &default.name, namespace, training_config: default.text() }
}

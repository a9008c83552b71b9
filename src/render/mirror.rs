//! What the templates of a mirror are given.

use serde::Serialize;

use crate::options::Cloud;
use crate::plan::{Context, Mirror};

/// For `modelmirror.yaml`, `modelmirror-pvc.yaml` and `modelmirror-job.yaml`.
#[derive(Serialize)]
pub(super) struct ModelMirror<'a> {
    name: &'a str,
    namespace: &'a str,
    job_name: String,
    model_id: &'a str,
    size: &'a str,
    storage_class: &'a str,
    service_account: Option<&'a str>,
    access_secret: Option<&'a str>,
    /// Whether the pod gets the identity of its ServiceAccount, which only Azure's webhook gives.
    workload_identity: bool,
    downloader: &'a str,
    download_cpu: &'a str,
    download_memory: &'a str,
}

/// The context of a mirror.
pub(super) fn mirror<'a>(mirror: &'a Mirror<'a>, context: &'a Context<'a>) -> ModelMirror<'a> {
    let download = &context.catalog.sizing.download;
    ModelMirror {
        name: &mirror.name,
        namespace: mirror.namespace,
        job_name: mirror.job_name(),
        model_id: &mirror.model_id,
        size: &mirror.size,
        storage_class: mirror.storage_class,
        service_account: mirror.service_account,
        access_secret: mirror.access_secret,
        workload_identity: mirror.service_account.is_some() && context.options.cloud == Cloud::Azure,
        downloader: &context.images.model_downloader,
        download_cpu: &download.cpu,
        download_memory: download.memory.as_str(),
    }
}

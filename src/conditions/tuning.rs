//! How a tuning is doing.
//!
//! Source: Kaito 0.12, with one difference: a Job whose pod fails and whose next pod succeeds has succeeded.

use serde_json::Value;

use super::calm::calm;
use super::inference::trouble;
use super::part::{Outlook, Part};
use crate::health::{Status, health};

/// How far a tuning is.
pub(super) struct Tuning {
    /// Whether its Job has started.
    pub(super) job_started: Part,
    /// Whether it is done.
    pub(super) done: Part,
    /// In a word of Kaito's.
    pub(super) state: &'static str,
}

/// How far the Job among these objects is.
pub(super) fn tuning(objects: &[&Value]) -> Tuning {
    let job = objects.iter().find(|object| object["kind"] == "Job");
    let have = |field: &str| job.and_then(|job| job["status"][field].as_u64()).unwrap_or_default() > 0;
    let health = job.map(|job| health(job));
    let said = health.as_ref().map_or_else(|| "there is no Job yet".to_owned(), |health| calm(&health.message));
    let (state, outlook, started) = if have("succeeded") {
        ("Succeeded", Outlook::There, "Started")
    } else if health.is_some_and(|health| health.status == Status::Failed) {
        ("Failed", Outlook::Failed, "Failed")
    } else if have("failed") {
        ("Failed", Outlook::Stuck, "Failed")
    } else if have("active") || have("ready") {
        ("Running", Outlook::Coming, "Started")
    } else {
        ("Pending", Outlook::Coming, "Pending")
    };
    let reason = format!("WorkspaceTuningJobStatus{started}");
    let has_started = if started == "Started" { Outlook::There } else { outlook };
    let message = match state {
        "Succeeded" => "the tuning is done".to_owned(),
        "Running" => "the tuning is running".to_owned(),
        "Failed" => format!("the tuning has failed: {said}"),
        _ => format!("the tuning has not started: {said}"),
    };
    let done = Part::new("JobStarted", outlook, reason.clone(), message.clone());
    let met_with = trouble(objects).filter(|_| outlook == Outlook::Coming);
    Tuning { job_started: Part::new("JobStarted", has_started, reason, message), done: met_with.unwrap_or(done), state }
}

//! Metrics, as Prometheus asks for them. Where controller-runtime or client-go have a name for something, it is theirs, so that
//! dashboards and alerts that are there already fit.
//!
//! Labels have few values: words of this file, names of the configuration, and the addresses of API servers.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};
use prometheus_client::registry::{Metric, Registry};

use super::process::Process;
use super::words::{ObjectOutcome, Phase, ReconcileResult, WorkspaceState};

type Labels<const N: usize> = [(&'static str, String); N];
type Counters<const N: usize> = Family<Labels<N>, Counter>;
type Gauges<const N: usize> = Family<Labels<N>, Gauge>;
type Histograms<const N: usize> = Family<Labels<N>, Histogram, fn() -> Histogram>;

/// Seconds that tell apart what takes a moment from what somebody waits for.
const SECONDS: [f64; 14] = [0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0];
/// The same for requests. Source: client-go's metrics, k8s.io/component-base.
const REQUEST_SECONDS: [f64; 12] = [0.005, 0.025, 0.1, 0.25, 0.5, 1.0, 2.0, 4.0, 8.0, 15.0, 30.0, 60.0];
/// What controller-runtime would call the loop.
const CONTROLLER: &str = "watch";
/// The methods of HTTP that an API server is asked with.
const METHODS: [&str; 6] = ["GET", "POST", "PUT", "PATCH", "DELETE", "HEAD"];

/// All metrics of the process. Every method may be called from any thread.
#[derive(Debug)]
pub struct Metrics {
    registry: Registry,
    reconciled: Counters<2>,
    reconcile_errors: Counters<1>,
    reconcile_time: Histograms<1>,
    queue_depth: Gauges<2>,
    queue_adds: Counters<2>,
    queue_retries: Counters<2>,
    queue_time: Histograms<2>,
    work_time: Histograms<2>,
    requests: Counters<3>,
    request_time: Histograms<2>,
    phases: Histograms<2>,
    objects: Counters<2>,
    drift: Counters<1>,
    revision: Gauges<2>,
    webhooks: Counters<2>,
    workspaces: Gauges<2>,
    leader: Gauge,
    /// The revision of each source, of which there is one series only.
    revisions: Mutex<BTreeMap<String, String>>,
}

impl Default for Metrics {
    fn default() -> Self {
        Self::new()
    }
}

impl Metrics {
    /// Nothing counted yet.
    pub fn new() -> Self {
        let mut registry = Registry::default();
        // The registry writes `_total` after the names of counters.
        let r = &mut registry;
        Self {
            reconciled: add(r, "controller_runtime_reconcile", "Reconciliations per controller", Family::default()),
            reconcile_errors: add(r, "controller_runtime_reconcile_errors", "Reconciliation errors per controller", Family::default()),
            reconcile_time: add(r, "controller_runtime_reconcile_time_seconds", "Length of time per reconciliation", histograms()),
            queue_depth: add(r, "workqueue_depth", "Workspaces that are to be looked after by now", Family::default()),
            queue_adds: add(r, "workqueue_adds", "Workspaces that were to be looked after", Family::default()),
            queue_retries: add(
                r,
                "workqueue_retries",
                "Workspaces that are to be looked after once more after an error",
                Family::default(),
            ),
            queue_time: add(r, "workqueue_queue_duration_seconds", "How long a Workspace waits until it is looked after", queues()),
            work_time: add(r, "workqueue_work_duration_seconds", "How long looking after some Workspaces takes", queues()),
            requests: add(r, "rest_client_requests", "Requests to API servers, by status, method and host", Family::default()),
            request_time: add(r, "rest_client_request_duration_seconds", "How long an API server takes to answer", request_times()),
            phases: add(r, "kaito_gitops_phase_duration_seconds", "How long a phase of following a source took", histograms()),
            objects: add(r, "kaito_gitops_objects", "Objects by what became of them", Family::default()),
            drift: add(r, "kaito_gitops_drift", "Objects that somebody else changed and that were put right", Family::default()),
            revision: add(r, "kaito_gitops_revision_info", "The revision of a source that is applied", Family::default()),
            webhooks: add(r, "kaito_gitops_webhook_requests", "Webhooks by what was heard", Family::default()),
            workspaces: add(r, "kaito_gitops_workspaces", "Workspaces of a source by how they are doing", Family::default()),
            leader: add(r, "kaito_gitops_leader", "Whether this process is the one that applies", Gauge::default()),
            revisions: Mutex::default(),
            registry: {
                registry.register_collector(Box::new(Process));
                registry
            },
        }
    }

    /// All metrics as a text in the format that Prometheus asks for first: <https://prometheus.io/docs/specs/om/open_metrics_spec/>.
    pub fn text(&self) -> String {
        let mut text = String::new();
        // Writing to a string can't fail.
        _ = encode(&mut text, &self.registry);
        text
    }

    /// A reconciliation ended.
    pub fn reconciled(&self, result: ReconcileResult, took: Duration) {
        let labels = [("controller", CONTROLLER.to_owned())];
        self.reconciled.get_or_create(&pair("controller", CONTROLLER, "result", result.word())).inc();
        self.reconcile_time.get_or_create(&labels).observe(took.as_secs_f64());
        // It is there from the beginning, so that the first error is a change that an alert sees.
        let errors = self.reconcile_errors.get_or_create(&labels);
        if result == ReconcileResult::Error {
            errors.inc();
        }
    }

    /// A pass begins over what waited in a queue, each for so long.
    pub fn taken(&self, queue: &str, waited: &[Duration]) {
        let labels = pair("name", queue, "controller", CONTROLLER);
        self.queue_adds.get_or_create(&labels).inc_by(waited.len() as u64);
        let times = self.queue_time.get_or_create(&labels);
        waited.iter().for_each(|waited| times.observe(waited.as_secs_f64()));
    }

    /// A pass over what was in a queue has ended after so long; so many are to be looked after once more, after an error.
    pub fn worked(&self, queue: &str, took: Duration, retries: usize) {
        let labels = pair("name", queue, "controller", CONTROLLER);
        self.work_time.get_or_create(&labels).observe(took.as_secs_f64());
        // It is there from the beginning, so that the first one is a change that an alert sees.
        self.queue_retries.get_or_create(&labels).inc_by(retries as u64);
    }

    /// How many wait in a queue.
    pub fn queue_depth(&self, queue: &str, depth: usize) {
        self.queue_depth.get_or_create(&pair("name", queue, "controller", CONTROLLER)).set(number(depth));
    }

    /// An API server was asked: the status of its answer, if there was one, the method, its host and port, and how long that took.
    pub fn requested(&self, code: Option<u16>, method: &str, host: &str, took: Duration) {
        let code = code.map_or_else(|| "<error>".to_owned(), |code| code.to_string());
        let method = METHODS.iter().find(|known| **known == method).copied().unwrap_or("other");
        self.requests.get_or_create(&[("code", code), ("method", method.to_owned()), ("host", host.to_owned())]).inc();
        self.request_time.get_or_create(&pair("verb", method, "host", host)).observe(took.as_secs_f64());
    }

    /// A phase of following a source ended.
    pub fn phase(&self, source: &str, phase: Phase, took: Duration) {
        self.phases.get_or_create(&pair("source", source, "phase", phase.word())).observe(took.as_secs_f64());
    }

    /// So many objects of a source had this outcome.
    pub fn objects(&self, source: &str, outcome: ObjectOutcome, count: usize) {
        self.objects.get_or_create(&pair("source", source, "outcome", outcome.word())).inc_by(count as u64);
    }

    /// An object of a source was found changed and is put right.
    pub fn drifted(&self, source: &str) {
        self.drift.get_or_create(&[("source", source.to_owned())]).inc();
    }

    /// This revision of a source is applied, and no longer the one before.
    pub fn revision(&self, source: &str, revision: &str) {
        let mut revisions = self.revisions.lock().unwrap_or_else(PoisonError::into_inner);
        let before = revisions.insert(source.to_owned(), revision.to_owned());
        if let Some(before) = before.filter(|before| before != revision) {
            self.revision.remove(&pair("source", source, "revision", &before));
        }
        self.revision.get_or_create(&pair("source", source, "revision", revision)).set(1);
    }

    /// A receiver of webhooks, or none of that name, heard something: a word of `Heard`.
    pub fn webhook(&self, receiver: &str, result: &'static str) {
        self.webhooks.get_or_create(&pair("receiver", receiver, "result", result)).inc();
    }

    /// So many Workspaces of a source are in each state; none in those that aren't named.
    pub fn workspaces(&self, source: &str, counts: &BTreeMap<WorkspaceState, usize>) {
        for state in WorkspaceState::ALL {
            let count = counts.get(&state).copied().unwrap_or_default();
            self.workspaces.get_or_create(&pair("source", source, "state", state.word())).set(number(count));
        }
    }

    /// Whether this process is the one that applies.
    pub fn leader(&self, is_leader: bool) {
        self.leader.set(i64::from(is_leader));
    }

    /// A source is no longer followed: nothing more is said of it.
    pub fn forget(&self, source: &str) {
        for phase in Phase::ALL {
            self.phases.remove(&pair("source", source, "phase", phase.word()));
        }
        for outcome in ObjectOutcome::ALL {
            self.objects.remove(&pair("source", source, "outcome", outcome.word()));
        }
        for state in WorkspaceState::ALL {
            self.workspaces.remove(&pair("source", source, "state", state.word()));
        }
        let queue = pair("name", source, "controller", CONTROLLER);
        self.queue_depth.remove(&queue);
        self.queue_adds.remove(&queue);
        self.queue_retries.remove(&queue);
        self.queue_time.remove(&queue);
        self.work_time.remove(&queue);
        self.drift.remove(&[("source", source.to_owned())]);
        let mut revisions = self.revisions.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(revision) = revisions.remove(source) {
            self.revision.remove(&pair("source", source, "revision", &revision));
        }
    }
}

fn add<M: Metric + Clone>(registry: &mut Registry, name: &str, help: &str, metric: M) -> M {
    registry.register(name, help, metric.clone());
    metric
}

fn histograms<const N: usize>() -> Histograms<N> {
    Family::new_with_constructor(|| Histogram::new(SECONDS))
}

/// As client-go has them: from ten nanoseconds to a thousand seconds.
fn queues() -> Histograms<2> {
    Family::new_with_constructor(|| Histogram::new(exponential_buckets(1e-8, 10.0, 12)))
}

fn request_times() -> Histograms<2> {
    Family::new_with_constructor(|| Histogram::new(REQUEST_SECONDS))
}

fn pair(first: &'static str, one: &str, second: &'static str, other: &str) -> Labels<2> {
    [(first, one.to_owned()), (second, other.to_owned())]
}

fn number(count: usize) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Everything that is counted, and the lines that come of it.
    #[test]
    fn lines() {
        let metrics = Metrics::new();
        let millis = Duration::from_millis;
        metrics.reconciled(ReconcileResult::Success, millis(20));
        metrics.reconciled(ReconcileResult::Error, millis(2000));
        metrics.taken("prod", &[millis(20), millis(300)]);
        metrics.worked("prod", millis(2000), 1);
        metrics.queue_depth("prod", 2);
        metrics.requested(Some(200), "GET", "10.0.0.1:443", millis(100));
        metrics.requested(None, "PATCH", "10.0.0.1:443", millis(4000));
        metrics.requested(Some(200), "BREW", "10.0.0.1:443", millis(1));
        metrics.phase("prod", Phase::Fetch, millis(300));
        metrics.objects("prod", ObjectOutcome::Created, 4);
        metrics.objects("prod", ObjectOutcome::Created, 1);
        metrics.drifted("prod");
        metrics.revision("prod", "main@sha1:0f3c");
        metrics.revision("prod", "main@sha1:7788");
        metrics.webhook("github", "push");
        metrics.webhook("", "refused");
        metrics.workspaces("prod", &[(WorkspaceState::Ready, 7), (WorkspaceState::Failed, 1)].into());
        metrics.leader(true);
        let text = metrics.text();
        let mut lines: Vec<&str> = text.lines().filter(|line| !line.starts_with('#') && !line.starts_with("process_")).collect();
        lines.retain(|line| !line.contains("_bucket{") || line.contains("le=\"0.5\""));
        lines.sort_unstable();
        let want = [
            r#"controller_runtime_reconcile_errors_total{controller="watch"} 1"#,
            r#"controller_runtime_reconcile_time_seconds_bucket{le="0.5",controller="watch"} 1"#,
            r#"controller_runtime_reconcile_time_seconds_count{controller="watch"} 2"#,
            r#"controller_runtime_reconcile_time_seconds_sum{controller="watch"} 2.02"#,
            r#"controller_runtime_reconcile_total{controller="watch",result="error"} 1"#,
            r#"controller_runtime_reconcile_total{controller="watch",result="success"} 1"#,
            r#"kaito_gitops_drift_total{source="prod"} 1"#,
            r"kaito_gitops_leader 1",
            r#"kaito_gitops_objects_total{source="prod",outcome="created"} 5"#,
            r#"kaito_gitops_phase_duration_seconds_bucket{le="0.5",source="prod",phase="fetch"} 1"#,
            r#"kaito_gitops_phase_duration_seconds_count{source="prod",phase="fetch"} 1"#,
            r#"kaito_gitops_phase_duration_seconds_sum{source="prod",phase="fetch"} 0.3"#,
            r#"kaito_gitops_revision_info{source="prod",revision="main@sha1:7788"} 1"#,
            r#"kaito_gitops_webhook_requests_total{receiver="",result="refused"} 1"#,
            r#"kaito_gitops_webhook_requests_total{receiver="github",result="push"} 1"#,
            r#"kaito_gitops_workspaces{source="prod",state="failed"} 1"#,
            r#"kaito_gitops_workspaces{source="prod",state="progressing"} 0"#,
            r#"kaito_gitops_workspaces{source="prod",state="ready"} 7"#,
            r#"kaito_gitops_workspaces{source="prod",state="suspended"} 0"#,
            r#"rest_client_request_duration_seconds_bucket{le="0.5",verb="GET",host="10.0.0.1:443"} 1"#,
            r#"rest_client_request_duration_seconds_bucket{le="0.5",verb="PATCH",host="10.0.0.1:443"} 0"#,
            r#"rest_client_request_duration_seconds_bucket{le="0.5",verb="other",host="10.0.0.1:443"} 1"#,
            r#"rest_client_request_duration_seconds_count{verb="GET",host="10.0.0.1:443"} 1"#,
            r#"rest_client_request_duration_seconds_count{verb="PATCH",host="10.0.0.1:443"} 1"#,
            r#"rest_client_request_duration_seconds_count{verb="other",host="10.0.0.1:443"} 1"#,
            r#"rest_client_request_duration_seconds_sum{verb="GET",host="10.0.0.1:443"} 0.1"#,
            r#"rest_client_request_duration_seconds_sum{verb="PATCH",host="10.0.0.1:443"} 4.0"#,
            r#"rest_client_request_duration_seconds_sum{verb="other",host="10.0.0.1:443"} 0.001"#,
            r#"rest_client_requests_total{code="200",method="GET",host="10.0.0.1:443"} 1"#,
            r#"rest_client_requests_total{code="200",method="other",host="10.0.0.1:443"} 1"#,
            r#"rest_client_requests_total{code="<error>",method="PATCH",host="10.0.0.1:443"} 1"#,
            r#"workqueue_adds_total{name="prod",controller="watch"} 2"#,
            r#"workqueue_depth{name="prod",controller="watch"} 2"#,
            r#"workqueue_queue_duration_seconds_count{name="prod",controller="watch"} 2"#,
            r#"workqueue_queue_duration_seconds_sum{name="prod",controller="watch"} 0.32"#,
            r#"workqueue_retries_total{name="prod",controller="watch"} 1"#,
            r#"workqueue_work_duration_seconds_count{name="prod",controller="watch"} 1"#,
            r#"workqueue_work_duration_seconds_sum{name="prod",controller="watch"} 2.0"#,
        ];
        assert_eq!(lines, want);
    }

    #[test]
    fn a_forgotten_source_leaves_nothing() {
        let metrics = Metrics::new();
        for source in ["prod", "test"] {
            Phase::ALL.iter().for_each(|phase| metrics.phase(source, *phase, Duration::ZERO));
            ObjectOutcome::ALL.iter().for_each(|outcome| metrics.objects(source, *outcome, 1));
            metrics.drifted(source);
            metrics.revision(source, "main@sha1:0f3c");
            metrics.workspaces(source, &[(WorkspaceState::Ready, 1)].into());
            metrics.taken(source, &[Duration::ZERO]);
            metrics.worked(source, Duration::ZERO, 0);
            metrics.queue_depth(source, 0);
        }
        metrics.forget("prod");
        let text = metrics.text();
        assert!(!text.contains("prod"), "{text}");
        assert_eq!(text.matches(r#"source="test""#).count(), 5 * (SECONDS.len() + 3) + 5 + 1 + 1 + 4);
    }

    #[test]
    fn names_can_hold_anything() {
        let metrics = Metrics::new();
        metrics.drifted("a\"b\\c\nd");
        assert!(metrics.text().contains(r#"kaito_gitops_drift_total{source="a\"b\\c\nd"} 1"#));
    }
}

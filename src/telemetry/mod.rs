//! What a process that runs for long says of itself: metrics, logs and traces.

mod logs;
mod metrics;
mod otlp;
mod process;
mod traces;
mod words;

pub use logs::{LogFormat, level, start_logs, subscriber};
pub use metrics::Metrics;
pub use traces::{Attribute, Span, Traces};
pub use words::{ObjectOutcome, Phase, ReconcileResult, WorkspaceState};

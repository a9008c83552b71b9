//! What a process that runs for long says of itself: metrics and logs.

mod logs;
mod metrics;
mod process;
mod words;

pub use logs::{LogFormat, level, start_logs, subscriber};
pub use metrics::Metrics;
pub use words::{ObjectOutcome, Phase, ReconcileResult, WorkspaceState};

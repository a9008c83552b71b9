//! What a process that runs for long says of itself: metrics and logs.

mod logs;
mod metrics;
mod process;

pub use logs::{LogFormat, level, start_logs, subscriber};
pub use metrics::{Metrics, ObjectOutcome, Phase, ReconcileResult};

//! Where the time goes: what each stage of a command took, if somebody wants to know.

use std::fmt::Write as _;
use std::time::{Duration, Instant};

use super::output;

/// The time that the stages of a command took, in their order.
pub(super) struct Timings {
    is_wanted: bool,
    began: Instant,
    lap: Instant,
    stages: Vec<(&'static str, Duration, String)>,
}

impl Timings {
    /// From now on.
    pub(super) fn start(is_wanted: bool) -> Self {
        let now = Instant::now();
        Self { is_wanted, began: now, lap: now, stages: Vec::new() }
    }

    /// A stage ends here, which has gone through so much.
    pub(super) fn end(&mut self, stage: &'static str, what: impl FnOnce() -> String) {
        if !self.is_wanted {
            return;
        }
        let now = Instant::now();
        self.stages.push((stage, now - self.lap, what()));
        self.lap = now;
    }

    /// Says what each stage took.
    pub(super) fn show(&self) {
        if !self.is_wanted {
            return;
        }
        let total = self.began.elapsed();
        let mut text = String::new();
        for (stage, took, what) in self.stages.iter().chain([&("total", total, String::new())]) {
            let line = format!(
                "{stage:<8} {:>9.3} ms {:>4.0} %  {what}",
                took.as_secs_f64() * 1e3,
                100.0 * took.as_secs_f64() / total.as_secs_f64()
            );
            _ = writeln!(text, "{}", line.trim_end());
        }
        output::done(text.trim_end());
    }
}

//! What the system knows of this process, under the names that all clients of Prometheus have for it:
//! <https://prometheus.io/docs/instrumenting/writing_clientlibs/#process-metrics>. Linux tells it in `/proc`; others say nothing.

use std::fmt;
use std::fs;

use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric};
use prometheus_client::metrics::counter::ConstCounter;
use prometheus_client::metrics::gauge::ConstGauge;

/// The ticks of a second in what Linux tells programs, on every architecture that Rust and Go know.
const TICKS: f64 = 100.0;

/// This process.
#[derive(Debug)]
pub(super) struct Process;

impl Collector for Process {
    fn encode(&self, mut encoder: DescriptorEncoder) -> fmt::Result {
        let read = |path: &str| fs::read_to_string(path).unwrap_or_default();
        let mut gauge = |name: &str, help: &str, value: Option<f64>| match value {
            Some(value) => write(&mut encoder, name, help, &ConstGauge::new(value)),
            None => Ok(()),
        };
        gauge("process_resident_memory_bytes", "Resident memory size in bytes", resident(&read("/proc/self/status")))?;
        let files = fs::read_dir("/proc/self/fd").ok().and_then(|files| u32::try_from(files.count()).ok());
        // Looking takes one itself.
        gauge("process_open_fds", "Number of open file descriptors", files.map(|files| f64::from(files.saturating_sub(1))))?;
        let Some(stat) = Stat::of(&read("/proc/self/stat")) else { return Ok(()) };
        let started = booted(&read("/proc/stat")).map(|booted| booted + stat.started);
        gauge("process_start_time_seconds", "Start time of the process since unix epoch in seconds", started)?;
        let help = "Total user and system CPU time spent in seconds";
        write(&mut encoder, "process_cpu_seconds", help, &ConstCounter::new(stat.cpu))
    }
}

fn write(encoder: &mut DescriptorEncoder, name: &str, help: &str, metric: &impl EncodeMetric) -> fmt::Result {
    // With the full stop that the registry writes after its own.
    metric.encode(encoder.encode_descriptor(name, &format!("{help}."), None, metric.metric_type())?)
}

/// The bytes of memory of `/proc/self/status`.
fn resident(status: &str) -> Option<f64> {
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    Some(line.trim().strip_suffix("kB")?.trim().parse::<f64>().ok()? * 1024.0)
}

/// When the system started, in seconds since 1970, of `/proc/stat`.
fn booted(stat: &str) -> Option<f64> {
    stat.lines().find_map(|line| line.strip_prefix("btime "))?.trim().parse().ok()
}

struct Stat {
    /// Seconds of all processors.
    cpu: f64,
    /// Seconds after the system.
    started: f64,
}

impl Stat {
    /// Of `/proc/self/stat`: <https://man7.org/linux/man-pages/man5/proc_pid_stat.5.html>.
    fn of(text: &str) -> Option<Self> {
        // The second field is the name of the program in parentheses, which may hold spaces and parentheses.
        let fields: Vec<&str> = text.rsplit_once(')')?.1.split_whitespace().collect();
        let ticks = |field: usize| fields.get(field - 3)?.parse::<f64>().ok();
        Some(Self { cpu: (ticks(14)? + ticks(15)?) / TICKS, started: ticks(22)? / TICKS })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_linux_tells() {
        let stat = "7 (a (b) c) S 1 7 7 0 -1 4194560 1 0 0 0 250 50 0 0 20 0 4 0 123456 229376 500 18446744073709551615";
        let stat = Stat::of(stat).unwrap();
        assert_eq!((stat.cpu.to_string(), stat.started.to_string()), ("3".to_owned(), "1234.56".to_owned()));
        assert_eq!(resident("Name:\tkaito\nVmRSS:\t   10240 kB\nThreads:\t4\n"), Some(10_485_760.0));
        assert_eq!(booted("cpu  1 2 3\nbtime 1700000000\nprocesses 5\n"), Some(1_700_000_000.0));
        for broken in ["", ")", "7 (a) S 1", "VmRSS: kB", "btime x"] {
            assert!(Stat::of(broken).is_none() && resident(broken).is_none() && booted(broken).is_none(), "{broken}");
        }
    }
}

//! `kaito watch` on a real API server: the process is started, files and objects change, and what it makes of that is looked at from
//! outside.

mod broken;
mod drift;
mod files;
mod flux;
mod hostile;
mod killed;
mod memory;
mod metrics;
mod outage;
mod published;
mod pushed;
mod refused;
mod reload;
mod repository;
mod shards;
mod stage;
mod start;
mod traces;
mod unverified;
mod whose;

use std::io::Write as _;
use std::io::{BufRead, BufReader};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Condvar, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use super::process::signal_process;
use super::scene::Scene;
use crate::support;

/// Long enough for a machine with much else to do.
const PATIENCE: Duration = Duration::from_secs(180);

/// A running `kaito watch`, and what it logs. It is killed when this is dropped.
pub(super) struct Watching {
    child: Child,
    log: Arc<Log>,
    /// How many lines of the log were waited for.
    read: usize,
}

/// The lines of a log as they come.
#[derive(Default)]
struct Log {
    lines: Mutex<(Vec<String>, IsOver)>,
    more: Condvar,
}

/// Whether there are no more lines to come.
type IsOver = bool;

impl Watching {
    /// Follows the directory of a scene, through its proxy, as the set `prod`.
    pub(super) fn start(scene: &Scene, args: &[&str]) -> Self {
        Self::start_in(scene, ".", args)
    }

    /// Follows a directory in that of a scene.
    pub(super) fn start_in(scene: &Scene, directory: &str, args: &[&str]) -> Self {
        let mut command = support::kaito();
        command.current_dir(scene.directory.path());
        command.args(["watch", "-R", "-f", directory]);
        // What a test says itself is meant.
        let says = |flag: &str| args.contains(&flag);
        if !says("--applyset") {
            command.args(["--applyset", "prod"]);
        }
        if !says("--kubeconfig") {
            command.arg("--kubeconfig").arg(&scene.proxy.kubeconfig);
        }
        Self::of(command.args(args))
    }

    /// Whatever a command follows.
    pub(super) fn of(command: &mut Command) -> Self {
        let mut child = command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
        let (log, lines) = (Arc::new(Log::default()), BufReader::new(child.stderr.take().unwrap()).lines());
        let told = Arc::clone(&log);
        thread::spawn(move || {
            lines.map_while(Result::ok).for_each(|line| told.add(line));
            told.end();
        });
        Self { child, log, read: 0 }
    }

    /// Waits for a line with all of these words in it, after the last one that was waited for.
    pub(super) fn until(&mut self, words: &[&str]) -> String {
        let (at, line) = self.log.wait(self.read, words);
        self.read = at + 1;
        line
    }

    /// All lines so far with all of these words in them.
    pub(super) fn said(&self, words: &[&str]) -> Vec<String> {
        let lines = &self.log.lines.lock().unwrap().0;
        lines.iter().filter(|line| has(line, words)).cloned().collect()
    }

    /// Whatever was said until now is not waited for.
    pub(super) fn skip(&mut self) {
        self.read = self.log.lines.lock().unwrap().0.len();
    }

    /// Sends it a signal by its name, such as `TERM`.
    pub(super) fn signal(&self, name: &str) {
        signal_process(self.child.id(), name);
    }

    /// Ends it as a cluster does, and waits for that.
    pub(super) fn stop(mut self) -> ExitStatus {
        self.signal("TERM");
        self.child.wait().unwrap()
    }

    /// Kills it, which leaves it no time for anything.
    pub(super) fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Waits until it ends by itself.
    pub(super) fn wait(mut self) -> ExitStatus {
        self.child.wait().unwrap()
    }

    /// Its id as a process.
    pub(super) fn id(&self) -> u32 {
        self.child.id()
    }

    /// How much memory it has, in KiB.
    pub(super) fn resident(&self) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id())).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
        line.trim().trim_end_matches(" kB").parse().unwrap()
    }
}

impl Drop for Watching {
    fn drop(&mut self) {
        // It may have ended.
        _ = self.child.kill();
        _ = self.child.wait();
        if thread::panicking() {
            let lines = &self.log.lines.lock().unwrap().0;
            _ = writeln!(std::io::stderr(), "--- kaito watch\n{}", lines.join("\n"));
        } else {
            support::hides_secrets("log", &self.log.lines.lock().unwrap().0.join("\n"));
        }
    }
}

impl Log {
    fn add(&self, line: String) {
        self.lines.lock().unwrap().0.push(line);
        self.more.notify_all();
    }

    fn end(&self) {
        self.lines.lock().unwrap().1 = true;
        self.more.notify_all();
    }

    /// Waits for a line that comes after so many.
    fn wait(&self, after: usize, words: &[&str]) -> (usize, String) {
        let start = Instant::now();
        let mut log = self.lines.lock().unwrap();
        loop {
            let found = log.0.iter().enumerate().skip(after).find(|(_, line)| has(line, words));
            if let Some((at, line)) = found {
                return (at, line.clone());
            }
            let left = PATIENCE.saturating_sub(start.elapsed());
            // Not a panic with the lock held: who drops this shows the log.
            let why = if log.1 { "it has ended" } else { "it doesn't come" };
            if log.1 || left.is_zero() {
                drop(log);
                panic!("waiting for {words:?}: {why}");
            }
            log = self.more.wait_timeout(log, left).unwrap().0;
        }
    }
}

fn has(line: &str, words: &[&str]) -> bool {
    words.iter().all(|word| line.contains(word))
}

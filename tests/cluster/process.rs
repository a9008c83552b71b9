//! Programs that run until the test process is gone, and the directory that they share.

use std::fmt::Write as _;
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use tempfile::TempDir;

use super::will::Will;

/// Running programs. They end, and their files go, with this value or its process.
pub(super) struct Household {
    home: PathBuf,
    processes: Vec<Process>,
    will: Will,
}

struct Process {
    name: String,
    program: PathBuf,
    args: Vec<String>,
    child: Child,
    log: PathBuf,
    /// Whether it was killed, and is to be started again.
    is_killed: bool,
}

/// How much of a log is shown when something fails.
const LAST_LINES: usize = 20;

impl Household {
    /// One without processes.
    pub(super) fn new() -> Result<Self, String> {
        let home = tempfile::Builder::new().prefix("kaito-test-cluster-").tempdir().map_err(|error| fault(&error))?;
        let will = Will::new().map_err(|error| fault(&error))?;
        // From here on the shell removes the directory: a static is never dropped.
        let mut household = Self { home: TempDir::keep(home), processes: Vec::new(), will };
        household.make_will()?;
        Ok(household)
    }

    /// The directory where all of them work.
    pub(super) fn home(&self) -> &Path {
        &self.home
    }

    /// Starts a program whose output goes to a file. It finds a cluster in the file `kubeconfig` of the directory.
    pub(super) fn start(&mut self, program: &Path, args: &[String]) -> Result<(), String> {
        let name = program.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let log = self.home.join(format!("{name}.log"));
        let child = self.spawn(program, args, &log)?;
        self.processes.push(Process { name, program: program.to_owned(), args: args.to_vec(), child, log, is_killed: false });
        self.make_will()
    }

    fn spawn(&self, program: &Path, args: &[String], log: &Path) -> Result<Child, String> {
        let fault = |error: io::Error| format!("{}: {error}", program.display());
        let out = File::options().create(true).append(true).open(log).map_err(fault)?;
        let mut command = Command::new(program);
        command.args(args).current_dir(&self.home).env("HOME", &self.home).env("KUBECONFIG", self.home.join("kubeconfig"));
        command.stdin(Stdio::null()).stdout(out.try_clone().map_err(fault)?).stderr(out).spawn().map_err(fault)
    }

    /// Kills a program, which has no time for anything.
    pub(super) fn kill(&mut self, name: &str) -> Result<(), String> {
        let process = self.named(name);
        process.is_killed = true;
        process.child.kill().and_then(|()| process.child.wait()).map_err(|error| fault(&error))?;
        self.make_will()
    }

    /// Starts those again that were killed, as they were started, and has those go on that were stopped.
    pub(super) fn revive(&mut self) -> Result<(), String> {
        self.processes.iter().filter(|process| !process.is_killed).for_each(|process| signal_process(process.child.id(), "CONT"));
        for at in 0..self.processes.len() {
            let Process { program, args, log, is_killed, .. } = &self.processes[at];
            if *is_killed {
                let child = self.spawn(program, args, log)?;
                let process = &mut self.processes[at];
                (process.child, process.is_killed) = (child, false);
            }
        }
        self.make_will()
    }

    /// Sends a program a signal by its name, such as `STOP`.
    pub(super) fn signal(&mut self, name: &str, signal: &str) {
        signal_process(self.named(name).child.id(), signal);
    }

    fn named(&mut self, name: &str) -> &mut Process {
        self.processes.iter_mut().find(|process| process.name == name).unwrap_or_else(|| panic!("there is no {name}"))
    }

    /// Says what is to be done with all that there is by now.
    fn make_will(&mut self) -> Result<(), String> {
        let home = self.home.to_string_lossy();
        let home = shlex::try_quote(&home).map_err(|error| error.to_string())?;
        let running = self.processes.iter().filter(|process| !process.is_killed);
        let ids: Vec<String> = running.map(|process| process.child.id().to_string()).collect();
        // Without processes there is nothing to kill, which is no reason to stay. A process may still be writing as it dies.
        self.will.say(&format!("kill -9 {}; rm -rf {home} || {{ sleep 1; rm -rf {home}; }}", ids.join(" "))).map_err(|error| fault(&error))
    }

    /// That all are still running that were not killed on purpose.
    ///
    /// # Errors
    /// Which one isn't, and what it said in the end.
    pub(super) fn check(&mut self) -> Result<(), String> {
        let mut running = self.processes.iter_mut().filter(|process| !process.is_killed);
        running.try_for_each(|process| match process.child.try_wait().ok().flatten() {
            Some(status) => Err(format!("{} has ended ({status})\n{}", process.name, process.last_words())),
            None => Ok(()),
        })
    }

    /// The end of each log.
    pub(super) fn last_words(&self) -> String {
        self.processes.iter().fold(String::new(), |mut text, process| {
            _ = writeln!(text, "--- {}\n{}", process.name, process.last_words());
            text
        })
    }
}

impl Process {
    fn last_words(&self) -> String {
        // Not every program writes UTF-8 only, and one may be in the middle of a letter.
        let log = fs::read(&self.log).unwrap_or_default();
        let log = String::from_utf8_lossy(&log);
        let lines: Vec<&str> = log.lines().collect();
        lines[lines.len().saturating_sub(LAST_LINES)..].join("\n")
    }
}

/// Sends a signal by its name, such as `TERM`.
pub(super) fn signal_process(id: u32, signal: &str) {
    let sent = Command::new("sh").args(["-c", &format!("kill -{signal} {id}")]).status();
    assert!(sent.is_ok_and(|status| status.success()), "{signal} can't be sent to {id}");
}

fn fault(error: &io::Error) -> String {
    format!("the test cluster: {error}")
}

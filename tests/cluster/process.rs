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
    child: Child,
    log: PathBuf,
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
        let fault = |error: io::Error| format!("{}: {error}", program.display());
        let log = self.home.join(format!("{name}.log"));
        let out = File::create(&log).map_err(fault)?;
        let mut command = Command::new(program);
        command.args(args).current_dir(&self.home).env("HOME", &self.home).env("KUBECONFIG", self.home.join("kubeconfig"));
        let child = command.stdin(Stdio::null()).stdout(out.try_clone().map_err(fault)?).stderr(out).spawn().map_err(fault)?;
        self.processes.push(Process { name, child, log });
        self.make_will()
    }

    /// Says what is to be done with all that there is by now.
    fn make_will(&mut self) -> Result<(), String> {
        let home = self.home.to_string_lossy();
        let home = shlex::try_quote(&home).map_err(|error| error.to_string())?;
        let ids: Vec<String> = self.processes.iter().map(|process| process.child.id().to_string()).collect();
        // Without processes there is nothing to kill, which is no reason to stay. A process may still be writing as it dies.
        self.will.say(&format!("kill -9 {}; rm -rf {home} || {{ sleep 1; rm -rf {home}; }}", ids.join(" "))).map_err(|error| fault(&error))
    }

    /// That all are still running.
    ///
    /// # Errors
    /// Which one isn't, and what it said in the end.
    pub(super) fn check(&mut self) -> Result<(), String> {
        self.processes.iter_mut().try_for_each(|process| match process.child.try_wait().ok().flatten() {
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

fn fault(error: &io::Error) -> String {
    format!("the test cluster: {error}")
}

//! `KUBECTL_EXTERNAL_DIFF`: a program of the user's own shows what is different, as for `kubectl diff`.

use std::fs::File;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::Command;

use tempfile::TempDir;

use crate::diff::ObjectFile;

/// The variable that names the program.
const VARIABLE: &str = "KUBECTL_EXTERNAL_DIFF";

/// A program that compares two directories, and its arguments.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Program {
    name: String,
    args: Vec<String>,
}

impl Program {
    /// The program that the environment names, if any.
    pub(super) fn of_environment() -> Option<Self> {
        Self::parse(&std::env::var(VARIABLE).ok()?)
    }

    /// A command as kubectl takes it: words, of which those with anything but letters, digits, `-` and `=` are dropped.
    fn parse(command: &str) -> Option<Self> {
        let is_taken = |word: &&str| word.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'='));
        let mut words = command.split_ascii_whitespace();
        let name = words.next()?.to_owned();
        Some(Self { name, args: words.filter(is_taken).map(ToOwned::to_owned).collect() })
    }

    /// Lets the program compare the objects, and show what it finds; whether they are the same to it.
    ///
    /// # Errors
    /// Why it could not compare them, in words.
    pub(super) fn run(&self, files: &[ObjectFile]) -> Result<bool, String> {
        let scratch = |error: io::Error| format!("the files for {} can't be written: {error}", self.name);
        let directory = |prefix: &str| tempfile::Builder::new().prefix(prefix).tempdir();
        let (live, merged) = (directory("LIVE-").map_err(scratch)?, directory("MERGED-").map_err(scratch)?);
        remove_when_told_to_end([&live, &merged]).map_err(scratch)?;
        for file in files {
            write(live.path(), &file.name, &file.before).map_err(scratch)?;
            write(merged.path(), &file.name, &file.after).map_err(scratch)?;
        }
        let status = Command::new(&self.name).args(&self.args).arg(live.path()).arg(merged.path()).status();
        let status = status.map_err(|error| format!("{} of {VARIABLE} can't be started: {error}", self.name))?;
        match status.code() {
            Some(0) => Ok(true),
            Some(1) => Ok(false),
            _ => Err(format!("{} of {VARIABLE} failed ({status}); 0 is the same, 1 is different", self.name)),
        }
    }
}

fn write(directory: &Path, name: &str, text: &str) -> io::Result<()> {
    File::create_new(directory.join(name))?.write_all(text.as_bytes())
}

/// Removes the directories, too, when a signal ends this process before the program is done.
#[cfg(unix)]
fn remove_when_told_to_end(directories: [&TempDir; 2]) -> io::Result<()> {
    use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
    use signal_hook::low_level::emulate_default_handler;

    let paths: [PathBuf; 2] = directories.map(|directory| directory.path().to_owned());
    let mut signals = signal_hook::iterator::Signals::new([SIGHUP, SIGINT, SIGTERM])?;
    std::thread::spawn(move || {
        for signal in signals.forever() {
            for path in &paths {
                _ = std::fs::remove_dir_all(path);
            }
            _ = emulate_default_handler(signal);
        }
    });
    Ok(())
}

#[cfg(not(unix))]
#[expect(clippy::unnecessary_wraps, reason = "it may fail elsewhere")]
fn remove_when_told_to_end(_: [&TempDir; 2]) -> io::Result<()> {
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::Program;

    #[test]
    fn words_are_taken_as_kubectl_takes_them() {
        type Row<'a> = (&'a str, Option<(&'a str, &'a [&'a str])>);
        let table: [Row<'_>; 5] = [
            ("", None),
            ("  ", None),
            ("colordiff -N -u", Some(("colordiff", &["-N", "-u"]))),
            ("dyff between --omit-header  --set-exit-code", Some(("dyff", &["between", "--omit-header", "--set-exit-code"]))),
            ("/opt/my_differ --a=1 $(reboot) ;rm --file=/x a_b -U3", Some(("/opt/my_differ", &["--a=1", "-U3"]))),
        ];
        for (command, want) in table {
            let want = want.map(|(name, args)| Program { name: name.to_owned(), args: args.iter().map(ToString::to_string).collect() });
            assert_eq!(Program::parse(command), want, "{command}");
        }
    }
}

//! What becomes of processes and files when the test process is gone, however it goes.

use std::io::{self, Write};
use std::os::unix::process::CommandExt;
use std::process::{ChildStdin, Command, Stdio};

/// Shell commands that run when this value is dropped or its process ends, be it killed: a shell waits for the end of its
/// standard input, which only this process holds. It is in a process group of its own, so that Ctrl-C doesn't reach it.
pub(super) struct Will(ChildStdin);

const SHELL: &str = r#"while read -r line; do will=$line; done; eval "$will""#;

impl Will {
    /// A will that says nothing yet.
    pub(super) fn new() -> io::Result<Self> {
        let mut shell = Command::new("sh");
        shell.args(["-c", SHELL]).process_group(0).current_dir("/");
        let mut shell = shell.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null()).spawn()?;
        Ok(Self(shell.stdin.take().ok_or(io::ErrorKind::BrokenPipe)?))
    }

    /// Says it anew; what was said before no longer counts.
    pub(super) fn say(&mut self, commands: &str) -> io::Result<()> {
        self.0.write_all(format!("{commands}\n").as_bytes())
    }
}

//! The only file that writes to the terminal. Data goes to standard output, everything else to standard error.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::io::{self, IsTerminal, Write};
use std::process::ExitCode;

use clap::ValueEnum;

use super::columns::Columns;
use crate::diagnostic::{self, Diagnostic, Severity, visible};

/// How a command ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    /// Done.
    Done,
    /// The input is invalid, or something could not be done.
    Invalid,
    /// The command was used wrongly.
    Usage,
    /// A side of a comparison can't be rendered.
    Unrenderable,
    /// What was applied isn't healthy, or what was deleted isn't gone.
    Unhealthy,
    /// A repository or a cluster can't be reached.
    Unreachable,
    /// A gate says no.
    Refused,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(match exit {
            Exit::Done => 0_u8,
            Exit::Invalid => 1,
            Exit::Usage => 2,
            Exit::Unrenderable | Exit::Unhealthy => 3,
            Exit::Unreachable => 4,
            Exit::Refused => 5,
        })
    }
}

/// When to colour.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(super) enum Color {
    /// On a terminal, unless `NO_COLOR` is set.
    #[default]
    Auto,
    /// Always.
    Always,
    /// Never.
    Never,
}

impl Color {
    /// Whether data is coloured.
    pub(super) fn for_data(self) -> bool {
        match self {
            Self::Always => true,
            Self::Never => false,
            Self::Auto => io::stdout().is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty()),
        }
    }

    fn on_stderr(self) -> bool {
        self.on(&io::stderr())
    }

    /// Whether what goes to standard output is coloured.
    pub(super) fn on_output(self) -> bool {
        self.on(&io::stdout())
    }

    fn on(self, stream: &impl IsTerminal) -> bool {
        match self {
            Self::Always => true,
            Self::Never => false,
            Self::Auto => stream.is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty()),
        }
    }
}

/// Shows findings in reading order; whether one of them is an error, so that nothing is `done`.
pub(super) fn findings(findings: Vec<Diagnostic>, color: Color, done: &str) -> bool {
    findings_with(findings, color, &format!("nothing was {done}"))
}

/// Shows findings in reading order, and what follows from errors; whether there are any.
pub(super) fn findings_with(mut findings: Vec<Diagnostic>, color: Color, follows: &str) -> bool {
    diagnostic::sort(&mut findings);
    let errors = findings.iter().filter(|finding| finding.is_error()).count();
    let styled = color.on_stderr();
    let mut text = String::new();
    let (shown, others) = diagnostic::first(&findings);
    for finding in shown {
        text.push_str(&finding.render(styled));
        text.push_str("\n\n");
    }
    text.push_str(&others);
    if errors > 0 {
        let noun = if errors == 1 { "error" } else { "errors" };
        let rest = match findings.iter().filter(|finding| finding.severity == Severity::Warning).count() {
            0 => String::new(),
            1 => " and 1 warning".to_owned(),
            warnings => format!(" and {warnings} warnings"),
        };
        _ = writeln!(text, "{errors} {noun}{rest}; {follows}");
    }
    say(&text);
    errors > 0
}

/// Says something that is about no text.
pub(super) fn error(message: &str) {
    say(&format!("error: {}\n", visible(message)));
}

/// Says what was done.
pub(super) fn done(message: &str) {
    say(&format!("{}\n", visible(message)));
}

/// Whether somebody sits there who can be asked.
pub(super) fn can_ask() -> bool {
    io::stdin().is_terminal() && io::stderr().is_terminal()
}

/// Asks for a line, which is read from standard input.
pub(super) fn prompt(question: &str) {
    say(question);
}

/// Writes to standard error; that nobody can read it is no reason to stop.
fn say(text: &str) {
    _ = io::stderr().write_all(text.as_bytes());
}

/// Writes data; a reader that has gone away is no failure.
pub(super) fn data(text: &str) -> Exit {
    let mut out = Stdout::new();
    finish(out.write(text).and_then(|()| out.flush()))
}

/// Standard output, written in large pieces.
pub(super) struct Stdout(io::BufWriter<io::StdoutLock<'static>>);

impl Stdout {
    /// Standard output.
    pub(super) fn new() -> Self {
        Self(io::BufWriter::with_capacity(1 << 16, io::stdout().lock()))
    }

    /// Writes a piece.
    ///
    /// # Errors
    /// The stream's.
    pub(super) fn write(&mut self, text: &str) -> io::Result<()> {
        self.0.write_all(text.as_bytes())
    }

    /// Writes what is left.
    ///
    /// # Errors
    /// The stream's.
    pub(super) fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}

/// The exit code of writing to standard output.
pub(super) fn finish(result: io::Result<()>) -> Exit {
    match result {
        Ok(()) => Exit::Done,
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Exit::Done,
        Err(error) => {
            say(&format!("error: standard output: {error}\n"));
            Exit::Invalid
        }
    }
}

/// How many characters a line of standard output may have, if that is a terminal.
pub(super) fn width() -> Option<usize> {
    terminal_size::terminal_size_of(io::stdout()).map(|(width, _)| usize::from(width.0))
}

/// Lines in columns as wide as they need, separated by three spaces, as kubectl's tables.
pub(super) fn table(rows: &[Vec<String>]) -> String {
    Columns::new(|_| None).lines(rows)
}

/// A table that changes while somebody looks on, on standard error: drawn anew on a terminal; elsewhere each line is written once it
/// says something new, without what only tells the time.
pub(super) struct Screen {
    drawn: usize,
    width: Option<usize>,
    said: BTreeSet<String>,
}

impl Screen {
    /// A screen with nothing on it.
    pub(super) fn new() -> Self {
        let width = terminal_size::terminal_size_of(io::stderr()).map(|(width, _)| usize::from(width.0));
        Self { drawn: 0, width, said: BTreeSet::new() }
    }

    /// Shows rows, of which the first is the head. The column called ELAPSED tells the time.
    pub(super) fn show(&mut self, rows: &[Vec<String>]) {
        let Some(width) = self.width else { return self.tell(rows) };
        let text = table(rows);
        let lines: Vec<String> = text.lines().map(|line| line.chars().take(width).collect()).collect();
        let back = if self.drawn > 0 { format!("\u{1b}[{}A\u{1b}[J", self.drawn) } else { String::new() };
        self.drawn = lines.len();
        say(&format!("{back}{}\n", lines.join("\n")));
    }

    fn tell(&mut self, rows: &[Vec<String>]) {
        let Some((head, rows)) = rows.split_first() else { return };
        for row in rows {
            let told = head.iter().zip(row).skip(1).filter(|(name, value)| *name != "ELAPSED" && !value.is_empty());
            let told: Vec<String> = told
                .map(|(name, value)| if name == "MESSAGE" { value.clone() } else { format!("{} {value}", name.to_lowercase()) })
                .collect();
            let line = format!("{}: {}\n", row.first().map_or("", String::as_str), told.join(", "));
            if !self.said.contains(&line) {
                say(&line);
                self.said.insert(line);
            }
        }
    }
}

/// A line of a log.
pub(super) fn log_line(line: &str) {
    say(line);
}

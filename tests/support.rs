//! Running the binary, and comparing with files that hold what is expected.

mod canary;

use std::collections::BTreeMap;
use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};
use std::{fs, thread};

use serde_json::Value;

pub(crate) use canary::{file_hides_secrets, hides_credentials, hides_secrets, plant};

/// What a run of the binary left.
pub(crate) struct Run {
    pub code: i32,
    pub stdout: String,
    pub stderr: String,
}

/// The binary, with an environment that is the same everywhere.
pub(crate) fn kaito() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_kaito"));
    command.env_clear().stdin(Stdio::null());
    command
}

/// Runs `kaito ARGS` in the project's root.
pub(crate) fn run(args: &[&str]) -> Run {
    finish(kaito().args(args))
}

/// Runs `kaito ARGS` with a text on standard input.
pub(crate) fn run_with_input(args: &[&str], input: &str) -> Run {
    let mut command = kaito();
    let mut child = command.args(args).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let input = input.to_owned();
    let writer = thread::spawn(move || stdin.write_all(input.as_bytes()));
    let output = child.wait_with_output().unwrap();
    _ = writer.join();
    of(&command, &output)
}

pub(crate) fn finish(command: &mut Command) -> Run {
    let output = command.output().unwrap();
    of(command, &output)
}

fn of(command: &Command, output: &std::process::Output) -> Run {
    let run = Run {
        code: output.status.code().unwrap_or(-1),
        stdout: String::from_utf8(output.stdout.clone()).unwrap(),
        stderr: String::from_utf8(output.stderr.clone()).unwrap(),
    };
    hides_secrets("stderr", &run.stderr);
    // Who asks for manifests, or for secrets, gets them.
    let shows = command.get_args().any(|arg| ["render", "fn", "--show-secrets"].iter().any(|shows| arg == *shows));
    if shows {
        hides_credentials("stdout", &run.stdout);
    } else {
        hides_secrets("stdout", &run.stdout);
    }
    // Others on a machine can read them.
    command.get_args().for_each(|arg| hides_credentials("argument", &arg.to_string_lossy()));
    run
}

/// Compares a text with a file, or rewrites the file. An empty text is expected to have no file.
pub(crate) fn expect(path: &Path, text: &str) -> Result<(), String> {
    if std::env::var_os("KAITO_BLESS").is_some() {
        if text.is_empty() {
            _ = fs::remove_file(path);
        } else {
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        return Ok(());
    }
    let want = fs::read_to_string(path).unwrap_or_default();
    if want == text {
        return Ok(());
    }
    let at = want.lines().zip(text.lines()).take_while(|(want, have)| want == have).count();
    let line = |text: &str| text.lines().nth(at).unwrap_or("(the end)").to_owned();
    Err(format!("{}:{}: expected\n  {}\nbut got\n  {}", path.display(), at + 1, line(&want), line(text)))
}

/// The names in a directory, sorted.
pub(crate) fn names(directory: &str) -> Vec<String> {
    let mut names: Vec<String> = fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

/// The examples of Workspaces, sorted; beside them are whole repositories.
pub(crate) fn examples() -> Vec<String> {
    names("examples").into_iter().filter(|name| name != "repositories").collect()
}

/// The files below a directory, by their paths from there.
pub(crate) fn files(directory: &Path) -> BTreeMap<String, String> {
    let mut found = BTreeMap::new();
    let mut open = vec![directory.to_owned()];
    while let Some(next) = open.pop() {
        for entry in fs::read_dir(next).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                open.push(path);
            } else {
                let text = fs::read_to_string(&path).unwrap();
                hides_credentials("file", &text);
                found.insert(path.strip_prefix(directory).unwrap().display().to_string(), text);
            }
        }
    }
    found
}

/// What a program answers that answers each line of JSON with one.
pub(crate) fn json_lines(command: &mut Command, lines: &[Value]) -> Vec<Value> {
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let input: String = lines.iter().flat_map(|line| [line.to_string(), "\n".to_owned()]).collect();
    let writer = thread::spawn(move || stdin.write_all(input.as_bytes()).unwrap());
    let output = child.wait_with_output().unwrap();
    writer.join().unwrap();
    String::from_utf8(output.stdout).unwrap().lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

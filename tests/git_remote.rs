//! Following remote repositories, and pushing to them: real ones, served by git itself over HTTP and SSH (`tests/git-server`).

mod http;
mod mirror;
mod push;
pub(crate) mod server;
pub(crate) mod ssh;

use kaito::source::{Access, Head, Mirror, Reference, RemoteError};

use crate::support::hides_secrets;

/// The commit that is meant, fetched.
fn follow(mirror: &Mirror, reference: &Reference, access: &Access) -> Result<Head, RemoteError> {
    let head = mirror.resolve(reference, access)?;
    mirror.fetch(&head, access)?;
    Ok(head)
}

/// The text of a file.
fn read(mirror: &Mirror, head: &Head, path: &str) -> String {
    let content = mirror.side(head).unwrap().tree.read(path.as_ref(), 1 << 20).unwrap();
    String::from_utf8(content.bytes).unwrap()
}

/// An error as it is shown.
fn shown(error: &RemoteError) -> String {
    let finding = error.finding();
    assert!(!finding.help.is_empty(), "{finding:?} says not what to do");
    hides_secrets("error", &format!("{error:?} {error} {finding:?}"));
    std::iter::once(finding.message).chain(finding.help).collect::<Vec<_>>().join("; ")
}

//! What is in the memory of this process, credentials among it, goes to no file.

use rustix::process::{Resource, Rlimit, setrlimit};

/// If the process crashes, the system writes no core dump of it; programs that collect them are told so.
///
/// Linux could also keep other processes of the same user from reading the memory (`PR_SET_DUMPABLE`), but takes `/proc/self/fd` away from this one
/// with that, which shells pass files by (`-f <(...)`, `/dev/stdin`).
pub(super) fn keep_private() {
    // Less than there is may always be asked for. What this process starts in its turn may be given more again.
    let allowed = rustix::process::getrlimit(Resource::Core).maximum;
    _ = setrlimit(Resource::Core, Rlimit { current: Some(0), maximum: allowed });
}

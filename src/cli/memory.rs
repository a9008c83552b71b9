//! What is in the memory of this process, credentials among it, is read by nobody else.

use rustix::process::{Resource, Rlimit, setrlimit};

/// If the process crashes, its memory goes neither to a file nor to a program that collects such files. On Linux, processes of the same user that
/// may do no more than this one can't read it either, nor its environment.
pub(super) fn keep_private() {
    // Less than there is may always be asked for. What this process starts in its turn may be given more again.
    let allowed = rustix::process::getrlimit(Resource::Core).maximum;
    _ = setrlimit(Resource::Core, Rlimit { current: Some(0), maximum: allowed });
    #[cfg(target_os = "linux")]
    {
        use rustix::process::{DumpableBehavior, set_dumpable_behavior};
        _ = set_dumpable_behavior(DumpableBehavior::NotDumpable);
    }
}

//! The `kaito` command.

/// A thousand Workspaces and what a cluster holds of them are a million small pieces of memory: with the allocator of glibc a second
/// `kaito apply` takes a third longer.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> std::process::ExitCode {
    kaito::cli::run()
}

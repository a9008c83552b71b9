//! The `kaito` command.

/// A static program has musl's heap otherwise, which takes twice the time to render. Huge pages would take twice the memory. glibc's own heap is
/// fine (`kaito::heap`).
#[cfg(target_env = "musl")]
#[global_allocator]
static HEAP: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> std::process::ExitCode {
    kaito::cli::run()
}

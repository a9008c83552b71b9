//! The `kaito` command.

fn main() -> std::process::ExitCode {
    kaito::cli::run()
}

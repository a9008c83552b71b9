//! Why a server can't start.

use std::io;

use thiserror::Error;

/// Why a server can't start.
#[derive(Debug, Error)]
pub enum ServerError {
    /// The address is none.
    #[error("`{0}` is no address to listen on: write HOST:PORT, or :PORT for all addresses of the machine")]
    Address(String),
    /// The address can't be had.
    #[error("can't listen on {address}: {error}{}", help(error))]
    Listen {
        /// The address.
        address: String,
        /// What the system says.
        error: io::Error,
    },
    /// The system gives no thread, or nothing to wait with.
    #[error("can't start what answers on {address}: {error}")]
    Start {
        /// The address.
        address: String,
        /// What the system says.
        error: io::Error,
    },
}

fn help(error: &io::Error) -> &'static str {
    match error.kind() {
        io::ErrorKind::AddrInUse => "; another program listens there: choose another port",
        io::ErrorKind::PermissionDenied => "; ports below 1024 are for the administrator: choose another one",
        io::ErrorKind::AddrNotAvailable => "; the machine doesn't have this address",
        _ => "",
    }
}

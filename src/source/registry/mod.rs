//! Registries of images, to which artifacts are pushed by OCI's distribution protocol.
//!
//! Source: <https://github.com/opencontainers/distribution-spec>, and for logins `docs/spec/auth` of `distribution/distribution`.

mod address;
mod challenge;
mod client;
mod error;
mod login;

pub use address::RegistryAddress;
pub use client::{Registry, RegistryAccess};
pub use error::RegistryError;
pub use login::Login;

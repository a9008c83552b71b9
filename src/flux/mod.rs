//! Flux: the artifacts that its sources are, how it writes revisions, and what its variable substitution would take for its own.
//!
//! Sources: `fluxcd/pkg/oci` and `fluxcd/pkg/tar`, RFC-0003 and RFC-0005 of `fluxcd/flux2`, and `fluxcd/pkg/envsubst`.

mod artifact;
mod external_artifact;
mod image;
mod revision;
mod substitution;

pub use artifact::Artifact;
pub use external_artifact::{Published, artifact_of, artifact_status, external_artifact};
pub use image::{Blob, CREATED, Image, REVISION, SOURCE};
pub use revision::Revision;
pub use substitution::keep_from_substitution;

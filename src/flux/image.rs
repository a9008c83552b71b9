//! An artifact as registries keep it: a layer, a configuration that says little, and a manifest that names both.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::json;

use super::artifact::{Artifact, digest};

/// The annotation with the address of what an artifact was made from.
pub const SOURCE: &str = "org.opencontainers.image.source";

/// The annotation with the revision that it was made from.
pub const REVISION: &str = "org.opencontainers.image.revision";

/// The annotation with the moment at which it was made.
pub const CREATED: &str = "org.opencontainers.image.created";

/// The moment of an artifact for which none is said, so that the same input is the same artifact.
const NO_TIME: &str = "1970-01-01T00:00:00Z";

const MANIFEST_TYPE: &str = "application/vnd.oci.image.manifest.v1+json";
const CONFIG_TYPE: &str = "application/vnd.cncf.flux.config.v1+json";
const CONTENT_TYPE: &str = "application/vnd.cncf.flux.content.v1.tar+gzip";

/// Bytes that a registry knows by their digest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Blob {
    /// What they are.
    pub media_type: &'static str,
    /// Their digest: `sha256:...`.
    pub digest: String,
    /// The bytes.
    pub bytes: Vec<u8>,
}

/// How a manifest names a blob.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Descriptor<'b> {
    media_type: &'b str,
    size: usize,
    digest: &'b str,
}

/// The manifest, with its fields in the order in which Flux writes them.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Manifest<'b> {
    schema_version: u32,
    media_type: &'b str,
    config: Descriptor<'b>,
    layers: [Descriptor<'b>; 1],
    annotations: &'b BTreeMap<String, String>,
}

/// An artifact for a registry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Image {
    /// What its digest is that of.
    pub manifest: Blob,
    /// The configuration.
    pub config: Blob,
    /// The archive.
    pub layer: Blob,
}

impl Image {
    /// The image of an artifact, as `flux push artifact --reproducible` makes it. Annotations win over what `source` and `revision` say;
    /// one of them may be the moment at which it was made.
    pub fn new(artifact: Artifact, source: &str, revision: &str, annotations: &BTreeMap<String, String>) -> Self {
        let own = [(SOURCE, source), (REVISION, revision), (CREATED, NO_TIME)];
        let mut all: BTreeMap<String, String> = own.into_iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
        all.extend(annotations.clone());
        let config = json!({
            "architecture": "",
            "created": all[CREATED],
            "os": "",
            "rootfs": {"type": "layers", "diff_ids": [artifact.uncompressed_digest]},
            "config": {},
        });
        let layer = Blob { media_type: CONTENT_TYPE, digest: artifact.digest, bytes: artifact.bytes };
        let config = Blob::of(CONFIG_TYPE, config.to_string().into_bytes());
        let manifest = Manifest {
            schema_version: 2,
            media_type: MANIFEST_TYPE,
            config: config.descriptor(),
            layers: [layer.descriptor()],
            annotations: &all,
        };
        let manifest = Blob::of(MANIFEST_TYPE, serde_json::to_vec(&manifest).unwrap_or_default());
        Self { manifest, config, layer }
    }
}

impl Blob {
    fn of(media_type: &'static str, bytes: Vec<u8>) -> Self {
        Self { media_type, digest: digest(&bytes), bytes }
    }

    fn descriptor(&self) -> Descriptor<'_> {
        Descriptor { media_type: self.media_type, size: self.bytes.len(), digest: &self.digest }
    }
}

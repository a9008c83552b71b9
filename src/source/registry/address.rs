//! Where an artifact is in a registry: `oci://ghcr.io/org/fleet:latest`.

use std::fmt;
use std::str::FromStr;

use crate::image::{is_reference, split};

/// What addresses begin with.
const SCHEME: &str = "oci://";

/// The tag of an address that says none.
const LATEST: &str = "latest";

/// A repository of a registry, and a tag in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RegistryAddress {
    /// The registry: `HOST` or `HOST:PORT`.
    pub host: String,
    /// The repository in it.
    pub repository: String,
    /// The tag.
    pub tag: String,
}

impl RegistryAddress {
    /// The name of the repository with that of its registry.
    pub fn name(&self) -> String {
        format!("{}/{}", self.host, self.repository)
    }

    /// Whether this is a tag.
    pub fn is_tag(tag: &str) -> bool {
        !tag.contains(['/', '@']) && is_reference(&format!("a:{tag}"))
    }
}

impl FromStr for RegistryAddress {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let help = "write oci://HOST/REPOSITORY:TAG, such as oci://ghcr.io/org/fleet:latest";
        let reference = text.strip_prefix(SCHEME).ok_or_else(|| format!("it doesn't begin with {SCHEME}: {help}"))?;
        if reference.contains('@') {
            return Err(format!("there are no names and digests in it: {help}"));
        }
        let (name, tag, _) = split(reference);
        let (host, repository) = name.split_once('/').ok_or_else(|| format!("there is no repository in it: {help}"))?;
        if !is_reference(reference) || !(host.contains(['.', ':']) || host == "localhost") {
            return Err(help.to_owned());
        }
        // Docker Hub answers at another name than people know.
        let is_hub = matches!(host, "docker.io" | "registry-1.docker.io");
        let host = if is_hub { "index.docker.io" } else { host };
        Ok(Self { host: host.to_owned(), repository: repository.to_owned(), tag: tag.unwrap_or(LATEST).to_owned() })
    }
}

impl fmt::Display for RegistryAddress {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{SCHEME}{}:{}", self.name(), self.tag)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses() {
        let table = [
            ("oci://ghcr.io/org/fleet", Some("oci://ghcr.io/org/fleet:latest")),
            ("oci://localhost:5000/fleet:v1", Some("oci://localhost:5000/fleet:v1")),
            ("oci://localhost/a/b/c", Some("oci://localhost/a/b/c:latest")),
            ("oci://[::1]:5000/fleet", Some("oci://[::1]:5000/fleet:latest")),
            ("oci://docker.io/org/fleet", Some("oci://index.docker.io/org/fleet:latest")),
            ("ghcr.io/org/fleet", None),
            ("https://ghcr.io/org/fleet", None),
            ("oci://ghcr.io", None),
            ("oci://org/fleet", None),
            ("oci://ghcr.io/Org/fleet", None),
            ("oci://ghcr.io/org/fleet:", None),
            ("oci://ghcr.io/org/../fleet", None),
            ("oci://ghcr.io/org/fleet?x", None),
            ("oci://me:secret@ghcr.io/org/fleet", None),
            ("oci://ghcr.io/org/fleet@sha256:0123456789012345678901234567890123456789012345678901234567890123", None),
        ];
        for (text, want) in table {
            let address = text.parse::<RegistryAddress>();
            assert_eq!(address.as_ref().ok().map(ToString::to_string).as_deref(), want, "{text}");
            assert!(address.err().is_none_or(|error| !error.contains("secret")), "{text}");
        }
        assert!(RegistryAddress::is_tag("v1.2_3-x") && !RegistryAddress::is_tag("") && !RegistryAddress::is_tag("a/b"));
    }
}

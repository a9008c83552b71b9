//! As whom a registry is asked: as the user says, or as `docker login` has left it.

use std::env;
use std::fs::File;
use std::io::ErrorKind;
use std::path::PathBuf;

use docker_credential::{CredentialRetrievalError, DockerCredential, get_credential_from_reader};

use super::address::RegistryAddress;
use crate::diagnostic::Diagnostic;
use crate::secrets::Secret;

/// As whom a registry is asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Login {
    /// A name and a password, or a token that stands for one.
    Basic {
        /// The name.
        username: String,
        /// The password.
        password: Secret,
    },
    /// A token for which others are given out, as `docker login` gets from some registries.
    Identity(Secret),
    /// A token that is sent as it is.
    Bearer(Secret),
}

impl Login {
    /// What somebody has written: `USER:PASSWORD`, or a token alone, as flux takes it.
    ///
    /// # Errors
    /// There is nothing, or what no login has.
    pub fn read(text: &Secret) -> Result<Self, String> {
        let text = text.expose().trim_end_matches(['\n', '\r']);
        if text.is_empty() || text.chars().any(char::is_control) {
            return Err("write USER:PASSWORD, or a token alone, in one line".to_owned());
        }
        Ok(match text.split_once(':') {
            Some((username, password)) => Self::Basic { username: username.to_owned(), password: password.into() },
            None => Self::Bearer(text.into()),
        })
    }

    /// The login that Docker's or Podman's configuration has for a registry; none if there is none.
    ///
    /// # Errors
    /// The configuration can't be read, or the program that it names for it fails.
    pub fn of_docker(address: &RegistryAddress) -> Result<Option<Self>, Diagnostic> {
        for path in configurations() {
            let fault =
                |why: &str| Diagnostic::error(format!("the login for {} can't be had from {}: {why}", address.host, path.display()));
            match File::open(&path) {
                Ok(file) => {
                    return find(&file, address).map_err(|why| fault(&why).help("log in anew, or give the login with --creds-file"));
                }
                Err(error) if error.kind() == ErrorKind::NotFound => {}
                Err(error) => return Err(fault(&error.to_string())),
            }
        }
        Ok(None)
    }
}

/// Where configurations may be, in the order in which they are looked for: only the first that is there counts.
fn configurations() -> impl Iterator<Item = PathBuf> {
    let variable = |name: &str| env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    let docker = variable("DOCKER_CONFIG").or_else(|| env::home_dir().map(|home| home.join(".docker")));
    let podman = variable("XDG_RUNTIME_DIR").map(|directory| directory.join("containers/auth.json"));
    docker.map(|directory| directory.join("config.json")).into_iter().chain(variable("REGISTRY_AUTH_FILE")).chain(podman)
}

/// The login for a registry in a configuration.
fn find(mut file: &File, address: &RegistryAddress) -> Result<Option<Login>, String> {
    use CredentialRetrievalError as Fault;
    // Docker itself knows its hub by an older address.
    let server = if address.host == "index.docker.io" { "https://index.docker.io/v1/" } else { &address.host };
    match get_credential_from_reader(&mut file, server) {
        Ok(DockerCredential::UsernamePassword(username, _)) if username.is_empty() => Ok(None),
        Ok(DockerCredential::UsernamePassword(username, password)) => Ok(Some(Login::Basic { username, password: password.into() })),
        Ok(DockerCredential::IdentityToken(token)) => Ok(Some(Login::Identity(token.into()))),
        Err(Fault::NoCredentialConfigured) => Ok(None),
        // The words by which these programs say that there is none; they come on standard output.
        Err(Fault::HelperFailure { stdout, .. }) if stdout.contains("credentials not found") => Ok(None),
        // What such a program writes may be a secret.
        Err(Fault::HelperFailure { helper, .. }) => Err(format!("{helper} fails")),
        Err(Fault::HelperCommunicationError) => Err("the program docker-credential-... that it names can't be run".to_owned()),
        Err(Fault::ConfigReadError) => Err("it is no configuration of Docker".to_owned()),
        Err(error) => Err(error.to_string().to_lowercase()),
    }
}

#[cfg(test)]
mod tests {
    use std::io::{Seek, Write};

    use super::*;

    fn basic(username: &str, password: &str) -> Login {
        Login::Basic { username: username.to_owned(), password: password.into() }
    }

    #[test]
    fn written_by_hand() {
        let table = [
            ("me:pass:word", Ok(basic("me", "pass:word"))),
            ("me:pass\n", Ok(basic("me", "pass"))),
            ("token", Ok(Login::Bearer("token".into()))),
            ("", Err(())),
            ("me:a\nb", Err(())),
        ];
        for (text, want) in table {
            assert_eq!(Login::read(&text.into()).map_err(drop), want, "{text}");
        }
        assert!(!format!("{:?}", basic("me", "hunter2")).contains("hunter2"));
    }

    #[test]
    fn configurations_of_docker() {
        // me:pass
        let table = [
            (r#"{"auths": {"ghcr.io": {"auth": "bWU6cGFzcw=="}}}"#, "oci://ghcr.io/a", Ok(Some(basic("me", "pass")))),
            (r#"{"auths": {"https://ghcr.io/v2/": {"auth": "bWU6cGFzcw=="}}}"#, "oci://ghcr.io/a", Ok(Some(basic("me", "pass")))),
            (
                r#"{"auths": {"https://index.docker.io/v1/": {"auth": "bWU6cGFzcw=="}}}"#,
                "oci://docker.io/a/b",
                Ok(Some(basic("me", "pass"))),
            ),
            (r#"{"auths": {"r.io": {"username": "me", "password": "pass"}}}"#, "oci://r.io/a", Ok(Some(basic("me", "pass")))),
            (r#"{"auths": {"r.io": {"auth": "bWU6", "identitytoken": "t"}}}"#, "oci://r.io/a", Ok(Some(Login::Identity("t".into())))),
            (r#"{"auths": {"other.io": {"auth": "bWU6cGFzcw=="}}}"#, "oci://ghcr.io/a", Ok(None)),
            ("{}", "oci://ghcr.io/a", Ok(None)),
            (r#"{"auths": {"ghcr.io": {"auth": "%"}}}"#, "oci://ghcr.io/a", Err(())),
            ("no JSON", "oci://ghcr.io/a", Err(())),
            (r#"{"credHelpers": {"ghcr.io": "no-such-program"}}"#, "oci://ghcr.io/a", Err(())),
        ];
        for (config, address, want) in table {
            let mut file = tempfile::tempfile().unwrap();
            file.write_all(config.as_bytes()).unwrap();
            file.rewind().unwrap();
            assert_eq!(find(&file, &address.parse().unwrap()).map_err(drop), want, "{config}");
        }
    }
}

//! Who asks a remote repository: credentials under the keys that Flux has in Secrets, read anew whenever they are used.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::{fmt, fs, io};

use super::address::Address;
use super::error::RemoteError;
use super::http::basic;
use crate::secrets::Secret;

/// The most bytes of a value, as a Secret has it.
const MOST_BYTES: u64 = 1 << 20;

/// Who asks, and over which proxy. Neither `Debug` nor an error shows a value.
#[derive(Clone, Default)]
pub struct Access {
    credentials: Option<Values>,
    proxy: Option<Values>,
}

/// The values of a Secret, decoded, by key.
pub type Data = BTreeMap<String, Secret<Vec<u8>>>;

/// Gets values by key, or why there are none.
pub type ReadValues = Arc<dyn Fn() -> Result<Data, String> + Send + Sync>;

/// Values by key.
#[derive(Clone)]
pub enum Values {
    /// A directory with a file for each key, such as a mounted Secret. It is read whenever it is used.
    Directory(PathBuf),
    /// The `data` of a Secret, decoded.
    Map(Data),
    /// Somebody who has them: what they are called, for errors, and how they are had. They are asked whenever they are used.
    Kept(String, ReadValues),
}

impl Access {
    /// Without credentials, over the proxy that the environment names.
    pub fn anonymous() -> Self {
        Self::default()
    }

    /// With the keys `username` and `password`, `bearerToken`, `identity` and `known_hosts` (with `password` for the
    /// identity's passphrase), `ca.crt` or `caFile`, `tls.crt` and `tls.key`, and `githubAppID`, `githubAppInstallationID`,
    /// `githubAppPrivateKey` and `githubAppBaseURL`, as in Flux's `spec.secretRef`.
    #[must_use]
    pub fn with(mut self, credentials: Values) -> Self {
        self.credentials = Some(credentials);
        self
    }

    /// Over a proxy, with the keys `address`, `username` and `password`, as in Flux's `spec.proxySecretRef`.
    #[must_use]
    pub fn over_proxy(mut self, proxy: Values) -> Self {
        self.proxy = Some(proxy);
        self
    }

    /// The values as they are now.
    pub(super) fn read(&self, address: &Address) -> Result<Credentials, RemoteError> {
        let fault = |why: String| RemoteError::credentials(address, why, "see that the Secret or directory has these keys");
        let now = |values: &Option<Values>| values.as_ref().map(Values::now).transpose().map_err(fault);
        let (credentials, proxy) = (now(&self.credentials)?, now(&self.proxy)?);
        Credentials::of(credentials.unwrap_or_default(), proxy).map_err(fault)
    }
}

impl fmt::Debug for Access {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("Access").field("credentials", &self.credentials).field("proxy", &self.proxy).finish()
    }
}

impl fmt::Debug for Values {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Directory(path) => out.debug_tuple("Directory").field(path).finish(),
            Self::Map(map) => out.debug_set().entries(map.keys()).finish(),
            Self::Kept(name, _) => out.debug_tuple("Kept").field(name).finish(),
        }
    }
}

impl Values {
    /// Where they are, for errors.
    pub(in super::super) fn place(&self) -> String {
        match self {
            Self::Directory(directory) => directory.display().to_string(),
            Self::Kept(name, _) => name.clone(),
            Self::Map(_) => "the Secret".to_owned(),
        }
    }

    /// The values as they are now; of a directory those that are looked for as credentials.
    pub(in super::super) fn now(&self) -> Result<Data, String> {
        match self {
            Self::Map(map) => Ok(map.clone()),
            Self::Directory(directory) => read_directory(directory),
            Self::Kept(name, read) => read().map_err(|why| format!("{name}: {why}")),
        }
    }
}

/// The keys that are looked for.
const KEYS: [&str; 14] = [
    "username",
    "password",
    "bearerToken",
    "identity",
    "known_hosts",
    "ca.crt",
    "caFile",
    "tls.crt",
    "tls.key",
    "githubAppID",
    "githubAppInstallationID",
    "githubAppPrivateKey",
    "githubAppBaseURL",
    "address",
];

fn read_directory(directory: &Path) -> Result<Data, String> {
    // The kubelet changes all files of a Secret at once, by another link called `..data`: what is read is of one state.
    let state = fs::canonicalize(directory.join("..data")).unwrap_or_else(|_| directory.to_owned());
    fs::read_dir(&state).map_err(|error| format!("{}: {error}", directory.display()))?;
    let mut values = BTreeMap::new();
    for key in KEYS {
        let path = state.join(key);
        let fault = |why: &dyn fmt::Display| format!("{}: {why}", directory.join(key).display());
        match fs::metadata(&path) {
            Ok(known) if known.len() > MOST_BYTES => return Err(fault(&"it has more than 1 MiB")),
            Ok(known) if known.is_file() => _ = values.insert(key.to_owned(), fs::read(&path).map_err(|error| fault(&error))?.into()),
            Ok(_) => return Err(fault(&"it is no file")),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(fault(&error)),
        }
    }
    Ok(values)
}

/// How somebody is known to an HTTP server.
#[derive(Clone, PartialEq, Eq)]
pub(super) enum Login {
    Basic { username: String, password: Secret },
    Bearer(Secret),
    App(App),
}

/// An app of GitHub, which gets tokens for its key.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct App {
    pub id: String,
    pub installation: String,
    /// In PEM.
    pub key: Secret,
    /// Where GitHub's API is.
    pub api: String,
}

/// What proves who one is over SSH.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Identity {
    pub key: Secret,
    pub passphrase: Option<Secret>,
}

/// By what a TLS server is known, and who asks it.
#[derive(Clone, Default, PartialEq, Eq)]
pub(in crate::source) struct Tls {
    /// The authorities, in PEM, instead of the well-known ones.
    pub authorities: Option<Vec<u8>>,
    /// A certificate and its key, in PEM.
    pub client: Option<(Vec<u8>, Secret<Vec<u8>>)>,
}

/// A proxy that somebody names.
#[derive(Clone, PartialEq, Eq)]
pub(in crate::source) struct ProxyLogin {
    pub address: String,
    pub username: Option<String>,
    pub password: Option<Secret>,
}

/// All values, sorted by what they are for.
#[derive(Default)]
pub(super) struct Credentials {
    pub login: Option<Login>,
    pub identity: Option<Identity>,
    pub known_hosts: Option<String>,
    pub tls: Tls,
    pub proxy: Option<ProxyLogin>,
}

impl Credentials {
    /// What a server is told, and might repeat in what it says.
    pub(super) fn secrets(&self) -> Vec<Secret> {
        let mut secrets: Vec<Secret> = self.proxy.iter().filter_map(|proxy| proxy.password.clone()).collect();
        match &self.login {
            Some(Login::Basic { username, password }) => secrets.extend([password.clone(), basic(username, password)]),
            Some(Login::Bearer(token)) => secrets.push(token.clone()),
            Some(Login::App(_)) | None => {}
        }
        secrets
    }

    fn of(mut values: Data, proxy: Option<Data>) -> Result<Self, String> {
        // A value that a file holds often ends in a line feed that nobody means.
        let mut text = |key: &str| text_of(&mut values, key);
        let (username, password, bearer) = (text("username")?, text("password")?, text("bearerToken")?);
        let (identity, known_hosts) = (text("identity")?, text("known_hosts")?.map(plain));
        let app = [text("githubAppID")?, text("githubAppInstallationID")?, text("githubAppPrivateKey")?];
        let api = text("githubAppBaseURL")?.map(plain);
        let login = match (username, &password, bearer, app) {
            (None, _, None, [Some(id), Some(installation), Some(key)]) => {
                let is_number = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
                if !is_number(installation.expose()) {
                    return Err("githubAppInstallationID is no number".to_owned());
                }
                let api = api.unwrap_or_else(|| "https://api.github.com".to_owned());
                Some(Login::App(App { id: plain(id), installation: plain(installation), key, api }))
            }
            (Some(username), Some(password), None, [None, None, None]) => {
                Some(Login::Basic { username: plain(username), password: password.clone() })
            }
            (None, _, Some(token), [None, None, None]) => Some(Login::Bearer(token)),
            // An SSH login has no more than a passphrase here, and the name may come along for nothing.
            (_, _, None, [None, None, None]) if identity.is_some() => None,
            (None, None, None, [None, None, None]) => None,
            (Some(_), None, None, [None, None, None]) => return Err("there is a username and no password".to_owned()),
            (None, Some(_), None, [None, None, None]) => return Err("there is a password and no username".to_owned()),
            (None, _, None, _) => {
                return Err("of githubAppID, githubAppInstallationID and githubAppPrivateKey some are missing".to_owned());
            }
            _ => return Err("there are several of username, bearerToken and githubAppID, and one is wanted".to_owned()),
        };
        if matches!(&login, Some(Login::Bearer(token)) if !token.expose().bytes().all(|byte| byte.is_ascii_graphic())) {
            return Err("bearerToken has characters that no token has".to_owned());
        }
        let passphrase = password.filter(|_| identity.is_some());
        let identity = identity.map(|key| Identity { key: format!("{}\n", key.expose()).into(), passphrase });
        let mut bytes = |key: &str| values.remove(key).filter(|value| !value.expose().is_empty());
        let client = match (bytes("tls.crt"), bytes("tls.key")) {
            (Some(certificate), Some(key)) => Some((certificate.expose().clone(), key)),
            (None, None) => None,
            (Some(_), None) => return Err("there is a tls.crt and no tls.key".to_owned()),
            (None, Some(_)) => return Err("there is a tls.key and no tls.crt".to_owned()),
        };
        let authorities = bytes("ca.crt").or_else(|| bytes("caFile")).map(|pem| pem.expose().clone());
        let tls = Tls { authorities, client };
        let proxy = proxy.map(ProxyLogin::of).transpose()?;
        Ok(Self { login, identity, known_hosts, tls, proxy })
    }
}

impl ProxyLogin {
    fn of(mut values: Data) -> Result<Self, String> {
        let mut text = |key: &str| text_of(&mut values, key);
        let address = text("address")?.ok_or("the proxy's address is missing")?;
        Ok(Self { address: plain(address), username: text("username")?.map(plain), password: text("password")? })
    }
}

/// A value that is a text; one that is empty isn't there.
fn text_of(values: &mut Data, key: &str) -> Result<Option<Secret>, String> {
    let Some(value) = values.remove(key) else { return Ok(None) };
    let text = value.into_text().ok_or_else(|| format!("{key} is not UTF-8"))?;
    Ok(Some(text.without_line_end()).filter(|text| !text.is_empty()))
}

/// A value that is no secret.
#[expect(clippy::needless_pass_by_value, reason = "this is for map")]
fn plain(text: Secret) -> String {
    text.expose().clone()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn map(pairs: &[(&str, &str)]) -> Data {
        pairs.iter().map(|(key, value)| ((*key).to_owned(), value.as_bytes().to_vec().into())).collect()
    }

    #[test]
    fn logins() {
        let of = |pairs: &[(&str, &str)]| {
            Credentials::of(map(pairs), None).map(|credentials| match credentials.login {
                Some(Login::Basic { username, password }) => format!("{username} {}", password.expose()),
                Some(Login::Bearer(token)) => plain(token),
                Some(Login::App(app)) => format!("{} {} {}", app.id, app.installation, app.api),
                None => credentials.identity.map_or("nobody".to_owned(), |identity| identity.passphrase.map(plain).unwrap_or_default()),
            })
        };
        let app = [("githubAppID", "1"), ("githubAppInstallationID", "2"), ("githubAppPrivateKey", "k")];
        assert_eq!(of(&[]).unwrap(), "nobody");
        assert_eq!(of(&[("username", "me\n"), ("password", "a b\r\n")]).unwrap(), "me a b");
        assert_eq!(of(&[("bearerToken", "t")]).unwrap(), "t");
        assert_eq!(of(&[("identity", "k"), ("password", "p")]).unwrap(), "p");
        assert_eq!(of(&app).unwrap(), "1 2 https://api.github.com");
        for wrong in [
            &[("username", "me")][..],
            &[("password", "p")],
            &[("bearerToken", "a\nb")],
            &[("username", "me"), ("password", "p"), ("bearerToken", "t")],
            &app[..2],
            &[app[0], ("githubAppInstallationID", "../x"), app[2]],
            &[("tls.crt", "c")],
        ] {
            assert!(of(wrong).is_err(), "{wrong:?}");
        }
    }

    #[test]
    fn nothing_shows_a_value() {
        let access = Access::anonymous().with(Values::Map(map(&[("username", "me"), ("password", "hunter2")])));
        let access = access.over_proxy(Values::Map(map(&[("address", "http://p"), ("password", "hunter2")])));
        let shown = format!("{access:?}");
        assert!(shown.contains("password") && !shown.contains("hunter2") && !shown.contains("http://p"), "{shown}");
    }
}

//! Who may ask over HTTP, and who is believed.

use std::fs;

use kaito::source::{Access, Mirror, Reference, Values};
use serde_json::json;

use super::server::{Served, access, values};
use super::{follow, shown};

const SECRET: &str = "hunter-of-git &/%";

#[test]
fn logins() {
    let served = Served::new();
    let right = [("username", "me"), ("password", SECRET)];
    let table = [
        (json!({"Username": "me", "Password": SECRET}), &right[..], ""),
        (json!({"Username": "me", "Password": SECRET}), &[], "refuses to answer: status 401 Unauthorized: who are you; give credentials"),
        (json!({"Username": "me", "Password": "other"}), &right, "see whether the credentials are still valid"),
        (json!({"Token": SECRET}), &[("bearerToken", "hunter-of-git")], "see whether the credentials are still valid"),
        (json!({"Token": "hunter-of-git"}), &[("bearerToken", "hunter-of-git\n")], ""),
        (json!({"Status": 403}), &right, "refuses to answer: status 403 Forbidden: as it is told to answer *** ***"),
        (json!({"Status": 404}), &right, "there is no git repository at"),
        (json!({"Status": 500}), &right, "can't be reached: status 500"),
        (json!({}), &[("username", SECRET)], "there is a username and no password"),
    ];
    for (rules, given, want) in table {
        served.rules(&rules);
        let cache = tempfile::tempdir().unwrap();
        let mirror = Mirror::open(cache.path(), &served.http()).unwrap();
        match follow(&mirror, &Reference::Default, &access(given)) {
            Ok(_) => assert_eq!(want, "", "{rules}"),
            Err(error) => {
                let shown = shown(&error);
                assert!(!want.is_empty() && shown.contains(want), "{rules}: {shown}");
                assert_eq!(error.is_transient(), rules["Status"] == 500, "{shown}");
            }
        }
    }
    served.rules(&json!({}));
    let missing = Mirror::open(served.cache(), &format!("{}-2", served.http())).unwrap();
    let error = missing.resolve(&Reference::Default, &Access::anonymous()).unwrap_err();
    assert!(error.to_string().starts_with("there is no git repository at"), "{error}");
}

/// A mounted Secret that changes is used as it is then; the mirror is the same.
#[test]
fn a_password_that_is_rotated() {
    let served = Served::new();
    let mirror = Mirror::open(served.cache(), &served.http()).unwrap();
    let secret = tempfile::tempdir().unwrap();
    let write = |state: &str, password: &str| {
        // As the kubelet does it: the files are links through one to a directory of their own.
        let directory = secret.path().join(state);
        fs::create_dir(&directory).unwrap();
        fs::write(directory.join("username"), "me").unwrap();
        fs::write(directory.join("password"), password).unwrap();
        std::os::unix::fs::symlink(state, secret.path().join("..new")).unwrap();
        fs::rename(secret.path().join("..new"), secret.path().join("..data")).unwrap();
    };
    let access = Access::anonymous().with(Values::Directory(secret.path().to_owned()));
    let resolve = || mirror.resolve(&Reference::Default, &access);
    write("..1", "first");
    served.rules(&json!({"Username": "me", "Password": "first"}));
    resolve().unwrap();
    served.rules(&json!({"Username": "me", "Password": "second"}));
    assert!(shown(&resolve().unwrap_err()).contains("still valid"));
    write("..2", "second");
    resolve().unwrap();
    fs::remove_file(secret.path().join("..data")).unwrap();
    fs::write(secret.path().join("username"), "me").unwrap();
    assert!(shown(&resolve().unwrap_err()).contains("there is a username and no password"));
}

#[test]
fn authorities_and_certificates() {
    let served = Served::new();
    let listens = &served.server.listens;
    let other = Served::new();
    let mirror = Mirror::open(served.cache(), &served.https()).unwrap();
    let authority = ("ca.crt", listens.authority.as_str());
    let client = [authority, ("tls.crt", listens.certificate.as_str()), ("tls.key", listens.key.as_str())];
    let table = [
        (&[authority][..], false, ""),
        (&[("caFile", listens.authority.as_str())], false, ""),
        (&[("ca.crt", other.server.listens.authority.as_str())], false, "can't be trusted"),
        (&[], false, "can't be trusted"),
        (&[("ca.crt", "no PEM")], false, "ca.crt holds no certificate"),
        (&[authority], true, "a certificate is wanted"),
        (&client, true, ""),
    ];
    for (given, client, want) in table {
        served.rules(&json!({"ClientCertificate": client}));
        let result = mirror.resolve(&Reference::Default, &access(given)).map_err(|error| shown(&error));
        match result {
            Ok(_) => assert_eq!(want, ""),
            Err(shown) => assert!(!want.is_empty() && shown.contains(want), "{shown}"),
        }
    }
}

/// A certificate that has expired is named, and the mirror goes on when there is another one; so it does with another authority.
#[test]
fn certificates_expire_and_are_rotated() {
    let served = Served::new();
    let listens = &served.server.listens;
    let secret = tempfile::tempdir().unwrap();
    let trust = |authority: &str| fs::write(secret.path().join("ca.crt"), authority).unwrap();
    trust(&listens.authority);
    let mirror = Mirror::open(served.cache(), &served.https()).unwrap();
    let access = Access::anonymous().with(Values::Directory(secret.path().to_owned()));
    let resolve = || mirror.resolve(&Reference::Default, &access).map_err(|error| shown(&error));
    resolve().unwrap();
    for (papers, why) in [("expired", "certificate expired"), ("next", "UnknownIssuer")] {
        served.rules(&json!({"Papers": papers}));
        let said = resolve().unwrap_err();
        assert!(said.contains("can't be trusted") && said.contains(why), "{said}");
        served.rules(&json!({}));
        resolve().unwrap();
    }
    served.rules(&json!({"Papers": "next"}));
    trust(&listens.next_authority);
    resolve().unwrap();
}

#[test]
fn redirections_carry_no_credentials() {
    let served = Served::new();
    let elsewhere = Served::new();
    let http = |served: &Served| format!("http://{}", served.server.listens.http);
    let login = access(&[("username", "me"), ("password", SECRET)]);
    let mirror = Mirror::open(served.cache(), &served.http()).unwrap();
    served.rules(&json!({"MovedTo": http(&elsewhere)}));
    let head = follow(&mirror, &Reference::Default, &login).unwrap();
    assert_eq!(head.commit, elsewhere.repo.git(&["rev-parse", "HEAD"]));
    let asked = elsewhere.asked();
    assert!(asked.len() == 3 && asked.iter().all(|asked| asked.authorization.is_empty()), "{asked:?}");
    assert!(served.asked().iter().all(|asked| !asked.authorization.is_empty()));
    // Never from https to http.
    served.rules(&json!({"MovedTo": http(&served)}));
    let mirror = Mirror::open(served.cache(), &served.https()).unwrap();
    let error = mirror.resolve(&Reference::Default, &access(&[("ca.crt", &served.server.listens.authority)])).unwrap_err();
    assert!(shown(&error).contains("from https to http"), "{}", shown(&error));
}

/// A repository says where its submodules are, which may be a server of whoever wrote it.
#[test]
fn submodules_elsewhere_get_no_credentials() {
    let served = Served::new();
    let elsewhere = Served::new();
    let other = elsewhere.repo.git(&["rev-parse", "HEAD"]);
    served.repo.write(".gitmodules", format!("[submodule \"sub\"]\n\tpath = sub\n\turl = {}\n", elsewhere.http()));
    served.repo.git(&["add", "-A"]);
    served.repo.git(&["update-index", "--add", "--cacheinfo", &format!("160000,{},sub", other.trim())]);
    served.repo.git(&["commit", "-q", "-m", "a submodule"]);
    served.rules(&json!({"Username": "me", "Password": SECRET}));
    let login = access(&[("username", "me"), ("password", SECRET)]);
    let mirror = Mirror::open(served.cache(), &served.http()).unwrap();
    let head = mirror.resolve(&Reference::Default, &login).unwrap();
    mirror.fetch_with_submodules(&head, &login).unwrap();
    let asked = elsewhere.asked();
    assert!(!asked.is_empty() && asked.iter().all(|asked| asked.authorization.is_empty()), "{asked:?}");
    assert!(served.asked().iter().all(|asked| !asked.authorization.is_empty()));
}

#[test]
fn proxies() {
    let served = Served::new();
    served.rules(&json!({"Proxy": "you:hunter-of-a-proxy"}));
    let mirror = Mirror::open(served.cache(), &served.https()).unwrap();
    let address = format!("http://{}", served.server.listens.proxy);
    let over = |values: Values| access(&[("ca.crt", &served.server.listens.authority)]).over_proxy(values);
    let login = [("address", address.as_str()), ("username", "you"), ("password", "hunter-of-a-proxy")];
    mirror.resolve(&Reference::Default, &over(values(&login))).unwrap();
    let asked = served.asked();
    assert!(asked.iter().any(|asked| asked.what == "CONNECT"), "{asked:?}");
    for (given, want) in
        [(&login[..1], "can't be reached"), (&login[1..], "the proxy's address is missing"), (&[("address", "ftp://x")], "socks5://")]
    {
        let error = mirror.resolve(&Reference::Default, &over(values(given))).unwrap_err();
        assert!(shown(&error).contains(want), "{}", shown(&error));
    }
}

/// An app signs with its key, and gets a token that is used for as long as it is valid.
#[test]
fn a_github_app() {
    let served = Served::new();
    let key = served.app_key();
    let api = format!("http://{}/api", served.server.listens.http);
    let mut given =
        vec![("githubAppID", "1"), ("githubAppInstallationID", "2"), ("githubAppPrivateKey", key.as_str()), ("githubAppBaseURL", &api)];
    let mirror = Mirror::open(served.cache(), &served.http()).unwrap();
    let tokens = || served.asked().iter().filter(|asked| asked.what.contains("access_tokens")).count();
    served.rules(&json!({"Token": "hunter-of-an-app-1"}));
    follow(&mirror, &Reference::Default, &access(&given)).unwrap();
    mirror.resolve(&Reference::Default, &access(&given)).unwrap();
    assert_eq!(tokens(), 1);
    // One that was revoked is asked for anew.
    served.rules(&json!({"Token": "hunter-of-an-app-2"}));
    mirror.resolve(&Reference::Default, &access(&given)).unwrap();
    assert_eq!(tokens(), 1);
    given[0].1 = "3";
    let error = mirror.resolve(&Reference::Default, &access(&given)).unwrap_err();
    assert!(shown(&error).contains("gives the app no token: status 401"), "{}", shown(&error));
    given[2].1 = "hunter-of-an-app";
    let error = mirror.resolve(&Reference::Default, &access(&given)).unwrap_err();
    assert!(shown(&error).contains("no RSA key in PEM"), "{}", shown(&error));
}

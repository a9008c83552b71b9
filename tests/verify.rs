//! Commits are followed if they are signed by somebody who may, and not otherwise.

#[path = "verify/pushed.rs"]
mod pushed;
#[path = "verify/signing.rs"]
pub(crate) mod signing;

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc::channel;
use std::thread;
use std::time::Duration;

use kaito::source::{Access, Mirror, Reference, Signer, Values, Verifier, Verify, VerifyError, VerifyMode};
use kaito::watch::Event;
use kaito::watch::feed::{Audience, Call, Git};

use crate::git::Repo;
use crate::support::hides_secrets;
use signing::{
    armored, expiring, pgp, pgp_key, pgp_subkey, public, put, revoked, sign, ssh, ssh_key, tag, text, with_revoked_subkey, with_signature,
};

/// A repository that is followed, and who may sign.
struct Scene {
    repo: Repo,
    mirror: Mirror,
    directory: tempfile::TempDir,
}

impl Scene {
    fn new(keys: &[(&str, &str)]) -> Self {
        let (repo, directory) = (Repo::new(), tempfile::tempdir().unwrap());
        fs::create_dir(directory.path().join("keys")).unwrap();
        let url = format!("file://{}", repo.path.display());
        let mirror = Mirror::open(&directory.path().join("cache"), &url).unwrap();
        let scene = Self { repo, mirror, directory };
        keys.iter().for_each(|(name, text)| scene.key(name, text));
        scene
    }

    fn key(&self, name: &str, text: &str) {
        fs::write(self.keys().join(name), text).unwrap();
    }

    fn keys(&self) -> PathBuf {
        self.directory.path().join("keys")
    }

    fn verifier(&self, mode: VerifyMode, since: Option<&str>) -> Verifier {
        Verifier::new(Verify { mode, keys: Values::Directory(self.keys()), since: since.map(ToOwned::to_owned) })
    }

    fn fetch(&self, verifier: &mut Verifier) -> Result<Signer, Box<VerifyError>> {
        let access = Access::anonymous();
        let head = self.mirror.resolve(&Reference::Branch("main".to_owned()), &access).unwrap();
        verifier.fetch(&self.mirror, &head, &access).map_err(Box::new)
    }

    /// Commits something, and signs it with the key of that number; the id.
    fn commit(&self, message: &str, key: Option<u8>) -> String {
        let id = self.repo.write("file", message).commit(message);
        key.map_or(id, |key| sign(&self.repo, &|payload| ssh(&ssh_key(key), "git", payload)))
    }
}

/// Keys may be the values of a Secret, which are read anew each time.
#[test]
fn keys_in_a_secret() {
    let scene = Scene::new(&[]);
    scene.commit("one", Some(1));
    let values = Arc::new(std::sync::Mutex::new(std::collections::BTreeMap::new()));
    let kept = Arc::clone(&values);
    let keys = Values::Kept("Secret n/signers".to_owned(), Arc::new(move || Ok(kept.lock().unwrap().clone())));
    let mut verifier = Verifier::new(Verify { mode: VerifyMode::Head, keys, since: None });
    assert!(shown(&scene.fetch(&mut verifier)).contains("Secret n/signers: there is no key"));
    let add = |name: &str, key: String| _ = values.lock().unwrap().insert(name.to_owned(), key.into_bytes().into());
    add("a.sshpub", public(&ssh_key(2)));
    assert!(shown(&scene.fetch(&mut verifier)).contains("which is not among the keys that may"));
    add("b.sshpub", public(&ssh_key(1)));
    assert!(scene.fetch(&mut verifier).is_ok());
    add("c.asc", "nothing of that kind".to_owned());
    assert!(shown(&scene.fetch(&mut verifier)).contains("c.asc: "));
}

/// What is said of the head, with what is to be done.
fn shown(result: &Result<Signer, Box<VerifyError>>) -> String {
    match result {
        Ok(signer) => signer.to_string(),
        Err(error) => {
            let finding = error.finding();
            hides_secrets("error", &format!("{error:?} {finding:?}"));
            assert!(!finding.help.is_empty(), "{error} says not what to do");
            finding.message
        }
    }
}

/// Signs the text of a commit.
type By<'b> = Box<dyn Fn(&[u8]) -> String + 'b>;

/// Commits that git itself has signed, with ssh-keygen and gpg.
#[test]
fn signatures_of_other_programs() {
    let table = [
        ("ssh-ed25519", "pub", "dev@example.com (ED25519 key SHA256:"),
        ("ssh-rsa", "pub", "dev@example.com (RSA key SHA256:"),
        ("ssh-ecdsa", "pub", "dev@example.com (ECDSA key SHA256:"),
        ("openpgp-rita", "asc", "Rita <rita@example.com> (OpenPGP key "),
        ("openpgp-ed", "asc", "Ed <ed@example.com> (OpenPGP key "),
    ];
    for (name, ending, want) in table {
        let read = |ending: &str| fs::read_to_string(Path::new("tests/data/signed").join(format!("{name}.{ending}"))).unwrap();
        let scene = Scene::new(&[("key", &read(ending))]);
        scene.repo.git(&["commit", "-q", "--allow-empty", "-m", "a directory without files"]);
        put(&scene.repo, read("commit").as_bytes());
        let signer = shown(&scene.fetch(&mut scene.verifier(VerifyMode::Head, None)));
        assert!(signer.starts_with(want), "{name}: {signer}");
        put(&scene.repo, read("commit").replace("signed with", "signed by").as_bytes());
        let refused = shown(&scene.fetch(&mut scene.verifier(VerifyMode::Head, None)));
        assert!(refused.contains("that is not of this commit") && refused.contains(want), "{name}: {refused}");
    }
}

#[test]
fn heads() {
    let (key, other) = (ssh_key(1), ssh_key(2));
    let allowed = format!("*@example.com {}", public(&key));
    let line = |options: &str| format!("dev@example.com {options} {}", public(&key));
    let (ed, subkeyed, stranger) = (pgp_key("Ed", 1000, false), pgp_key("Sue", 1000, true), pgp_key("Eve", 1000, false));
    let (expired, young) = (expiring(pgp_key("Ex", 1000, false), 500), expiring(pgp_key("Yo", 1000, false), 5000));
    let (gone, half) = (revoked(pgp_key("Rev", 1000, false)), with_revoked_subkey(pgp_key("Half", 1000, true)));
    let both = format!("{}\n{}", armored(&ed), armored(&subkeyed));
    let unsigned = |_: &[u8]| String::new();
    let by_ssh = |namespace: &'static str| -> By<'_> { Box::new(|payload| ssh(&key, namespace, payload)) };
    let table: Vec<(&str, String, By<'_>, Result<&str, &str>)> = vec![
        ("nobody", allowed.clone(), Box::new(unsigned), Err("is not signed")),
        ("a key that may", allowed.clone(), by_ssh("git"), Ok("*@example.com (ED25519 key SHA256:")),
        ("a public key alone", public(&key), by_ssh("git"), Ok("ED25519 key SHA256:")),
        ("another key", allowed.clone(), Box::new(|payload| ssh(&other, "git", payload)), Err("which is not among the keys that may")),
        ("for a file", allowed.clone(), by_ssh("file"), Err("which signed it for \"file\" rather than for git")),
        ("a key for files", line("namespaces=\"file\""), by_ssh("git"), Err("which may not sign for git, but for file")),
        (
            "a key of before",
            line("valid-before=\"20251231\""),
            by_ssh("git"),
            Err("was valid until 2025-12-31T00:00:00Z, and the commit is of 2026-01-01T00:00:00Z"),
        ),
        ("a key of later", line("valid-after=\"20260102\""), by_ssh("git"), Err("is valid from 2026-01-02T00:00:00Z on")),
        ("a key of now", line("valid-after=\"20251231\",valid-before=\"20260102\""), by_ssh("git"), Ok("dev@example.com (ED25519")),
        (
            "a key of before, and again",
            format!("{}\n{allowed}", line("valid-before=\"20251231\"")),
            by_ssh("git"),
            Ok("*@example.com (ED25519"),
        ),
        ("another text", allowed.clone(), Box::new(|_| ssh(&key, "git", b"another")), Err("has a signature of *@example.com (ED25519")),
        (
            "no signature",
            allowed.clone(),
            Box::new(|_| "-----BEGIN SSH SIGNATURE-----\nAAAA\n-----END SSH SIGNATURE-----".to_owned()),
            Err("can't be read"),
        ),
        (
            "X.509",
            allowed.clone(),
            Box::new(|_| "-----BEGIN SIGNED MESSAGE-----\nAAAA".to_owned()),
            Err("is signed with X.509, which can't be verified"),
        ),
        ("nonsense", allowed.clone(), Box::new(|_| "nonsense".to_owned()), Err("neither of SSH nor of OpenPGP")),
        ("OpenPGP", armored(&ed), Box::new(|payload| pgp(&ed, payload)), Ok("Ed (OpenPGP key ")),
        ("OpenPGP, of two in a file", both.clone(), Box::new(|payload| pgp_subkey(&subkeyed, payload)), Ok("Sue (OpenPGP key ")),
        ("OpenPGP, a stranger", both.clone(), Box::new(|payload| pgp(&stranger, payload)), Err("which is not among the keys that may")),
        ("OpenPGP, another text", both.clone(), Box::new(|_| pgp(&ed, b"another")), Err("a signature of Ed (OpenPGP key ")),
        ("OpenPGP, not for signing", both.clone(), Box::new(|payload| pgp(&subkeyed, payload)), Err("which is not for signing")),
        (
            "OpenPGP, a subkey not for signing",
            both.clone(),
            Box::new(|payload| pgp_subkey(&ed, payload)),
            Err("which is a subkey that is not for signing"),
        ),
        ("OpenPGP, expired", armored(&expired), Box::new(|payload| pgp(&expired, payload)), Err("which was valid until")),
        ("OpenPGP, not expired", armored(&young), Box::new(|payload| pgp(&young, payload)), Ok("Yo (OpenPGP key ")),
        ("OpenPGP, revoked", armored(&gone), Box::new(|payload| pgp(&gone, payload)), Err("which is revoked")),
        (
            "OpenPGP, subkey revoked",
            armored(&half),
            Box::new(|payload| pgp_subkey(&half, payload)),
            Err("which is a subkey that is revoked"),
        ),
    ];
    for (name, keys, by, want) in table {
        let scene = Scene::new(&[("keys", &keys)]);
        let id = scene.commit(name, None);
        let signature = by(&text(&scene.repo, "HEAD"));
        if !signature.is_empty() {
            put(&scene.repo, &with_signature(&text(&scene.repo, &id), &signature));
        }
        match (scene.fetch(&mut scene.verifier(VerifyMode::Head, None)), want) {
            (Ok(signer), Ok(want)) => assert!(signer.to_string().starts_with(want), "{name}: {signer}"),
            (result @ Err(_), Err(want)) => assert!(shown(&result).contains(want), "{name}: {}", shown(&result)),
            (result, _) => panic!("{name}: {}", shown(&result)),
        }
    }
}

/// A commit whose text was changed under its signature, and one that has another's.
#[test]
fn what_was_tampered_with() {
    let scene = Scene::new(&[("keys", &format!("dev {}", public(&ssh_key(1))))]);
    let good = scene.commit("good", Some(1));
    let verify = || shown(&scene.fetch(&mut scene.verifier(VerifyMode::Head, None)));
    assert!(verify().starts_with("dev ("));
    let original = String::from_utf8(text(&scene.repo, &good)).unwrap();
    for (what, by) in [("good", "evil"), ("n <n@example.com> 1767225600 +0000\ngpgsig", "n <n@example.com> 1767225601 +0000\ngpgsig")] {
        let changed = original.replace(what, by);
        assert_ne!(changed, original, "{what}");
        put(&scene.repo, changed.as_bytes());
        assert!(verify().contains("that is not of this commit"), "{what}: {}", verify());
    }
    let twice = with_signature(original.as_bytes(), &ssh(&ssh_key(1), "git", b"x"));
    put(&scene.repo, &twice);
    assert!(verify().contains("there are 2 of them"), "{}", verify());
}

/// Of a digest with which others can be made, nothing follows, though gpg still takes it.
#[test]
fn weak_digests() {
    let read = |name: &str| fs::read_to_string(Path::new("tests/data/signed").join(name)).unwrap();
    let scene = Scene::new(&[("key", &read("openpgp-rita.asc"))]);
    scene.repo.git(&["commit", "-q", "--allow-empty", "-m", "a directory without files"]);
    put(&scene.repo, read("openpgp-sha1.commit").as_bytes());
    let refused = shown(&scene.fetch(&mut scene.verifier(VerifyMode::Head, None)));
    assert!(refused.contains("which signed it with SHA1, which proves nothing"), "{refused}");
}

/// The directory is read at each look, and what is wrong with it is said.
#[test]
fn keys_are_read_when_they_are_used() {
    let scene = Scene::new(&[]);
    scene.commit("one", Some(1));
    let mut verifier = scene.verifier(VerifyMode::Head, None);
    let mut verify = || shown(&scene.fetch(&mut verifier));
    assert!(verify().ends_with("there is no key"), "{}", verify());
    scene.key("a.sshpub", &public(&ssh_key(2)));
    assert!(verify().contains("not among the keys that may"), "{}", verify());
    scene.key("b.sshpub", &public(&ssh_key(1)));
    assert!(verify().starts_with("ED25519 key SHA256:"), "{}", verify());
    let private = ssh_key(3).to_openssh(russh::keys::ssh_key::LineEnding::LF).unwrap();
    for (name, text, want) in [("c", private.as_str(), "holds a private key"), ("c", "nonsense", "c: line 1: "), ("c", "# none", "")] {
        scene.key(name, text);
        let shown = verify();
        assert!(if want.is_empty() { shown.starts_with("ED25519") } else { shown.contains(want) }, "{text}: {shown}");
    }
    fs::remove_file(scene.keys().join("b.sshpub")).unwrap();
    assert!(verify().contains("not among the keys that may"), "{}", verify());
}

/// A commit that is not signed is in the way of all that follow it, until it is out of the history or verification begins after it.
#[test]
fn every_commit() {
    let scene = Scene::new(&[("keys", &format!("dev {}", public(&ssh_key(1))))]);
    let one = scene.commit("one", Some(1));
    let mut verifier = scene.verifier(VerifyMode::Every, None);
    let mut head = scene.verifier(VerifyMode::Head, None);
    assert!(scene.fetch(&mut verifier).is_ok());
    let two = scene.commit("two", None);
    scene.commit("three", Some(1));
    let four = scene.commit("four", Some(1));
    let refused = scene.fetch(&mut verifier);
    assert!(shown(&refused).contains(&format!("commit {two} of ")) && shown(&refused).ends_with("is not signed"), "{}", shown(&refused));
    assert!(refused.unwrap_err().finding().help.iter().any(|help| help.contains("--verify-since")));
    assert!(scene.fetch(&mut head).is_ok(), "who has signed the head vouches for it");
    // A restart is no way around it.
    assert!(shown(&scene.fetch(&mut scene.verifier(VerifyMode::Every, None))).contains(&two));
    // Nor is a beginning before it, but one that leaves it out is.
    assert!(shown(&scene.fetch(&mut scene.verifier(VerifyMode::Every, Some(&one)))).contains(&two));
    for since in [&two, &four] {
        assert!(scene.fetch(&mut scene.verifier(VerifyMode::Every, Some(since))).is_ok(), "{since}");
    }
    // History is rewritten: all of it is signed.
    scene.repo.git(&["reset", "-q", "--hard", &one]);
    scene.commit("two again", Some(1));
    assert!(scene.fetch(&mut verifier).is_ok());
    // Going back to what was verified is well, too.
    scene.repo.git(&["reset", "-q", "--hard", &one]);
    assert!(scene.fetch(&mut verifier).is_ok());
    // A history that has nothing in common with it is verified whole.
    scene.repo.git(&["checkout", "-q", "--orphan", "new"]);
    let root = scene.commit("a new beginning", None);
    scene.commit("signed", Some(1));
    scene.repo.git(&["branch", "-q", "-M", "new", "main"]);
    assert!(shown(&scene.fetch(&mut verifier)).contains(&root));
}

/// All parents of a merge count, of every branch.
#[test]
fn merges() {
    for (on_side, merge, want) in [(Some(1), Some(1), Ok(())), (None, Some(1), Err("commit side")), (Some(1), None, Err("commit merge"))] {
        let scene = Scene::new(&[("keys", &format!("dev {}", public(&ssh_key(1))))]);
        scene.commit("one", Some(1));
        let mut verifier = scene.verifier(VerifyMode::Every, None);
        scene.fetch(&mut verifier).unwrap();
        scene.repo.git(&["checkout", "-q", "-b", "side"]);
        scene.repo.write("other", "other").commit("side");
        let side = on_side
            .map_or_else(|| scene.repo.git(&["rev-parse", "HEAD"]), |key| sign(&scene.repo, &|payload| ssh(&ssh_key(key), "git", payload)));
        scene.repo.git(&["checkout", "-q", "main"]);
        scene.commit("two", Some(1));
        scene.repo.git(&["merge", "-q", "--no-ff", "-m", "merge", "side"]);
        let merged = merge
            .map_or_else(|| scene.repo.git(&["rev-parse", "HEAD"]), |key| sign(&scene.repo, &|payload| ssh(&ssh_key(key), "git", payload)));
        let result = scene.fetch(&mut verifier);
        match want {
            Ok(()) => assert!(result.is_ok(), "{}", shown(&result)),
            Err("commit side") => assert!(shown(&result).contains(&side), "{}", shown(&result)),
            Err(_) => assert!(shown(&result).contains(&merged), "{}", shown(&result)),
        }
    }
}

/// A commit that was fetched alone hides from the remote that its history isn't here.
#[test]
fn history_that_was_not_fetched_before() {
    let scene = Scene::new(&[("keys", &format!("dev {}", public(&ssh_key(1))))]);
    let one = scene.commit("one", None);
    scene.commit("two", Some(1));
    let mut head = scene.verifier(VerifyMode::Head, None);
    assert!(scene.fetch(&mut head).is_ok());
    assert!(shown(&scene.fetch(&mut scene.verifier(VerifyMode::Every, None))).contains(&one));
    scene.commit("three", Some(1));
    assert!(scene.fetch(&mut head).is_ok());
    let mut verifier = scene.verifier(VerifyMode::Every, Some(&one));
    scene.commit("four", Some(1));
    assert!(scene.fetch(&mut verifier).is_ok(), "{}", shown(&scene.fetch(&mut verifier)));
}

/// What workers hear of a repository that is followed: commits that are signed, and once why another isn't.
#[test]
fn tags() {
    let (key, other) = (ssh_key(1), ssh_key(2));
    let scene = Scene::new(&[("keys", &format!("dev {}", public(&key)))]);
    let (old, new) = (scene.commit("old", Some(1)), scene.commit("new", None));
    let by = |key| move |payload: &[u8]| ssh(key, "git", payload);
    let nobody = |_: &[u8]| String::new();
    let _ = tag(&scene.repo, "v1", "v1", "commit", &old, &by(&key));
    let of_new = tag(&scene.repo, "v2", "v2", "commit", &new, &by(&key));
    tag(&scene.repo, "theirs", "theirs", "commit", &new, &by(&other));
    tag(&scene.repo, "unsigned", "unsigned", "commit", &new, &nobody);
    tag(&scene.repo, "moved", "v1", "commit", &old, &by(&key));
    tag(&scene.repo, "of-a-tag", "of-a-tag", "tag", &of_new, &by(&key));
    tag(&scene.repo, "changed", "changed", "commit", &new, &|payload| by(&key)(&[payload, b"x"].concat()));
    scene.repo.git(&["tag", "light", &old]);
    let modes = [VerifyMode::Tag, VerifyMode::TagAndHead];
    let table: [(&str, [Result<(), &str>; 2]); 8] = [
        ("v1", [Ok(()), Ok(())]),
        ("v2", [Ok(()), Err("commit HEAD of URL is not signed")]),
        ("theirs", [Err("which is not among the keys that may"); 2]),
        ("unsigned", [Err("tag unsigned of URL is not signed"); 2]),
        ("light", [Err("tag light of URL is not signed"); 2]),
        ("moved", [Err("tag moved of URL is the tag v1 under another name"); 2]),
        ("of-a-tag", [Err("tag of-a-tag of URL is of the tag "); 2]),
        ("changed", [Err("tag changed of URL has a signature of dev"); 2]),
    ];
    for (name, wanted) in table {
        for (mode, want) in modes.into_iter().zip(wanted) {
            let head = scene.mirror.resolve(&Reference::Tag(name.to_owned()), &Access::anonymous()).unwrap();
            let fetched = scene.verifier(mode, None).fetch(&scene.mirror, &head, &Access::anonymous()).map_err(Box::new);
            let shown = shown(&fetched).replace(scene.mirror.url(), "URL").replace(&head.commit, "HEAD");
            match want {
                Ok(()) => assert!(fetched.is_ok() && shown.starts_with("dev ("), "{name}: {shown}"),
                Err(want) => assert!(fetched.is_err() && shown.contains(want), "{name}, {mode:?}: {shown}"),
            }
        }
    }
    // One that is moved to another commit is another one.
    tag(&scene.repo, "v1", "v1", "commit", &new, &by(&other));
    let head = scene.mirror.resolve(&Reference::Tag("v1".to_owned()), &Access::anonymous()).unwrap();
    assert!(scene.verifier(VerifyMode::Tag, None).fetch(&scene.mirror, &head, &Access::anonymous()).is_err());
    for (text, mode) in [("tag", VerifyMode::Tag), ("TagAndHEAD", VerifyMode::TagAndHead), ("tag-and-head", VerifyMode::TagAndHead)] {
        assert_eq!(text.parse(), Ok(mode));
    }
}

#[test]
fn a_feed_tells_only_what_is_signed() {
    let scene = Scene::new(&[("keys", &format!("dev {}", public(&ssh_key(1))))]);
    let one = scene.commit("one", Some(1));
    let (listener, heard) = channel();
    let (caller, calls) = channel();
    let mut audience = Audience::default();
    audience.add(listener);
    let Scene { repo, mirror, directory } = scene;
    let verify = Verify { mode: VerifyMode::Every, keys: Values::Directory(directory.path().join("keys")), since: None };
    let feed = Git {
        name: "fleet".to_owned(),
        mirror: Arc::new(mirror),
        reference: Reference::Branch("main".to_owned()),
        access: Access::anonymous(),
        verify: Some(verify),
        submodules: false,
        audience,
        interval: Duration::from_secs(3600),
    };
    let following = thread::spawn(move || feed.run(&calls));
    let next = || match heard.recv().unwrap() {
        Event::Snapshot(snapshot) => snapshot.revision.unwrap(),
        Event::Unverified { revision, finding } => format!("{revision}: {}", finding.message),
        Event::Unchanged => "unchanged".to_owned(),
        Event::SourceFailed(finding) => panic!("{finding:?}"),
        _ => panic!("a feed tells of nothing else"),
    };
    // Beside `main`, which nobody shall see while a commit is not signed yet.
    repo.git(&["checkout", "-q", "-b", "work"]);
    let commit = |message: &str, key: Option<u8>| {
        let id = repo.write("file", message).commit(message);
        let id = key.map_or(id, |key| sign(&repo, &|payload| ssh(&ssh_key(key), "git", payload)));
        repo.git(&["update-ref", "refs/heads/main", &id]);
        caller.send(Call::Look).unwrap();
        id
    };
    assert!(next().ends_with(&one));
    let two = commit("two", None);
    assert!(next().contains(&format!("commit {two} of ")));
    // The head is good, and what it comes from is not; that is told once of each head.
    let three = commit("three", Some(1));
    caller.send(Call::Look).unwrap();
    let told = next();
    assert!(told.contains(&format!("{three}: ")) && told.contains(&format!("commit {two} of ")), "{told}");
    // Taken back, it is as it was.
    repo.git(&["update-ref", "refs/heads/main", &one]);
    caller.send(Call::Look).unwrap();
    assert_eq!(next(), "unchanged");
    repo.git(&["reset", "-q", "--hard", &one]);
    let four = commit("four", Some(1));
    assert!(next().ends_with(&four));
    caller.send(Call::Stop).unwrap();
    following.join().unwrap();
    assert!(heard.try_recv().is_err());
}

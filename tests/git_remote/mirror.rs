//! What is followed, what is fetched, and what stays.

use std::fs;
use std::path::{Path, PathBuf};

use kaito::source::{Access, Head, Mirror, Reference, config_for};
use serde_json::json;

use super::server::{Served, Server};
use super::{follow, read, shown};
use crate::git::Repo;

const FILE: &str = "clusters/prod/phi.yaml";

fn branch(name: &str) -> Reference {
    Reference::Branch(name.to_owned())
}

fn tag(name: &str) -> Reference {
    Reference::Tag(name.to_owned())
}

fn semver(text: &str) -> Reference {
    Reference::SemVer(text.parse().unwrap())
}

fn commit(id: &str) -> Reference {
    Reference::Commit { id: id.to_owned(), branch: None }
}

/// git's own opinion of what is kept.
fn fsck(served: &Served) {
    let output = std::process::Command::new("git").arg("-C").arg(served.kept()).args(["fsck", "--full", "--strict"]).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

#[test]
fn every_kind_of_reference() {
    let served = Served::new();
    let repo = &served.repo;
    let one = repo.git(&["rev-parse", "HEAD"]);
    repo.git(&["tag", "v1.0.0"]);
    let two = repo.write(FILE, "two").commit("two");
    repo.git(&["tag", "-a", "v1.1.0", "-m", "annotated"]);
    repo.git(&["tag", "-a", "v1.1.0-again", "-m", "a tag of a tag", "v1.1.0"]);
    repo.git(&["update-ref", "refs/pull/7/head", &one]);
    let three = repo.write(FILE, "three").commit("three");
    repo.git(&["branch", "feature/x", &one]);
    let table = [
        (Reference::Default, format!("main@sha1:{three}")),
        (branch("main"), format!("main@sha1:{three}")),
        (branch("feature/x"), format!("feature/x@sha1:{one}")),
        (tag("v1.0.0"), format!("v1.0.0@sha1:{one}")),
        (tag("v1.1.0"), format!("v1.1.0@sha1:{two}")),
        (tag("v1.1.0-again"), format!("v1.1.0-again@sha1:{two}")),
        (semver("1.x"), format!("v1.1.0@sha1:{two}")),
        (semver("<1.1.0"), format!("v1.0.0@sha1:{one}")),
        (commit(&two), format!("sha1:{two}")),
        (Reference::Commit { id: one.clone(), branch: Some("main".to_owned()) }, format!("main@sha1:{one}")),
        (Reference::Name("refs/pull/7/head".to_owned()), format!("refs/pull/7/head@sha1:{one}")),
    ];
    let here = [
        ("http", json!({}), served.http()),
        ("http, version 0", json!({"Version0": true}), served.http()),
        ("file", json!({}), format!("file://{}", repo.path.display())),
        ("a path", json!({}), repo.path.join(".git").display().to_string()),
    ];
    for (way, rules, url) in here {
        served.rules(&rules);
        let cache = tempfile::tempdir().unwrap();
        let mirror = Mirror::open(cache.path(), &url).unwrap();
        for (reference, want) in &table {
            let head = follow(&mirror, reference, &Access::anonymous()).unwrap();
            assert_eq!(head.to_string(), *want, "{reference} over {way}");
            let text = if head.commit == one {
                "kind: Workspace\n"
            } else if head.commit == two {
                "two"
            } else {
                "three"
            };
            assert_eq!(read(&mirror, &head, FILE), text, "{reference} over {way}");
        }
    }
}

#[test]
fn what_is_not_there_is_said_with_what_is() {
    let served = Served::new();
    served.repo.git(&["branch", "production"]);
    let mirror = Mirror::open(served.cache(), &served.http()).unwrap();
    let table = [
        (branch("prodution"), "has no branch prodution; did you mean production"),
        (tag("v1"), "has no tag v1; the repository has none of that kind"),
        (semver("^1"), "has no tag in the range \"^1\""),
        (branch("zzz"), "it has main, production"),
        (commit("abc"), "write all its 40 hexadecimal digits"),
    ];
    for (reference, want) in table {
        let error = mirror.resolve(&reference, &Access::anonymous()).unwrap_err();
        assert!(shown(&error).contains(want) && !error.is_transient(), "{}", shown(&error));
    }
    let gone = Head { commit: "1".repeat(40), ..Head::default() };
    let error = mirror.fetch(&gone, &Access::anonymous()).unwrap_err();
    assert!(shown(&error).contains(&format!("has no commit {}", gone.commit)), "{}", shown(&error));
}

#[test]
fn a_side_has_the_names_of_the_repository() {
    let served = Served::new();
    served.repo.write("clusters/kaito.yaml", "x").commit("config");
    let mirror = Mirror::open(served.cache(), &served.http()).unwrap();
    let head = follow(&mirror, &Reference::Default, &Access::anonymous()).unwrap();
    let side = mirror.side(&head).unwrap();
    let short = &head.commit[..7];
    assert_eq!(side.name, format!("main ({short})"));
    assert_eq!(side.tree.name(Path::new(FILE)), format!("main@{short}:{FILE}"));
    let config = config_for(&*side.tree, Path::new("clusters/prod")).unwrap();
    assert_eq!(side.tree.name(&config), format!("main@{short}:clusters/kaito.yaml"));
    assert!(config_for(&*side.tree, Path::new(".")).is_none());
    assert!(mirror.side(&Head { commit: "1".repeat(40), ..Head::default() }).is_err());
}

/// A branch that is pushed over, one that goes, and a history that is another.
#[test]
fn what_is_rewritten_is_followed() {
    let served = Served::new();
    let mirror = Mirror::open(served.cache(), &served.http()).unwrap();
    let anonymous = Access::anonymous();
    let main = || follow(&mirror, &branch("main"), &anonymous);
    let one = main().unwrap();
    served.repo.write(FILE, "two").commit("two");
    let two = main().unwrap();
    served.repo.git(&["commit", "-q", "--amend", "-m", "two, once more"]);
    let amended = main().unwrap();
    assert!(two != amended && read(&mirror, &amended, FILE) == "two");
    served.repo.git(&["checkout", "-q", "--orphan", "other"]);
    served.repo.write(FILE, "another").commit("another root");
    served.repo.git(&["branch", "-M", "other", "main"]);
    let other = main().unwrap();
    assert_eq!(read(&mirror, &other, FILE), "another");
    // What was fetched is there as long as anybody may ask for it.
    assert_eq!(read(&mirror, &one, FILE), "kind: Workspace\n");
    served.repo.git(&["checkout", "-q", "--detach"]);
    served.repo.git(&["branch", "-D", "main"]);
    let error = main().unwrap_err();
    assert!(shown(&error).contains("has no branch main"), "{}", shown(&error));
    fsck(&served);
}

#[test]
fn a_commit_that_is_here_is_not_asked_for() {
    let served = Served::new();
    let mirror = Mirror::open(served.cache(), &served.http()).unwrap();
    let head = follow(&mirror, &Reference::Default, &Access::anonymous()).unwrap();
    served.asked();
    assert_eq!(follow(&mirror, &Reference::Default, &Access::anonymous()).unwrap(), head);
    let asked = served.asked();
    assert!(asked.len() == 1 && asked[0].sent < 500, "a poll is one small request: {asked:?}");
    // Another process with the same directory needs no pack either.
    drop(mirror);
    let mirror = Mirror::open(served.cache(), &served.http()).unwrap();
    mirror.fetch(&head, &Access::anonymous()).unwrap();
    assert_eq!(read(&mirror, &head, FILE), "kind: Workspace\n");
    assert!(served.asked().is_empty());
}

/// A change of one file among many costs a few kilobytes, in each version of the protocol.
#[test]
fn little_is_sent_for_a_little_change() {
    let served = Served::new();
    let noise = |seed: u32| {
        let next = |state: &mut u32| {
            *state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            Some(format!("{state:08x}"))
        };
        std::iter::repeat_n((), 500).scan(seed, |state, ()| next(state)).collect::<String>()
    };
    for number in 0..1000 {
        served.repo.write(&format!("many/{}/{number}.txt", number % 20), noise(number));
    }
    served.repo.commit("many");
    for version0 in [false, true] {
        served.rules(&json!({"Version0": version0}));
        let cache = tempfile::tempdir().unwrap();
        let mirror = Mirror::open(cache.path(), &served.http()).unwrap();
        follow(&mirror, &branch("main"), &Access::anonymous()).unwrap();
        let first: u64 = served.asked().iter().map(|asked| asked.sent).sum();
        served.repo.write("many/7/7.txt", format!("{version0}")).commit("little");
        let head = follow(&mirror, &branch("main"), &Access::anonymous()).unwrap();
        let second: u64 = served.asked().iter().map(|asked| asked.sent).sum();
        assert!(first > 1_000_000 && second < 10_000, "{first} bytes, then {second}");
        assert_eq!(read(&mirror, &head, "many/7/7.txt"), format!("{version0}"));
        assert_eq!(read(&mirror, &head, "many/8/8.txt"), noise(8));
    }
}

#[test]
fn history_comes_when_it_is_wanted() {
    let served = Served::new();
    for url in [served.http(), served.repo.path.display().to_string()] {
        let cache = tempfile::tempdir().unwrap();
        let anonymous = Access::anonymous();
        let mirror = Mirror::open(cache.path(), &url).unwrap();
        let first = served.repo.write(FILE, format!("first {url}")).commit("first");
        follow(&mirror, &branch("main"), &anonymous).unwrap();
        let between = served.repo.write(FILE, "between").commit("between");
        served.repo.write(FILE, "last").commit("last");
        // Even if the newest is here already, without its history.
        let last = follow(&mirror, &branch("main"), &anonymous).unwrap();
        let is_here = |commit: &str| mirror.side(&Head { commit: commit.to_owned(), ..Head::default() }).is_ok();
        assert!(is_here(&first) && !is_here(&between), "{url}");
        mirror.fetch_with_history(&last, &anonymous).unwrap();
        assert!(is_here(&between), "{url}");
        let between = Head { commit: between, ..Head::default() };
        assert_eq!(read(&mirror, &between, FILE), "between", "{url}");
    }
}

#[test]
fn an_interrupted_fetch_leaves_what_was_there() {
    let served = Served::new();
    let mirror = Mirror::open(served.cache(), &served.http()).unwrap();
    let anonymous = Access::anonymous();
    let before = follow(&mirror, &branch("main"), &anonymous).unwrap();
    served.repo.write("big.txt", "0123456789abcdef\n".repeat(50_000)).write(FILE, "after").commit("after");
    let after = mirror.resolve(&branch("main"), &anonymous).unwrap();
    for cut in [10, 60, 200, 1000] {
        served.rules(&json!({"Cut": cut}));
        let error = mirror.fetch(&after, &anonymous).unwrap_err();
        assert!(error.is_transient(), "after {cut} bytes: {error}");
        assert_eq!(read(&mirror, &before, FILE), "kind: Workspace\n", "after {cut} bytes");
        assert!(mirror.side(&after).is_err(), "after {cut} bytes");
    }
    let unfinished = |served: &Served| fs::read_dir(served.kept().join("objects/pack")).unwrap().count();
    assert_eq!(unfinished(&served), 2, "one pack and its index");
    served.rules(&json!({}));
    mirror.fetch(&after, &anonymous).unwrap();
    assert_eq!(read(&mirror, &after, FILE), "after");
    fsck(&served);
}

/// Whoever is killed while it writes leaves locks and parts of files behind, which hold the next one up in nothing.
#[test]
fn what_somebody_left_who_was_killed() {
    let served = Served::new();
    let anonymous = Access::anonymous();
    let open = || Mirror::open(served.cache(), &served.http()).unwrap();
    follow(&open(), &branch("main"), &anonymous).unwrap();
    let commit = served.repo.write(FILE, "after").commit("after");
    let left = ["HEAD.lock", "config.lock", "packed-refs.lock", "shallow.lock", "objects/pack/tmp_pack_x"].map(ToOwned::to_owned);
    let left = left.into_iter().chain([format!("refs/kaito/{commit}.lock")]).map(|name| served.kept().join(name)).collect::<Vec<_>>();
    left.iter().for_each(|path| fs::write(path, "").unwrap());
    let mirror = open();
    assert_eq!(left.iter().filter(|path| path.exists()).collect::<Vec<_>>(), Vec::<&PathBuf>::new());
    let head = follow(&mirror, &branch("main"), &anonymous).unwrap();
    assert_eq!(read(&mirror, &head, FILE), "after");
    fsck(&served);
}

/// A byte that is another one, wherever it is: nothing of such a pack is kept.
#[test]
fn a_garbled_pack_is_not_taken() {
    let served = Served::new();
    let (anonymous, mut random) = (Access::anonymous(), fastrand::Rng::with_seed(7));
    let noise: Vec<u8> = std::iter::repeat_with(|| random.u8(..)).take(10_000).collect();
    let commit = served.repo.write("noise.bin", &noise).write(FILE, "after").commit("after");
    let head = Head { commit, ..Head::default() };
    let open = |cache: &Path| Mirror::open(cache, &served.http()).unwrap();
    let whole = tempfile::tempdir().unwrap();
    served.asked();
    open(whole.path()).fetch(&head, &anonymous).unwrap();
    let sent = i64::try_from(served.asked().last().unwrap().sent).unwrap();
    // In the lengths of packets, the head of the pack, its objects, and the digest at its end.
    let mut taken = Vec::new();
    for byte in (1..200).step_by(9).chain((200..sent - 60).step_by(997)).chain(sent - 60..=sent) {
        served.rules(&json!({"Garble": byte}));
        let cache = tempfile::tempdir().unwrap();
        let mirror = open(cache.path());
        if mirror.fetch(&head, &anonymous).is_ok() {
            taken.push(byte);
            assert_eq!(read(&mirror, &head, FILE), "after", "byte {byte}");
            assert_eq!(mirror.side(&head).unwrap().tree.read("noise.bin".as_ref(), 1 << 20).unwrap().bytes, noise, "byte {byte}");
        } else {
            assert!(mirror.side(&head).is_err(), "byte {byte}");
        }
        // What is wrong with one answer isn't with the next.
        served.rules(&json!({}));
        mirror.fetch(&head, &anonymous).unwrap_or_else(|error| panic!("after byte {byte}: {error}"));
        assert_eq!(read(&mirror, &head, FILE), "after", "byte {byte}");
    }
    // Of no consequence are only letters of what is told to people.
    assert!(taken.iter().all(|byte| *byte < 200 || *byte > sent - 60), "{taken:?} of {sent}");
}

#[test]
fn a_server_that_comes_back_is_asked_again() {
    let mut served = Served::new();
    let url = served.http();
    let mirror = Mirror::open(served.cache(), &url).unwrap();
    let anonymous = Access::anonymous();
    let before = follow(&mirror, &branch("main"), &anonymous).unwrap();
    let address = served.server.listens.http.clone();
    drop(served.server);
    let error = mirror.resolve(&branch("main"), &anonymous).unwrap_err();
    assert!(error.is_transient() && shown(&error).contains("can't be reached"), "{}", shown(&error));
    assert_eq!(read(&mirror, &before, FILE), "kind: Workspace\n");
    served.repo.write(FILE, "back").commit("back");
    served.server = Server::start(served.repo.path.parent().unwrap(), Some(&address));
    let after = follow(&mirror, &branch("main"), &anonymous).unwrap();
    assert_eq!(read(&mirror, &after, FILE), "back");
}

/// Whatever happens to the directory, the next start makes of it what is needed.
#[test]
fn a_damaged_mirror_is_made_anew() {
    type Damage = (&'static str, fn(&Path));
    let damages: [Damage; 7] = [
        ("a lost configuration", |path| fs::remove_file(path.join("config")).unwrap()),
        ("garbage for a HEAD", |path| fs::write(path.join("HEAD"), [0, 255, 1]).unwrap()),
        ("lost packs", |path| fs::remove_dir_all(path.join("objects/pack")).unwrap()),
        ("cut packs", |path| {
            for entry in fs::read_dir(path.join("objects/pack")).unwrap().map(Result::unwrap) {
                fs::remove_file(entry.path()).unwrap();
                fs::write(entry.path(), "PACK").unwrap();
            }
        }),
        ("an empty directory", |path| {
            fs::remove_dir_all(path).unwrap();
            fs::create_dir(path).unwrap();
        }),
        ("a file", |path| {
            fs::remove_dir_all(path).unwrap();
            fs::write(path, "x").unwrap();
        }),
        ("somebody else's repository", |path| {
            fs::remove_dir_all(path).unwrap();
            Repo::new().git(&["init", "-q", "--bare", path.to_str().unwrap()]);
        }),
    ];
    let served = Served::new();
    let anonymous = Access::anonymous();
    for (what, damage) in damages {
        let mirror = Mirror::open(served.cache(), &served.http()).unwrap();
        follow(&mirror, &branch("main"), &anonymous).unwrap();
        drop(mirror);
        let path = served.kept();
        damage(&path);
        let mirror = Mirror::open(served.cache(), &served.http()).unwrap_or_else(|error| panic!("{what}: {error}"));
        let head = follow(&mirror, &branch("main"), &anonymous).unwrap_or_else(|error| panic!("{what}: {error}"));
        assert_eq!(read(&mirror, &head, FILE), "kind: Workspace\n", "{what}");
        drop(mirror);
        fsck(&served);
    }
}

#[test]
fn a_mirror_has_one_owner() {
    let served = Served::new();
    let _mirror = Mirror::open(served.cache(), &served.http()).unwrap();
    let error = Mirror::open(served.cache(), &served.http()).map(|_| ()).unwrap_err();
    assert!(error.to_string().contains("somebody else uses it already"), "{error}");
    Mirror::open(served.cache(), &format!("{}/.git", served.http())).unwrap();
}

/// Hundreds of fetches take no more room than a few, and who reads an old commit can read on.
#[test]
fn the_room_that_is_taken_has_an_end() {
    let served = Served::new();
    let anonymous = Access::anonymous();
    let mirror = Mirror::open(served.cache(), &served.repo.path.display().to_string()).unwrap();
    let first = follow(&mirror, &branch("main"), &anonymous).unwrap();
    let side = mirror.side(&first).unwrap();
    for number in 0..230 {
        served.repo.write(FILE, format!("{number}")).commit("again");
        let head = follow(&mirror, &branch("main"), &anonymous).unwrap();
        assert_eq!(read(&mirror, &head, FILE), format!("{number}"));
    }
    let bytes = side.tree.read(FILE.as_ref(), 100).unwrap().bytes;
    assert_eq!(bytes, b"kind: Workspace\n");
    drop(side);
    let packs = fs::read_dir(served.kept().join("objects/pack")).unwrap().count();
    assert!(packs <= 202, "{packs} files");
    fsck(&served);
}

/// A file that nobody could read isn't fetched, and what was is none that others are told as changes of.
#[test]
fn large_files_stay_where_they_are() {
    let served = Served::new();
    served.repo.git(&["config", "uploadpack.allowFilter", "true"]);
    let mut random = fastrand::Rng::with_seed(1);
    let large: Vec<u8> = std::iter::repeat_with(|| random.u8(..)).take((64 << 20) + 1).collect();
    served.repo.write("large.bin", &large).commit("large");
    let id = served.repo.git(&["rev-parse", "HEAD:large.bin"]);
    let mirrors = [served.http(), served.repo.path.display().to_string()].map(|url| Mirror::open(served.cache(), &url).unwrap());
    let follow = |mirror: &Mirror| follow(mirror, &branch("main"), &Access::anonymous()).unwrap();
    for mirror in &mirrors {
        let head = follow(mirror);
        assert_eq!(read(mirror, &head, FILE), "kind: Workspace\n");
        let side = mirror.side(&head).unwrap();
        assert_eq!(side.tree.read("large.bin".as_ref(), u64::MAX).map(|_| ()).unwrap_err().kind(), std::io::ErrorKind::FileTooLarge);
        assert_eq!(side.tree.id("large.bin".as_ref()), Some(id.clone()));
    }
    served.repo.write("large.bin", &large[..60 << 20]).commit("not so large");
    for mirror in &mirrors {
        let head = follow(mirror);
        assert_eq!(mirror.side(&head).unwrap().tree.read("large.bin".as_ref(), 64 << 20).unwrap().bytes.len(), 60 << 20);
    }
}

/// Submodules, one of them within another; only who asks for them sees them.
#[test]
fn submodules() {
    let served = Served::new();
    let anonymous = Access::anonymous();
    let part = |name: &str| {
        let path = served.root().join(name);
        Repo::new().git(&["init", "-q", "-b", "main", path.to_str().unwrap()]);
        path
    };
    let git = |path: &Path, args: &[&str]| served.repo.git(&[&["-C", path.to_str().unwrap()], args].concat());
    let (outer, inner) = (part("outer"), part("inner"));
    let commit = |path: &Path, modules: &str, at: Option<(&str, &str)>| {
        fs::write(path.join("file.txt"), path.file_name().unwrap().to_str().unwrap()).unwrap();
        fs::write(path.join(".gitmodules"), modules).unwrap();
        git(path, &["add", "-A"]);
        if let Some((place, id)) = at {
            git(path, &["update-index", "--add", "--cacheinfo", &format!("160000,{id},{place}")]);
        }
        git(path, &["commit", "-q", "-m", "files"]);
        git(path, &["rev-parse", "HEAD"])
    };
    let said = |name: &str, url: &str| format!("[submodule \"{name}\"]\n\tpath = lib/{name}\n\turl = {url}\n");
    let inner = commit(&inner, "", None);
    let outer = commit(&outer, &said("inner", "../inner"), Some(("lib/inner", &inner)));
    let follow = |url: &str| {
        let id = commit(&served.repo.path, &said("outer", url), Some(("lib/outer", &outer)));
        let mirror = Mirror::open(served.cache(), &served.http()).unwrap();
        let head = mirror.resolve(&branch("main"), &anonymous).unwrap();
        assert_eq!(head.commit, id);
        mirror.fetch_with_submodules(&head, &anonymous).map(|()| (mirror, head))
    };
    let error = follow(&format!("file://{}", served.root().join("outer").display())).map(|_| ()).unwrap_err();
    assert!(error.to_string().contains("lib/outer is a file of this machine"), "{error}");
    let (mirror, head) = follow("../outer").unwrap();
    let side = mirror.side_with_submodules(&head).unwrap();
    for (path, want) in [("file.txt", "repo"), ("lib/outer/file.txt", "outer"), ("lib/outer/lib/inner/file.txt", "inner")] {
        assert_eq!(side.tree.read(path.as_ref(), 100).unwrap().bytes, want.as_bytes());
    }
    assert!(mirror.side(&head).unwrap().tree.read("lib/outer/file.txt".as_ref(), 100).is_err());
    served.asked();
    mirror.fetch_with_submodules(&head, &anonymous).unwrap();
    assert!(served.asked().is_empty());
    fsck(&served);
}

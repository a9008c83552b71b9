//! Submodules that lead to files of the machine, or to programs.

use std::fs;

use kaito::source::{Access, Mirror, Reference};

use crate::git_remote::server::Served;

#[test]
fn places_that_are_no_business_of_a_repository() {
    let served = Served::new();
    let part = served.root().join("part");
    fs::create_dir(&part).unwrap();
    let ran = served.root().join("ran");
    let (part, program) = (part.display(), format!("touch {}", ran.display()));
    let id = served.repo.git(&["rev-parse", "HEAD"]);
    let mirror = Mirror::open(served.cache(), &served.http()).unwrap();
    let urls = [
        format!("{part}"),
        format!("file://{part}"),
        format!("FILE://{part}"),
        format!("file:{part}"),
        format!("file://localhost{part}"),
        "/etc/passwd".to_owned(),
        "/proc/self/cwd".to_owned(),
        "//etc".to_owned(),
        "~/x".to_owned(),
        ".".to_owned(),
        "..".to_owned(),
        "../../../../../../etc".to_owned(),
        "./../../..".to_owned(),
        format!("ext::sh -c {program}"),
        format!("ext::{program}"),
        "fd::17".to_owned(),
        format!("ssh://-oProxyCommand={program}/x"),
        format!("-oProxyCommand={program}"),
        format!("--upload-pack={program}"),
        format!("$({program})"),
        "git://127.0.0.1/x".to_owned(),
        "ftp://127.0.0.1/x".to_owned(),
        "javascript:x".to_owned(),
        "C:\\x".to_owned(),
        "\\\\127.0.0.1\\x".to_owned(),
        "https://me:canary@127.0.0.1/x".to_owned(),
    ];
    for url in urls {
        served.repo.write(".gitmodules", format!("[submodule \"a\"]\n\tpath = lib/a\n\turl = {url}\n"));
        served.repo.git(&["add", ".gitmodules"]);
        // A commit that isn't here, or it needn't be fetched.
        let other = format!("{}{}", if id.starts_with('0') { "1" } else { "0" }, &id[1..]);
        served.repo.git(&["update-index", "--add", "--cacheinfo", &format!("160000,{other},lib/a")]);
        served.repo.git(&["commit", "-q", "-m", "a submodule"]);
        let head = mirror.resolve(&Reference::Branch("main".to_owned()), &Access::anonymous()).unwrap();
        let error = mirror.fetch_with_submodules(&head, &Access::anonymous()).unwrap_err();
        let said = format!("{error} {error:?} {:?}", error.finding());
        assert!(!said.contains("canary"), "{url}: {said}");
        assert!(!ran.exists(), "{url} has run a program");
        // The repository itself is here all the same.
        assert!(mirror.side(&head).unwrap().tree.read("clusters/prod/phi.yaml".as_ref(), 100).is_ok(), "{url}");
    }
}

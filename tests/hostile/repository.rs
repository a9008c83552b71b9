//! Repositories of git that git itself would hardly make: objects are written byte by byte.

use std::fs;
use std::io::Write as _;

use flate2::Compression;
use flate2::write::ZlibEncoder;

use crate::git::Repo;

const FILE: &str = "100644";
const DIRECTORY: &str = "40000";
const LINK: &str = "120000";

fn config_map(name: &str) -> String {
    format!("apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: {name}}}\n")
}

impl Repo {
    /// Writes an object, whatever is in it.
    fn object(&self, kind: &str, content: &[u8]) -> String {
        let path = self.beside("content");
        fs::write(&path, content).unwrap();
        self.git(&["hash-object", "-w", "--literally", "-t", kind, path.to_str().unwrap()])
    }

    fn file(&self, text: &str) -> String {
        self.object("blob", text.as_bytes())
    }

    /// Writes a directory of entries as they are.
    fn directory<'a>(&self, entries: impl IntoIterator<Item = (&'a str, String, &'a str)>) -> String {
        let mut content = Vec::new();
        for (mode, name, id) in entries {
            content.extend([mode.as_bytes(), b" ", name.as_bytes(), b"\0"].concat());
            content.extend((0..20).map(|at| u8::from_str_radix(&id[2 * at..2 * at + 2], 16).unwrap()));
        }
        self.object("tree", &content)
    }

    /// Commits a directory.
    fn commit_of(&self, directory: &str) {
        let commit = self.git(&["commit-tree", directory, "-m", "bytes"]);
        self.git(&["update-ref", "refs/heads/main", &commit]);
    }

    /// Every verb that reads a revision says it, and prints nothing of it.
    fn refuses(&self, says: &str) {
        for verb in ["render", "lint", "explain", "images"] {
            let run = self.kaito(&[verb, "--revision", "main", "-R", "-f", "."]);
            assert_eq!(run.code, 1, "{verb}: {says}: {}{}", run.stdout, run.stderr);
            let said = format!("{}{}", run.stdout, run.stderr);
            assert!(said.contains(says), "{verb}: {says:?} is not said in\n{}", said.chars().take(2000).collect::<String>());
            assert!(!said.contains("panicked") && !said.contains("canary"), "{verb}: {said}");
        }
    }
}

#[test]
fn names_that_no_file_has() {
    let repo = Repo::new();
    fs::write(repo.beside("canary.yaml"), config_map("canary")).unwrap();
    let (file, more) = (repo.file(&config_map("fine")), repo.file(&config_map("more")));
    let inner = repo.directory([(FILE, "canary.yaml".to_owned(), &*file)]);
    let outside = repo.beside("canary.yaml").display().to_string();
    for (mode, name, id) in [
        (FILE, "../canary.yaml", &file),
        (FILE, &*outside, &file),
        (FILE, "in/a.yaml", &file),
        (DIRECTORY, "..", &inner),
        (DIRECTORY, ".", &inner),
        (LINK, "..", &file),
        (FILE, "fine.yaml", &more),
    ] {
        repo.commit_of(&repo.directory([(FILE, "fine.yaml".to_owned(), &*file), (mode, name.to_owned(), id)]));
        repo.refuses("the repository is damaged");
    }
    // One that is empty isn't read at all, and neither is one without an id.
    for content in [format!("100644 \0{}", "x".repeat(20)), "100644 a.yaml\0x".to_owned(), "100644".to_owned(), "x".to_owned()] {
        repo.commit_of(&repo.object("tree", content.as_bytes()));
        repo.refuses("error");
    }
}

/// Files that one file system can't have beside one another. Nothing is checked out, so both are there.
#[test]
fn names_that_are_alike() {
    let repo = Repo::new();
    let names = ["A.yaml", "a.yaml", "\u{e9}.yaml", "e\u{301}.yaml", "nul.yaml", "trailing .yaml", "GIT~1.yaml"];
    let ids: Vec<String> = (0..names.len()).map(|number| repo.file(&config_map(&format!("n{number}")))).collect();
    let mut entries: Vec<_> = names.iter().zip(&ids).map(|(name, id)| (FILE, (*name).to_owned(), &**id)).collect();
    entries.sort();
    repo.commit_of(&repo.directory(entries));
    let run = repo.kaito(&["render", "--revision", "main", "-f", ".", "-o", "name"]);
    let want = (0..names.len()).map(|number| format!("configmap/n{number}\n")).collect::<Vec<_>>().concat();
    assert_eq!((run.code, run.stdout), (0, want), "{}", run.stderr);
}

#[test]
fn directories_without_end() {
    let repo = Repo::new();
    let file = repo.file("no manifest");
    // A hundred thousand and one files.
    repo.commit_of(&repo.directory((0..100_001).map(|number| (FILE, format!("{number:06}.txt"), &*file))));
    repo.refuses("there are more than 100000 files in this directory, which is the limit");
    // A directory of 32 MB, of which no more is read than its size.
    repo.commit_of(&repo.directory([(FILE, "x".repeat(32 << 20), &*file)]));
    repo.refuses("there are more than 100000 files in this directory, which is the limit");
    // Two objects, and two hundred and fifty thousand files.
    let many = repo.directory((0..500).map(|number| (FILE, format!("{number:03}.txt"), &*file)));
    repo.commit_of(&repo.directory((0..500).map(|number| (DIRECTORY, format!("{number:03}"), &*many))));
    repo.refuses("below main:, there are more than 100000 files, which is the limit");
    // A directory in a directory, and so on.
    let deep = (0..110).fold(many, |inner, _| repo.directory([(DIRECTORY, "d".to_owned(), &*inner)]));
    repo.commit_of(&deep);
    repo.refuses("below main:d/d/d, more than 100 directories are in one another, which is the limit");
}

#[test]
fn links_without_end() {
    let repo = Repo::new();
    let file = repo.file(&config_map("fine"));
    let inner = repo.directory([]);
    for target in
        [format!("{}fine.yaml", "d/../".repeat(500)), "fine.yaml/".repeat(400), "x".repeat(5000), String::new(), "\u{0}".to_owned()]
    {
        let link = repo.file(&target);
        repo.commit_of(&repo.directory([
            (DIRECTORY, "d".to_owned(), &*inner),
            (FILE, "fine.yaml".to_owned(), &*file),
            (LINK, "link.yaml".to_owned(), &*link),
        ]));
        repo.refuses("main:link.yaml is a link to");
    }
    // Each link leads to the next one.
    let links: Vec<String> = (0..50).map(|number| repo.file(&format!("l{:02}.yaml", number + 1))).collect();
    let chain = links.iter().enumerate().map(|(number, link)| (LINK, format!("l{number:02}.yaml"), &**link));
    repo.commit_of(&repo.directory(chain.chain([(FILE, "l50.yaml".to_owned(), &*file)])));
    repo.refuses("main:l00.yaml is a link to nothing");
    // Each is short, and there are many.
    let link = repo.file("fine.yaml");
    let many = (0..10_001).map(|number| (LINK, format!("l{number:05}.yaml"), &*link));
    repo.commit_of(&repo.directory([(FILE, "fine.yaml".to_owned(), &*file)].into_iter().chain(many)));
    repo.refuses("below main:, there are more than 10000 links, which is the limit");
}

/// Objects that say they hold something else than they do.
#[test]
fn objects_that_lie() {
    let repo = Repo::new();
    let loose = |id: &str, header: &str, content: &[u8]| {
        let path = repo.path.join(".git/objects").join(&id[..2]).join(&id[2..]);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        let mut zip = ZlibEncoder::new(Vec::new(), Compression::best());
        zip.write_all(header.as_bytes()).unwrap();
        zip.write_all(b"\0").unwrap();
        zip.write_all(content).unwrap();
        fs::write(path, zip.finish().unwrap()).unwrap();
    };
    let zeros = vec![0; 80 << 20];
    let table: [(&str, &str, &[u8], &str); 5] = [
        ("a", "blob 2147483648", b"apiVersion: v1\n", "has more than 67108864 bytes, which is the limit"),
        ("b", "blob 10", &zeros, "error"),
        ("c", "blob 99999999999999999999999", b"x", "error"),
        ("d", "tree 20", b"x", "error"),
        ("e", "blob", b"x", "error"),
    ];
    for (digit, header, content, says) in table {
        let id = digit.repeat(40);
        loose(&id, header, content);
        repo.commit_of(&repo.directory([(FILE, "a.yaml".to_owned(), &*id)]));
        repo.refuses(says);
    }
}

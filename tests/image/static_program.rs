//! The static program alone in an empty root, as the image has it: it renders, and speaks to git repositories over HTTPS and SSH.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use tempfile::TempDir;

use crate::git::git;
use crate::git_remote::server::Served;
use crate::git_remote::ssh::Behind;
use crate::support::{Run, finish, kaito};

/// A root that holds what the image holds, and a repository whose Workspaces are rendered, which the user of the image can't write.
struct Root(TempDir);

impl Root {
    fn new(program: &Path) -> Self {
        let root = Self(tempfile::tempdir().unwrap());
        for folder in ["usr/local/bin", "etc/ssl/certs", "tmp"] {
            fs::create_dir_all(root.path(folder)).unwrap();
        }
        fs::set_permissions(root.0.path(), fs::Permissions::from_mode(0o755)).unwrap();
        fs::set_permissions(root.path("tmp"), fs::Permissions::from_mode(0o1777)).unwrap();
        fs::copy(program, root.path("usr/local/bin/kaito")).unwrap();
        let authorities = "etc/ssl/certs/ca-certificates.crt";
        fs::copy(Path::new("/").join(authorities), root.path(authorities)).unwrap();
        fs::copy("examples/phi-3-mini/workspace.yaml", root.path("workspace.yaml")).unwrap();
        // Where a program begins that is put into another root.
        let fleet = root.path("");
        git(&fleet, &["init", "-q", "-b", "main"]);
        git(&fleet, &["add", "workspace.yaml"]);
        git(&fleet, &["commit", "-q", "-m", "one"]);
        git(&fleet, &["remote", "add", "origin", "https://git.example.com/fleet.git"]);
        root
    }

    fn path(&self, path: &str) -> PathBuf {
        self.0.path().join(path)
    }

    /// Credentials as a Secret is mounted.
    fn credentials(&self, values: &[(&str, &str)]) {
        let folder = self.path("credentials");
        _ = fs::remove_dir_all(&folder);
        fs::create_dir(&folder).unwrap();
        for (key, value) in values {
            fs::write(folder.join(key), value).unwrap();
        }
    }

    /// Runs it as the user of the image, who has no environment but that of the image.
    fn kaito(&self, args: &[&str]) -> Run {
        let mut command = Command::new("chroot");
        command.arg("--userspec=65532:65532").arg(self.0.path()).arg("/usr/local/bin/kaito").args(args);
        finish(command.env_clear().env("PATH", "/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"))
    }
}

#[test]
#[ignore = "it wants a static program in KAITO_TEST_STATIC, and root, who alone can make an empty root"]
fn it_works_in_an_empty_root() {
    let program = std::env::var_os("KAITO_TEST_STATIC").expect("KAITO_TEST_STATIC names the program");
    let root = Root::new(Path::new(&program));
    let version = root.kaito(&["--version"]);
    assert_eq!(version.stdout, finish(kaito().arg("--version")).stdout, "{}", version.stderr);
    let rendered = root.kaito(&["render", "-f", "workspace.yaml"]);
    let here = finish(kaito().args(["render", "-f", "examples/phi-3-mini/workspace.yaml"]));
    assert_eq!((rendered.code, rendered.stdout), (0, here.stdout), "{}", rendered.stderr);

    let push = |url: &str| {
        root.kaito(&["render", "-f", "workspace.yaml", "--push", url, "--push-branch", "rendered", "--push-credentials", "/credentials"])
    };
    let served = Served::new();
    root.credentials(&[("ca.crt", &served.server.listens.authority)]);
    let run = push(&served.https());
    assert_eq!(run.code, 0, "{}", run.stderr);
    assert!(served.repo.git(&["show", "rendered:manifest.yaml"]).contains("kind: StatefulSet"));

    let behind = Behind::new("ed25519");
    let key = behind.key("ed25519", "");
    root.credentials(&[("identity", &key.private), ("known_hosts", &behind.known_hosts())]);
    let run = push(&behind.url());
    assert_eq!(run.code, 0, "{}", run.stderr);
    assert!(behind.served.repo.git(&["show", "rendered:manifest.yaml"]).contains("kind: StatefulSet"));
}

//! Examples and cases against the files with what is expected of them.
//!
//! - `examples/NAME/` is rendered as its README says and compared with `golden/examples/NAME.yaml`, what is said about it with
//!   `NAME.txt`, and its explanation with `NAME.explain.txt`.
//! - `golden/cases/NAME/input.yaml` is rendered with the flags in `args`, if there are any, and compared with `expected.yaml`
//!   beside it, what is said about it with `expected.txt`. A case with no `expected.yaml` is refused. `args` may begin with
//!   another verb. A `kaito.yaml` beside the input holds.
//! - `kaito crd KIND` is compared with `golden/crds/KIND.yaml`.

use std::path::Path;

use crate::support::{examples, expect, names, run};

#[test]
fn every_example() {
    let mut faults = Vec::new();
    for name in examples() {
        let directory = format!("examples/{name}");
        let rendered = run(&["render", "-f", &directory]);
        assert_eq!(rendered.code, 0, "{name}: {}", rendered.stderr);
        let explained = run(&["explain", "-f", &directory]);
        let base = Path::new("golden/examples");
        faults.extend(expect(&base.join(format!("{name}.yaml")), &rendered.stdout).err());
        faults.extend(expect(&base.join(format!("{name}.txt")), &rendered.stderr).err());
        faults.extend(expect(&base.join(format!("{name}.explain.txt")), &explained.stdout).err());
    }
    assert!(faults.is_empty(), "{}", faults.join("\n\n"));
}

/// The arguments that the case in a directory is run with.
pub(crate) fn case_args(directory: &Path) -> Vec<String> {
    let flags = std::fs::read_to_string(directory.join("args")).unwrap_or_default();
    let mut flags = flags.split_whitespace().peekable();
    let verb = flags.next_if(|word| !word.starts_with('-')).unwrap_or("render");
    let input = directory.join("input.yaml");
    [verb, "-f", input.to_str().unwrap()].into_iter().chain(flags).map(ToOwned::to_owned).collect()
}

#[test]
fn crds() {
    let definitions = run(&["crd"]).stdout;
    let mut faults = Vec::new();
    for kind in &kaito::crd::KINDS {
        let one = run(&["crd", kind.name]).stdout;
        assert!(definitions.contains(&one), "kaito crd {} prints something else than kaito crd", kind.name);
        faults.extend(expect(&Path::new("golden/crds").join(format!("{}.yaml", kind.plural)), &one).err());
    }
    assert!(faults.is_empty(), "{}", faults.join("\n\n"));
}

#[test]
fn cases() {
    let mut faults = Vec::new();
    for name in names("golden/cases") {
        let directory = Path::new("golden/cases").join(&name);
        let args = case_args(&directory);
        let rendered = run(&args.iter().map(String::as_str).collect::<Vec<_>>());
        assert!(matches!(rendered.code, 0 | 1), "{name}: exit {}: {}", rendered.code, rendered.stderr);
        assert_eq!(rendered.code == 0, !rendered.stdout.is_empty(), "{name}: output exactly when it succeeds");
        faults.extend(expect(&directory.join("expected.yaml"), &rendered.stdout).err());
        faults.extend(expect(&directory.join("expected.txt"), &rendered.stderr).err());
    }
    assert!(faults.is_empty(), "{}", faults.join("\n\n"));
}

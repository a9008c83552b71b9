//! Where fields come from: `golden/why/NAME.args` are arguments of `kaito why`, `NAME.txt` is what it says.

use std::path::Path;

use crate::support::{examples, expect, names, run};

#[test]
fn fields_come_from_somewhere() {
    let mut faults = Vec::new();
    let cases: Vec<String> = names("golden/why").into_iter().filter_map(|name| Some(name.strip_suffix(".args")?.to_owned())).collect();
    assert!(cases.len() > 5);
    for name in cases {
        let base = Path::new("golden/why");
        let text = std::fs::read_to_string(base.join(format!("{name}.args"))).unwrap();
        let args: Vec<&str> = ["why"].into_iter().chain(text.split_whitespace()).collect();
        let told = run(&args);
        assert_eq!(told.code == 0, told.stderr.is_empty(), "{name}: {}", told.stderr);
        faults.extend(expect(&base.join(format!("{name}.txt")), &format!("{}{}", told.stdout, told.stderr)).err());
    }
    assert!(faults.is_empty(), "{}", faults.join("\n\n"));
}

/// Tracing changes nothing of what is rendered, and every object can be traced.
#[test]
fn every_object_of_the_examples_is_traced() {
    for example in examples() {
        let input = format!("examples/{example}");
        let rendered = run(&["render", "-f", &input, "-o", "name", "--passthrough=false"]);
        for object in rendered.stdout.lines() {
            let told = run(&["why", object, "-f", &input]);
            assert!(told.stdout.contains("\ntemplate  "), "{example}: {object}: {}{}", told.stdout, told.stderr);
        }
    }
}

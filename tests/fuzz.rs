//! What fuzzing has found worth keeping, tried again: every file of `fuzz/corpus`, by the same functions as libFuzzer tries.

use std::collections::BTreeSet;
use std::fs;
use std::panic::catch_unwind;
use std::path::Path;

use crate::support::names;

#[expect(unreachable_pub, reason = "the targets of libFuzzer are other crates")]
#[path = "../fuzz/src/lib.rs"]
mod properties;

/// Every target with its corpus, and what holds for any bytes holds for these.
#[test]
fn corpora() {
    let targets: BTreeSet<String> = properties::TARGETS.iter().map(|(name, _)| (*name).to_owned()).collect();
    assert_eq!(names("fuzz/corpus").into_iter().collect::<BTreeSet<_>>(), targets);
    assert_eq!(names("fuzz/fuzz_targets").into_iter().collect::<BTreeSet<_>>(), targets.iter().map(|name| format!("{name}.rs")).collect());
    let mut faults = Vec::new();
    for (target, holds) in properties::TARGETS {
        let corpus = Path::new("fuzz/corpus").join(target);
        let files = names(corpus.to_str().unwrap());
        assert!(files.len() >= 3, "{target} has no corpus");
        for file in files {
            let bytes = fs::read(corpus.join(&file)).unwrap();
            if catch_unwind(|| holds(&bytes)).is_err() {
                faults.push(format!("{target}/{file}"));
            }
        }
    }
    assert!(faults.is_empty(), "what must hold for any bytes doesn't for {faults:?}");
}

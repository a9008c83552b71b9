//! There is no room left where repositories are kept, or what is kept there goes: what runs goes on, and the next commit that can be
//! kept is applied.

use std::fs;
use std::process::Command;

use super::super::watching::Watching;
use super::fleet::Fleet;

/// Starts a program that can write no file of more than this many blocks (512 bytes, or 1024 in some shells), as if the disk were full then.
const LIMITED: &str = r#"trap "" XFSZ; ulimit -S -f "$0" && exec "$@""#;
const BLOCKS: &str = "200";

/// Takes the limit away from a process.
const UNLIMITED: &str = "import resource, sys; resource.prlimit(int(sys.argv[1]), resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY,) * 2)";

fn watch(fleet: &Fleet<'_>) -> Watching {
    let command = fleet.command("cache", &fleet.cluster.server.kubeconfig_file(), &[]);
    let mut limited = Command::new("sh");
    limited.env_clear().args(["-c", LIMITED, BLOCKS]).arg(command.get_program()).args(command.get_args());
    Watching::of(&mut limited)
}

#[test]
fn full() {
    let fleet = Fleet::new("disk");
    let first = fleet.served.repo.git(&["rev-parse", "HEAD"]);
    let mut watching = watch(&fleet);
    fleet.until_all_is(&first);
    // A pack that can't be kept: it holds noise, which can't be made smaller.
    let noise: Vec<u8> =
        (0..1_u64 << 17).flat_map(|number| number.wrapping_mul(0x9E37_79B9_7F4A_7C15).rotate_left(29).to_le_bytes()).collect();
    fleet.served.repo.write("docs/noise", &noise);
    let second = fleet.commit(2);
    for _ in 0..2 {
        watching.until(&["the source can't be read", "can't be kept"]);
    }
    fleet.until_repaired();
    fleet.until_applied(&first);
    // So it is for the next process, which begins with what was kept.
    watching.kill();
    let mut watching = watch(&fleet);
    watching.until(&["the source can't be read", "can't be kept"]);
    let unlimited = Command::new("python3").args(["-c", UNLIMITED, &watching.id().to_string()]).status();
    assert!(unlimited.unwrap().success(), "the limit can't be taken away");
    fleet.until_all_is(&second);
    let cache = fleet.home.path().join("cache");
    // Nothing is left of what could not be kept.
    let unfinished = files(&cache).into_iter().filter(|path| path.contains("/pack_") || path.contains(".unfinished"));
    assert_eq!(unfinished.collect::<Vec<_>>(), [""; 0]);
    // All that is kept goes while it is in use.
    fs::remove_dir_all(&cache).unwrap();
    fleet.until_repaired();
    fleet.until_all_is(&fleet.commit(3));
    assert_eq!(watching.stop().code(), Some(0));
}

/// All files below a directory.
fn files(directory: &std::path::Path) -> Vec<String> {
    let entries = fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path());
    entries.flat_map(|path| if path.is_dir() { files(&path) } else { vec![path.display().to_string()] }).collect()
}

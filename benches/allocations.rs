//! How many blocks of memory a Workspace takes in each stage, which doesn't depend on the machine: a guard against slower ways of doing the
//! same. Times are measured by `cargo bench` and `benches/peers`.

#[path = "fleet/mod.rs"]
mod fleet;

use fleet::World;

#[global_allocator]
static ALLOCATOR: dhat::Alloc = dhat::Alloc;

/// The most blocks that a start may take, and then each Workspace in each stage. If there are fewer for good, lower them.
const MOST: [(&str, u64); 4] = [("start", 1_020), ("read", 39), ("plan", 47), ("render", 230)];

#[test]
fn a_workspace_takes_no_more_blocks_than_before() {
    let _profiler = dhat::Profiler::builder().testing().build();
    // What is made once per process is made now.
    blocks(1);
    let (few, many) = (blocks(100), blocks(300));
    let taken: Vec<(&str, u64)> = MOST
        .iter()
        .zip(few.iter().zip(many))
        .map(|((stage, _), (few, many))| (*stage, if *stage == "start" { *few } else { (many - few) / 200 }))
        .collect();
    let is_more = taken.iter().zip(MOST).any(|((_, taken), (_, most))| *taken > most);
    assert!(!is_more, "blocks taken: {taken:?}, the most that may be: {MOST:?}");
}

/// The blocks that each stage takes for so many Workspaces.
fn blocks(count: usize) -> [u64; 4] {
    let taken = || dhat::HeapStats::get().total_blocks;
    let file = fleet::file(count, 16384);
    let start = taken();
    let world = World::new();
    let started = taken();
    let input = world.input(&file);
    let read = taken();
    let session = world.session(&input);
    let planned = taken();
    let text = world.text(&session);
    let rendered = taken();
    assert!(text.len() > count * 5000, "{text}");
    [started - start, read - started, planned - read, rendered - planned]
}

//! What each stage of the line costs, for a hundred Workspaces: `cargo bench`.

mod fleet;

use std::hint::black_box;
use std::sync::Arc;

use divan::Bencher;
use hmac::{Hmac, KeyInit, Mac};
use kaito::diff::{Side, compare};
use kaito::server::hook::{Hooks, Kind, Receiver};
use kaito::yaml;
use sha2::Sha256;

use fleet::World;

const COUNT: usize = 100;

fn main() {
    divan::main();
}

#[divan::bench]
fn start(bencher: Bencher<'_, '_>) {
    bencher.bench(World::new);
}

#[divan::bench]
fn parse(bencher: Bencher<'_, '_>) {
    let file = fleet::file(COUNT, 16384);
    bencher.bench(|| yaml::read(&file, yaml::Limits::default(), &mut Vec::new()));
}

#[divan::bench]
fn read(bencher: Bencher<'_, '_>) {
    let (world, file) = (World::new(), fleet::file(COUNT, 16384));
    bencher.bench(|| world.input(&file));
}

#[divan::bench]
fn plan(bencher: Bencher<'_, '_>) {
    let world = World::new();
    let input = world.input(&fleet::file(COUNT, 16384));
    bencher.bench(|| black_box(world.session(&input)).plans().count());
}

#[divan::bench]
fn render(bencher: Bencher<'_, '_>) {
    let world = World::new();
    let input = world.input(&fleet::file(COUNT, 16384));
    let session = world.session(&input);
    bencher.bench(|| world.text(&session));
}

#[divan::bench]
fn emit(bencher: Bencher<'_, '_>) {
    let world = World::new();
    let input = world.input(&fleet::file(COUNT, 16384));
    let session = world.session(&input);
    let mut all = Vec::new();
    let rendered = session.render(
        &world.engine,
        |_, objects| Ok(objects),
        |objects| {
            all.extend(objects);
            Ok::<_, kaito::render::TemplateError>(())
        },
    );
    rendered.unwrap_or_else(|error| panic!("{error}"));
    bencher.bench_local(|| {
        let mut text = String::new();
        all.iter().for_each(|object| object.to_yaml(&mut text));
        text
    });
}

#[divan::bench]
fn diff(bencher: Bencher<'_, '_>) {
    let world = World::new();
    let (before, after) = (world.input(&fleet::file(COUNT, 16384)), world.input(&fleet::file(COUNT, 8192)));
    let (old, new) = (world.session(&before), world.session(&after));
    let side = |session, input| Side::new(session, input, &world.engine, &[]);
    bencher.bench_local(|| {
        let report = compare(&side(&old, &before), &side(&new, &after), true, false, None).unwrap_or_else(|error| panic!("{error}"));
        assert_eq!(report.owners.len(), 1);
        report
    });
}

#[divan::bench]
fn webhook(bencher: Bencher<'_, '_>) {
    let body = format!(
        r#"{{"ref": "refs/heads/main", "after": "{:040}", "repository": {{"clone_url": "https://git.example.com/org/fleet.git"}}}}"#,
        1
    );
    let mut hmac = Hmac::<Sha256>::new_from_slice(b"token").expect("any key will do");
    hmac.update(body.as_bytes());
    let signature: String = hmac.finalize().into_bytes().iter().fold(String::new(), |text, byte| text + &format!("{byte:02x}"));
    let request = http::Request::post("/hook/fleet")
        .header("X-GitHub-Event", "push")
        .header("X-Hub-Signature-256", format!("sha256={signature}"))
        .body(body.into_bytes())
        .expect("this is a request");
    let hooks = Hooks::new(|_, _| {});
    let token = Arc::new(|| Some("token".into()));
    hooks.set_receivers(vec![Receiver { name: "fleet".to_owned(), namespace: String::new(), kind: Kind::GitHub, token }]);
    bencher.bench(|| {
        let answer = hooks.answer(&request, 1_700_000_000);
        assert!(answer.status().is_success(), "{answer:?}");
        answer
    });
}

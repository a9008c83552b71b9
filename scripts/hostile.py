#!/usr/bin/env python3
"""Inputs that are as large as a stranger can make them: how long kaito takes to refuse each, and how much memory.

    cargo build --locked --release && scripts/hostile.py target/release/kaito

Prints a table in Markdown, and fails if something isn't refused, takes more than 3 s of a processor's time, or more than 256 MiB. Needs
Linux, git, Go (which builds a git server), 8 GB of disk and a few minutes, nearly all of them for making the inputs. `cargo test` tries
smaller ones.
"""

import argparse
import json
import os
import re
import signal
import struct
import subprocess
import sys
import tempfile
import time
import zlib
from concurrent.futures import ProcessPoolExecutor
from hashlib import sha1
from pathlib import Path

# Twice what is meant, for slow machines. It is time of a processor, so that it is of no matter what else a machine has to do.
MOST_SECONDS = 3
MOST_MIB = 256

# git keeps a file as a change of another one, and makes that whole to read it. kaito makes no such pack, and asks for none where servers can
# leave large files out; but a clone of somebody's may have one.
OF_GIT = {"ten bytes that are told as a change of 1 GiB": 1300}

ROOT = Path(__file__).resolve().parent.parent
GIT = {"PATH": os.environ["PATH"], "HOME": "/nonexistent", "GIT_CONFIG_NOSYSTEM": "1"}
WHO = {f"GIT_{who}_{what}": value for who in ["AUTHOR", "COMMITTER"] for what, value in [("NAME", "n"), ("EMAIL", "n@example.com")]}
WORKSPACE = """apiVersion: kaito.sh/v1beta1
kind: Workspace
metadata: {name: NAME}
resource: {instanceType: Standard_NC24ads_A100_v4, labelSelector: {matchLabels: {a: b}}}
inference: {preset: {name: phi-4}}
"""
CONFIG = "apiVersion: config.kaito.sh/v1alpha1\nkind: RenderConfig\n"
CONFIG_MAP = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: NAME}\n"


def named(name):
    return WORKSPACE.replace("NAME", name)


class Repository:
    """A bare repository whose objects are written byte by byte."""

    def __init__(self, path):
        self.path = path
        self.git("init", "-q", "--bare", "-b", "main", str(path), at=path.parent)
        self.git("config", "uploadpack.allowFilter", "true")

    def git(self, *args, at=None, stdin=None):
        run = subprocess.run(["git", *args], cwd=at or self.path, env={**GIT, **WHO}, input=stdin, stdout=subprocess.PIPE, check=True)
        return run.stdout.decode().strip()

    def object(self, kind, content):
        return self.git("hash-object", "-w", "--literally", "-t", kind, "--stdin", stdin=content)

    def directory(self, entries):
        return self.object("tree", b"".join(f"{mode} {name}".encode() + b"\0" + bytes.fromhex(id) for mode, name, id in entries))

    def commit(self, directory):
        self.git("update-ref", "refs/heads/main", self.git("commit-tree", directory, "-m", "bytes"))
        return self


def zeros(count):
    """So many bytes of nothing, piece by piece."""
    piece = bytes(1 << 20)
    for _ in range(count >> 20):
        yield piece


def deflated(pieces):
    deflate = zlib.compressobj(1)
    packed = [deflate.compress(piece) for piece in pieces]
    return b"".join(packed) + deflate.flush()


def varint(number):
    out = bytearray()
    while number >= 0x80:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    return bytes([*out, number])


def pack_head(kind, size):
    first, size = kind << 4 | size & 15, size >> 4
    return bytes([first | 0x80]) + varint(size) if size else bytes([first])


def pack_of_a_delta(size):
    """A pack with a file of so many zeros, and one of ten bytes that is told as a change of it; the ids of both."""
    digest = sha1(f"blob {size}\0".encode())
    for piece in zeros(size):
        digest.update(piece)
    small = sha1(b"blob 10\0" + bytes(10)).hexdigest()
    delta = varint(size) + varint(10) + bytes([0x90, 10])
    content = b"PACK" + struct.pack(">II", 2, 2) + pack_head(3, size) + deflated(zeros(size))
    content += pack_head(7, len(delta)) + digest.digest() + zlib.compress(delta)
    return content + sha1(content).digest(), digest.hexdigest(), small


def repositories(home, only):
    """Revisions, by what is in them."""
    made = {}

    def new(name, fill):
        if only not in name:
            return
        repository = Repository(home / f"{len(made)}.git")
        made[name] = repository.commit(fill(repository)).path

    def flat(count, kind="100644", name="{:07}.yaml"):
        def fill(repository):
            inner = repository.object("blob", CONFIG_MAP.encode()) if kind == "100644" else flat(1)(repository)
            return repository.directory((kind, name.format(number), inner) for number in range(count))

        return fill

    def nested(levels, width):
        def fill(repository):
            directory = flat(width)(repository)
            for _ in range(levels):
                directory = repository.directory(("40000", f"{number:07}", directory) for number in range(width))
            return directory

        return fill

    def large(repository):
        # A file with holes, so that no disk is needed for it.
        with tempfile.NamedTemporaryFile() as file:
            file.truncate(2 << 30)
            blob = repository.git("-c", "core.compression=1", "hash-object", "-w", file.name)
        fine = repository.object("blob", CONFIG_MAP.encode())
        return repository.directory([("100644", "fine.yaml", fine), ("100644", "large.yaml", blob)])

    def delta(repository):
        content, large, small = pack_of_a_delta(1 << 30)
        repository.git("index-pack", "--stdin", stdin=content)
        return repository.directory([("100644", "large.bin", large), ("100644", "small.yaml", small)])

    def links(repository):
        steps = repository.object("blob", (b"d/../" * 190) + b"fine.yaml")
        entries = [("40000", "d", repository.directory([])), ("100644", "fine.yaml", repository.object("blob", CONFIG_MAP.encode()))]
        return repository.directory(entries + [("120000", f"l{number:06}.yaml", steps) for number in range(99_000)])

    new("a million files in one directory", flat(1_000_000))
    new("a million directories in one directory", flat(1_000_000, "40000", "{:07}"))
    new("ten thousand million files in ten objects", nested(9, 10))
    new("a thousand directories in one another", nested(1000, 1))
    new("a file of 2 GiB", large)
    new("ten bytes that are told as a change of 1 GiB", delta)
    new("99,000 links of a thousand steps", links)
    return made


def directories(home, only):
    """Directories on disk, by what is in them."""
    made = {}

    def new(name, fill):
        if only not in name:
            return
        made[name] = home / f"d{len(made)}"
        made[name].mkdir()
        fill(made[name])

    def many(directory, count=1_000_000):
        for number in range(count):
            os.close(os.open(directory / f"{number:07}.yaml", os.O_CREAT | os.O_WRONLY))

    def spread(directory):
        for number in range(1000):
            (directory / str(number)).mkdir()
            many(directory / str(number), 1000)

    def large(directory):
        with open(directory / "large.yaml", "wb") as file:
            file.truncate(2 << 30)

    def hundred(directory):
        (directory / "0.yaml").write_bytes(b"# " + b"x" * 60_000_000)
        for number in range(1, 100):
            os.link(directory / "0.yaml", directory / f"{number}.yaml")

    # Python's own makes one directory within another by calling itself.
    deep = lambda directory: subprocess.run(["mkdir", "-p", directory / "/".join(["d"] * 1000)], check=True)
    new("a million files in one directory, on disk", many)
    new("a million files in a thousand directories, on disk", spread)
    new("a file of 2 GiB, on disk", large)
    new("a hundred files of 60 MB, on disk", hundred)
    new("a thousand directories in one another, on disk", deep)
    new("a pipe, on disk", lambda directory: os.mkfifo(directory / "pipe.yaml"))
    return made


def files(home, only):
    """Inputs of one directory each, by what is in it."""
    made = {}

    def new(name, **files):
        if only not in name:
            return
        made[name] = home / f"f{len(made)}"
        made[name].mkdir()
        for file, text in files.items():
            path = made[name] / file.replace("__", "/").replace("_", ".")
            path.parent.mkdir(exist_ok=True)
            path.write_text(text)

    def gated(text):
        return CONFIG + "featureGates: {enableInferenceSetController: true}\n" + text

    full = 64_000_000
    aliases = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n"
    aliases += "".join(f"a{level}: &a{level} [{', '.join([f'*a{level - 1}'] * 10)}]\n" for level in range(1, 12))
    new("ten to the power of 12 values by aliases", in_yaml=aliases)
    new("a gigabyte of text by aliases", in_yaml="a: &a " + "x" * (1 << 20) + "\nb: [" + "*a, " * 1000 + "]\n")
    new("a line of 10 MiB", in_yaml="a: " + "x" * (10 << 20))
    new("a key of 10 MiB", in_json='{"apiVersion": "kaito.sh/v1beta1", "kind": "Workspace", "' + "x" * (10 << 20) + '": 1}')
    new("a preset whose name has 10 MiB", in_yaml=named("phi").replace("phi-4", "x" * (10 << 20)))
    new("100,000 documents", in_yaml="---\na: 1\n" * 100_000)
    new("8,000,000 documents in one file", in_yaml="a:\n---\n" * (full // 7))
    new("30,000,000 documents of JSON", in_json="{}" * (full // 2))
    new("9,000,000 documents in 48 files", **{f"in{number}_yaml": "a: 1\n---\n" * 190_000 for number in range(37)})
    new("32,000,000 values in one document", in_yaml="a: [" + "1," * (full // 2) + "]")
    new("32,000,000 values in many documents", in_yaml=(f"{CONFIG_MAP}a: [{'1,' * 450_000}]\n---\n") * 60)
    new("150,000 Workspaces", in_yaml="".join(named(f"w{number}") + "---\n" for number in range(150_000)))
    new(
        "200,000 Workspaces of 200 sets",
        kaito_yaml=gated(""),
        in_yaml="".join(
            "apiVersion: kaito.sh/v1beta1\nkind: InferenceSet\n"
            f"metadata: {{name: s{number}}}\n"
            "spec: {replicas: 1000, labelSelector: {matchLabels: {a: b}}, template: {resource: {instanceType: Standard_NC24ads_A100_v4}, "
            "inference: {preset: {name: phi-4}}}}\n---\n"
            for number in range(200)
        ),
    )
    new("500,000 unknown fields", in_yaml=named("phi") + "".join(f"f{number}: 1\n" for number in range(240_000)))
    new("a key a million times, far from the beginning", in_yaml="# far\n" * 8_000_000 + "a: 1\n" * 240_000)
    new("3,000,000 tags without meaning", in_yaml="a:\n" + "- !x y\n" * 200_000 + "---\n" + ("a:\n" + "- !x y\n" * 2000 + "---\n") * 1000)
    new("100,000 brackets", in_yaml="a: " + "[" * 100_000)
    new("64 MB of brackets", in_yaml="[" * full)
    new("64 MB of open mappings", in_yaml="{a: " * (full // 4))
    new("64 MB of dashes", in_yaml="- " * (full // 2))
    new("64 MB of question marks", in_yaml="? " * (full // 2))
    new("64 MB of quotes", in_yaml='"' * full)
    new("64 MB of anchors", in_yaml="".join(f"&a{number} " for number in range(full // 11)))
    new("64 MB of NULs", in_yaml="\0" * full)
    new("64 MB of colons", in_yaml=":" * full)
    new("64 MB of spaces and line feeds", in_yaml=" \n" * (full // 2) + "a")
    loop = "{% for i in range(99999) %}{% for j in range(99999) %}x{% endfor %}{% endfor %}"
    templates = {
        "a template that loops for ever": loop,
        "a template that makes a gigabyte": "a: {{ 'x' * 1000000000 }}",
        "a template that doubles what it makes": "{% set a = 'xxxxxxxxxxxxxxxx' %}" + "{% set a = a ~ a %}" * 60 + "a: {{ a }}",
        "a template that calls itself": "{% macro a() %}{{ a() }}{% endmacro %}{{ a() }}",
        "a template that includes itself": "{% include 'service.yaml' %}",
        "a template of 60 MB": "{{ name }}" * 6_000_000,
    }
    for name, template in templates.items():
        new(name, kaito_yaml=CONFIG + "templates: templates\n", in_yaml=named("phi"), templates__service_yaml=template)
    new(
        "patches that double an object",
        kaito_yaml=CONFIG + "patches: [{path: p, target: {name: phi}}]\n",
        in_yaml=named("phi"),
        p="[" + ", ".join(f"{{op: copy, from: /metadata, path: /metadata/x{number}}}" for number in range(60)) + "]",
    )
    new(
        "patches that copy a text of 1 MB",
        kaito_yaml=CONFIG + "patches: [{path: p, target: {name: phi}}]\n",
        in_yaml=named("phi"),
        p=f"[{{op: add, path: /x, value: {'x' * 1_000_000}}}, " + ", ".join(f"{{op: copy, from: /x, path: /x{n}}}" for n in range(50_000)) + "]",
    )
    new("100,000 patches of one file", in_yaml=named("phi"), p="#" * 1_000_000, kaito_yaml=CONFIG + "patches: [" + "{path: p, target: {kind: Job}}," * 100_000 + "]")
    new("1,000,000,000 nodes of one's own", in_yaml=named("phi"), kaito_yaml=CONFIG + "nodes: [" + "{name: a, count: 10000}," * 100_000 + "]")
    return made


def measure(command, at, until=None):
    """Runs a command; its code, what it said, the seconds, those of a processor, and the MiB at its peak. One that doesn't end by itself is ended when `until` says so."""
    with tempfile.TemporaryFile() as said:
        start = time.monotonic()
        process = subprocess.Popen(command, cwd=at, stdin=subprocess.DEVNULL, stdout=said, stderr=said, env={"PATH": os.environ["PATH"]})
        taken = None
        while True:
            pid, status, usage = os.wait4(process.pid, os.WNOHANG)
            if pid:
                break
            elapsed = time.monotonic() - start
            if elapsed > 120 or (until and taken is None and until()):
                taken = elapsed
                os.kill(process.pid, signal.SIGKILL if elapsed > 120 else signal.SIGTERM)
            time.sleep(0.005)
        seconds = taken or time.monotonic() - start
        process.returncode = os.waitstatus_to_exitcode(status)
        said.seek(0)
        text = said.read(1 << 20).decode(errors="replace")
    return process.returncode, text, (seconds, usage.ru_utime + usage.ru_stime), usage.ru_maxrss / 1024


class Table:
    def __init__(self):
        self.faults = []
        print("| input | what is said | s | s of a processor | MiB |\n|---|---|---:|---:|---:|")

    def row(self, name, words, seconds, mib, is_right):
        words = words.replace("|", "\\|")
        passed, worked = seconds
        print(f"| {name} | {words if len(words) < 120 else words[:117] + '...'} | {passed:.2f} | {worked:.2f} | {mib:.0f} |", flush=True)
        if not is_right or worked > MOST_SECONDS or mib > OF_GIT.get(name, MOST_MIB):
            self.faults.append(name)


def refused(table, name, command, at):
    code, text, seconds, mib = measure(command, at)
    errors = re.findall(r"^error: (.*)$", text, re.MULTILINE)
    errors.sort(key=lambda error: "limit" not in error)
    table.row(name, errors[0] if errors else text.strip()[:100], seconds, mib, code == 1 and errors)


def followed(table, name, kaito, home, url):
    """Follows a repository until a commit of it is here."""
    cache = home / f"cache{len(list(home.glob('cache*')))}"
    kubeconfig = home / "kubeconfig"
    kubeconfig.write_text(
        json.dumps(
            {
                "apiVersion": "v1",
                "kind": "Config",
                "current-context": "c",
                "clusters": [{"name": "c", "cluster": {"server": "http://127.0.0.1:1"}}],
                "contexts": [{"name": "c", "context": {"cluster": "c", "user": "u"}}],
                "users": [{"name": "u", "user": {}}],
            }
        )
    )
    command = [kaito, "watch", "--url", url, "-f", ".", "--applyset", "a", "--cache-dir", cache, "--kubeconfig", kubeconfig]
    is_here = lambda: any(cache.glob("*/[0-9]*/refs/kaito/*")) and not any(cache.glob("*/*.unfinished"))
    code, text, seconds, mib = measure(command, home, is_here)
    size = sum(file.stat().st_size for file in cache.rglob("*") if file.is_file())
    table.row(name, f"fetched: {size / (1 << 20):.1f} MiB on disk" if is_here() else text[-300:], seconds, mib, is_here())


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("kaito", type=Path)
    parser.add_argument("--only", default="", help="what the names of inputs have in them")
    args = parser.parse_args()
    kaito = args.kaito.resolve()
    home = Path(tempfile.mkdtemp(prefix="hostile")).resolve()
    try:
        # The memory of a process is counted from that of the one that starts it, so that they are made by another one.
        with ProcessPoolExecutor(1) as maker:
            make = lambda these: maker.submit(these, home, args.only).result()
            revisions, inputs = make(repositories), {**make(directories), **make(files)}
        table = Table()
        for name, path in revisions.items():
            refused(table, name, [kaito, "render", "--revision", "main", "-R", "-f", "."], path)
        for name, path in inputs.items():
            refused(table, name, [kaito, "render", "-R", "-f", "."], path)
        server = home / "server"
        subprocess.run(["go", "build", "-o", server, "."], cwd=ROOT / "tests/git-server", check=True)
        serving = subprocess.Popen([server, home], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        try:
            address = json.loads(serving.stdout.readline())["http"]
            for name, path in revisions.items():
                followed(table, f"{name}, followed over HTTP", kaito, home, f"http://{address}/{path.name}")
        finally:
            serving.kill()
            serving.wait()
    finally:
        # Python's own way of removing it can't go so deep.
        subprocess.run(["rm", "-rf", home], check=True)
    if table.faults:
        sys.exit(f"not refused, with more than {MOST_SECONDS} s of a processor or {MOST_MIB} MiB: {', '.join(table.faults)}")


if __name__ == "__main__":
    main()

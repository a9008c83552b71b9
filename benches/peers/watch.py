#!/usr/bin/env python3
"""From a commit to the cluster: kaito watch follows a repository over http, told by a webhook. See README.md."""

import argparse
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import run
from live import furnish
from server import Server, free_ports

TOKEN = "of-the-benchmark"
QUIET = 20


def main():
    parser = argparse.ArgumentParser(description="Time kaito watch from a webhook to the change in the cluster.")
    parser.add_argument("--rounds", type=run.positive, default=15, metavar="N", help="how many commits are timed (default: 15)")
    parser.add_argument("--counts", type=run.positives, default=[100, 1000], metavar="N,...", help="numbers of Workspaces (default: 100,1000)")
    parser.add_argument("--shards", type=run.positive, default=1, metavar="N", help="processes that share the Workspaces (default: 1)")
    options = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    kaito, kubectl = run.find_kaito(), run.find_packed("kubectl")
    shards = f", {options.shards} processes that share the Workspaces" if options.shards > 1 else ""
    print(f"{os.cpu_count()} CPUs, rounds: {options.rounds}{shards}\n")
    print("| Workspaces | first sync, s | requests for it | commit to applied, s | another file, s | requests for it | deleted object back, s | memory at rest (peak), MiB | CPU at rest |")
    print("|--:|--:|--:|--:|--:|--:|--:|--:|--:|")
    for count in options.counts:
        with Server() as server, tempfile.TemporaryDirectory() as home:
            furnish(server, kubectl)
            print(row(count, follow(count, options.rounds, options.shards, kaito, kubectl, server, Path(home))), flush=True)


class Repository:
    """A repository with a file for each Workspace, served by git itself over http."""

    def __init__(self, count, home):
        self.work, self.bare = home / "work", home / "fleet.git"
        self.work.mkdir()
        self.git("init", "-q", "-b", "main")
        for i in range(count):
            text = run.WORKSPACE.format(i=i, namespace=run.NAMESPACE, text=run.indented(run.CONFIG, 4))
            (self.work / f"ws-{i}.yaml").write_text(text)
        self.commit("first")
        subprocess.run(["git", "clone", "-q", "--bare", self.work, self.bare], check=True)
        self.server = ThreadingHTTPServer(("127.0.0.1", 0), handler(home))
        # Who has asked may be killed before the answer is there.
        self.server.handle_error = lambda *_: None
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        self.url = f"http://127.0.0.1:{self.server.server_port}/fleet.git"

    def git(self, *words):
        identity = ["-c", "user.name=bench", "-c", "user.email=bench@example.com"]
        subprocess.run(["git", *identity, "-C", self.work, *words], check=True, stdout=subprocess.DEVNULL)

    def commit(self, message):
        self.git("add", "-A")
        self.git("commit", "-q", "-m", message)

    def push(self):
        self.git("push", "-q", self.bare, "main")


def handler(home):
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def answer(self):
            path, _, query = self.path.partition("?")
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            environment = os.environ | {
                "GIT_PROJECT_ROOT": str(home), "GIT_HTTP_EXPORT_ALL": "1", "PATH_INFO": path, "QUERY_STRING": query,
                "REQUEST_METHOD": self.command, "CONTENT_TYPE": self.headers.get("Content-Type") or "",
                "CONTENT_LENGTH": str(len(body)), "GIT_PROTOCOL": self.headers.get("Git-Protocol") or "",
            }
            out = subprocess.run(["git", "http-backend"], input=body, env=environment, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, check=True).stdout
            head, _, content = out.partition(b"\r\n\r\n")
            fields = dict(line.split(": ", 1) for line in head.decode().split("\r\n"))
            self.send_response(int(fields.pop("Status", "200").split()[0]))
            for name, value in fields.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        do_GET = do_POST = answer

        def log_message(self, *_):
            pass

    return Handler


def follow(count, rounds, shards, kaito, kubectl, server, home):
    repository = Repository(count, home)
    (home / "token").write_text(TOKEN)
    asked, before = Asked(server), server.requests()
    began = time.perf_counter()
    processes = [Process(kaito, repository, home, f"{number}/{shards}" if shards > 1 else None) for number in range(shards)]
    try:
        run.progress(f"{count}: first sync")
        wait(processes, lambda: all(get(process.ready) for process in processes) and sets(asked) >= count, home)
        first = time.perf_counter() - began, requests_since(before, server) - asked.times
        call = lambda: [push_event(process.hook, repository.url) for process in processes]
        applied = [changed(repository, server, call, count * number // rounds, number, processes, home) for number in range(rounds)]
        run.progress(f"{count}: another file")
        time.sleep(5)
        other = [untouched(repository, server, call, number, processes, home) for number in range(3)]
        run.progress(f"{count}: a deleted object")
        back = [deleted(server, count * number // 5, processes, home) for number in range(5)]
        run.progress(f"{count}: at rest")
        time.sleep(5)
        before = sum(cpu(process.pid) for process in processes)
        time.sleep(QUIET)
        rest = (sum(cpu(process.pid) for process in processes) - before) / QUIET
        run.progress("")
        return first, applied, other, back, [max(each) for each in zip(*(memory(process.pid) for process in processes))], rest
    finally:
        for process in processes:
            process.terminate()
            process.wait()
        repository.server.shutdown()
        if os.environ.get("KEEP_LOG"):
            shutil.copy(home / "log", os.environ["KEEP_LOG"])


class Asked:
    """A server of which it is counted how often it was asked here."""

    def __init__(self, server):
        self.server, self.times = server, 0

    def ask(self, path):
        self.times += 1
        return self.server.ask(path)


def requests_since(before, server):
    return sum(number - before.get(key, 0) for key, number in server.requests().items())


class Process(subprocess.Popen):
    """kaito watch, which looks after all Workspaces or a share of them."""

    def __init__(self, kaito, repository, home, shard):
        self.hook, health = free_ports()
        self.ready = f"http://127.0.0.1:{health}/readyz"
        log = open(home / "log", "ab")
        super().__init__(
            [kaito, "watch", "--url", repository.url, "--branch", "main", "-n", run.NAMESPACE, "--applyset", "bench", "--interval", "1h",
             "--cache-dir", home / f"cache-{self.hook}", "--webhook-listen", f"127.0.0.1:{self.hook}", "--webhook-token", home / "token",
             "--webhook-type", "generic", "--health-listen", f"127.0.0.1:{health}", "--metrics-listen", f"127.0.0.1:{health}",
             "--log-format", "json", *(["--shard", shard] if shard else [])],
            stdout=log, stderr=log)


def changed(repository, server, call, i, number, processes, home):
    """How long it takes until a commit that changes one Workspace is in the cluster, from the webhook on."""
    file = repository.work / f"ws-{i}.yaml"
    mode = "interactivity" if number % 2 else "throughput"
    name = f"  name: ws-{i}\n"
    # It may have been changed before.
    lines = [line for line in file.read_text().splitlines(keepends=True) if "kaito.sh/performance-mode" not in line]
    file.write_text("".join(lines).replace(name, f"{name}  annotations: {{kaito.sh/performance-mode: {mode}}}\n", 1))
    repository.commit(f"change {number}")
    repository.push()
    path = f"/apis/apps/v1/namespaces/{run.NAMESPACE}/statefulsets/ws-{i}"
    generation = json.loads(server.ask(path))["metadata"]["generation"]
    began = time.perf_counter()
    call()
    wait(processes, lambda: json.loads(server.ask(path))["metadata"]["generation"] > generation, home, 0.002)
    return time.perf_counter() - began


def untouched(repository, server, call, number, processes, home):
    """How long a commit takes that changes nothing of the set, and what the server is asked for it."""
    (repository.work / "README.md").write_text(f"{number}\n")
    repository.commit(f"other {number}")
    repository.push()
    head = subprocess.run(["git", "-C", repository.work, "rev-parse", "HEAD"], check=True, stdout=subprocess.PIPE, text=True).stdout.strip()
    before = server.requests()
    began = time.perf_counter()
    call()
    secret, asked = f"/api/v1/namespaces/{run.NAMESPACE}/secrets/bench", Asked(server)
    wait(processes, lambda: head in asked.ask(secret), home, 0.002)
    took = time.perf_counter() - began
    time.sleep(1)
    return took, requests_since(before, server) - asked.times


def deleted(server, i, processes, home):
    """How long it takes until a StatefulSet that was deleted is back."""
    path = f"/apis/apps/v1/namespaces/{run.NAMESPACE}/statefulsets/ws-{i}"
    uid = json.loads(server.ask(path))["metadata"]["uid"]
    began = time.perf_counter()
    server.ask(path, method="DELETE")
    wait(processes, lambda: uid not in (server.get(path) or uid), home, 0.002)
    return time.perf_counter() - began


def wait(processes, is_so, home, pause=0.05):
    end = time.monotonic() + 1800
    while not is_so():
        if any(process.poll() is not None for process in processes) or time.monotonic() > end:
            sys.exit(f"kaito watch doesn't get there:\n{(home / 'log').read_text()[-3000:]}")
        time.sleep(pause)


def sets(server):
    return len(json.loads(server.ask(f"/apis/apps/v1/namespaces/{run.NAMESPACE}/statefulsets"))["items"])


def get(url):
    try:
        with urllib.request.urlopen(url) as answer:
            return answer.read()
    except OSError:
        return None


def push_event(port, url):
    body = json.dumps({"ref": "refs/heads/main", "repository": {"clone_url": url}}).encode()
    headers = {"Content-Type": "application/json", "Authorization": f"Bearer {TOKEN}"}
    urllib.request.urlopen(urllib.request.Request(f"http://127.0.0.1:{port}/hook/kaito", body, headers)).read()


def memory(pid):
    fields = dict(line.split(":", 1) for line in Path(f"/proc/{pid}/status").read_text().splitlines())
    return [int(fields[name].split()[0]) / 1024 for name in ("VmRSS", "VmHWM")]


def cpu(pid):
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def row(count, measured):
    (first, requests), applied, other, back, (rest, peak), busy = measured
    cells = [f"{first:.1f}", str(requests), run.spread(applied, 1, 3), run.spread([took for took, _ in other], 1, 3), str(max(asked for _, asked in other)),
             run.spread(back, 1, 3), f"{rest:.0f} ({peak:.0f})", f"{busy:.2%}"]
    return f"| {count} | {' | '.join(cells)} |"


if __name__ == "__main__":
    main()

#!/usr/bin/env python3
"""A day of kaito watch in half an hour: commits, drift, and whatever may break. See README.md."""

import argparse
import http.client
import json
import math
import os
import random
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

import run
from live import furnish
from server import Server, free_ports
from watch import TOKEN, Repository, memory, push_event

SET = f"/api/v1/namespaces/{run.NAMESPACE}/secrets/soak"
PATIENCE = 240
SAMPLE = 5
KINDS = [("/api/v1", "services"), ("/apis/apps/v1", "statefulsets"), ("/apis/kaito.sh/v1beta1", "workspaces")]

# What may have grown from the second quarter of the time that a process leads to the last one: MiB, threads, open files.
MAY_GROW = (4, 2, 4)
# How long a process must have led to be judged by that, in seconds.
LIFE = 120


def main():
    parser = argparse.ArgumentParser(description="Let kaito watch live through a day of trouble, and see what is left of it.")
    parser.add_argument("--minutes", type=run.positive, default=30, metavar="N", help="how long (default: 30)")
    parser.add_argument("--count", type=run.positive, default=50, metavar="N", help="number of Workspaces in the beginning (default: 50)")
    parser.add_argument("--storms", type=int, default=20, metavar="N", help="how often something breaks (default: 20)")
    parser.add_argument("--seed", type=int, default=1, metavar="N", help="what happens when (default: 1)")
    options = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    kaito, kubectl = run.find_kaito(), run.find_packed("kubectl")
    with Server() as server, tempfile.TemporaryDirectory() as home:
        furnish(server, kubectl)
        subprocess.run(f"{kaito} crd | {kubectl} apply --server-side -f - >/dev/null", shell=True, check=True)
        soak = Soak(options, kaito, server, Path(home))
        try:
            soak.live()
            faults = soak.judge()
        finally:
            soak.end()
    print("\n".join(faults) or "nothing is wrong")
    sys.exit(1 if faults else 0)


class Soak:
    def __init__(self, options, kaito, server, home):
        self.options, self.kaito, self.server, self.home = options, kaito, server, home
        self.random = random.Random(options.seed)
        self.repository = Repository(options.count, home)
        self.work = self.repository.work
        self.names = [f"ws-{i}" for i in range(options.count)]
        self.texts = {name: (self.work / f"{name}.yaml").read_text() for name in self.names}
        self.replicas, self.samples, self.took, self.done, self.lost = {}, {}, [], {}, []
        self.number = 0
        self.ended = threading.Event()
        (home / "token").write_text(TOKEN)
        self.start()
        self.start()
        threading.Thread(target=self.sample, daemon=True).start()

    # Two replicas, of which one leads.

    def start(self):
        self.number += 1
        hook = free_ports()[0]
        log = open(self.home / f"log-{self.number}", "wb")
        process = subprocess.Popen(
            [self.kaito, "watch", "--url", self.repository.url, "--branch", "main", "-n", run.NAMESPACE, "--applyset", "soak",
             "--interval", "10s", "--leader-elect", "--lease", "soak", "--cache-dir", self.home / f"cache-{self.number}",
             "--webhook-listen", f"127.0.0.1:{hook}", "--webhook-token", self.home / "token", "--webhook-type", "generic"],
            stdout=log, stderr=log)
        self.replicas[process.pid] = (process, hook, self.number)

    def leader(self):
        holder = json.loads(self.server.ask(f"/apis/coordination.k8s.io/v1/namespaces/{run.NAMESPACE}/leases/soak"))["spec"]["holderIdentity"]
        return self.replicas.get(int(holder.rpartition("_")[2] or 0), (None,))[0]

    def replace(self, how):
        """Ends the leader, and starts another process, as a Deployment does."""
        leader = self.leader()
        if leader:
            leader.send_signal(how)
            leader.wait()
        self.keep_two()

    def keep_two(self):
        """Starts those again that have ended, as they do when another one may lead."""
        for pid, (process, *_) in list(self.replicas.items()):
            if process.poll() is not None:
                del self.replicas[pid]
        while len(self.replicas) < 2:
            self.start()

    def sample(self):
        """Notes what each process takes while it leads, until the end."""
        while not self.ended.wait(SAMPLE):
            for pid, (_, _, number) in list(self.replicas.items()):
                if b"this process leads" not in (self.home / f"log-{number}").read_bytes():
                    continue
                try:
                    self.samples.setdefault(pid, []).append((memory(pid)[0], len(os.listdir(f"/proc/{pid}/task")), open_files(pid)))
                except (OSError, KeyError):
                    continue

    # What happens.

    def live(self):
        self.wait_for(self.head(), "the first sync", 600)
        end = time.monotonic() + self.options.minutes * 60
        calm = [self.change, self.change, self.change, self.many_changes, self.come, self.go, self.rewrite, self.break_file, self.delete_object,
                self.edit_object, self.delete_node]
        rough = [self.kill_server, self.stop_server, self.stop_etcd, self.kill_etcd, self.lose_repository, self.kill_leader, self.end_leader]
        # Each once, in an order that nobody has chosen, again and again; the processes that are measured must live for long.
        storms = []
        between = max(self.options.minutes * 60 / self.options.storms, 20) if self.options.storms else math.inf
        next_storm = time.monotonic() + between
        while time.monotonic() < end:
            if time.monotonic() > next_storm:
                storms = storms or self.random.sample(rough, len(rough))
                self.happen(storms.pop())
                next_storm = time.monotonic() + between
            self.happen(self.random.choice(calm))
            time.sleep(self.random.random())
        self.keep_two()
        self.change()

    def happen(self, what):
        run.progress(f"{what.__name__} {sum(self.done.values())}")
        self.done[what.__name__] = self.done.get(what.__name__, 0) + 1
        what()
        self.keep_two()

    def head(self):
        return subprocess.run(["git", "-C", self.work, "rev-parse", "HEAD"], check=True, stdout=subprocess.PIPE, text=True).stdout.strip()

    def write(self, name):
        """A Workspace with another annotation, so that it is rendered otherwise."""
        mode = "interactivity" if self.random.random() < 0.5 else "throughput"
        line = f"  name: {name}\n"
        before, _, after = self.texts[name].partition(line)
        stamp = f"  annotations: {{kaito.sh/performance-mode: {mode}, example.com/stamp: \"{self.random.random()}\"}}\n"
        (self.work / f"{name}.yaml").write_text(before + line + stamp + after)

    def push(self, *flags):
        self.repository.git("push", "-q", *flags, self.repository.bare, "main")
        self.tell()

    def tell(self):
        for process, hook, _ in list(self.replicas.values()):
            try:
                push_event(hook, self.repository.url)
            except OSError:
                # It begins just now, or has ended.
                continue

    def commit(self, what, *flags):
        self.repository.commit(what)
        began = time.monotonic()
        self.push(*flags)
        self.wait_for(self.head(), what)
        self.took.append(time.monotonic() - began)

    def change(self):
        self.write(self.random.choice(self.names))
        self.commit("change")

    def many_changes(self):
        """Commits that follow each other closely; the last one counts."""
        for _ in range(self.random.randrange(2, 8)):
            self.write(self.random.choice(self.names))
            self.repository.commit("one of many")
            self.push()
        self.change()

    def come(self):
        name = f"ws-{len(self.texts)}"
        self.texts[name] = self.texts["ws-0"].replace("ws-0", name).replace("cfg-0", f"cfg-{len(self.texts)}")
        self.names.append(name)
        self.write(name)
        self.commit("come")

    def go(self):
        if len(self.names) > self.options.count // 2:
            name = self.names.pop(self.random.randrange(1, len(self.names)))
            (self.work / f"{name}.yaml").unlink()
            self.commit("go")

    def rewrite(self):
        """A commit that takes the place of the last one."""
        self.write(self.random.choice(self.names))
        self.repository.git("add", "-A")
        self.repository.git("commit", "-q", "--amend", "-m", "rewritten")
        began = time.monotonic()
        self.push("-f")
        self.wait_for(self.head(), "rewrite")
        self.took.append(time.monotonic() - began)

    def break_file(self):
        """A commit with a model that there isn't; then one that mends it."""
        path = self.work / f"{self.random.choice(self.names)}.yaml"
        whole = path.read_text()
        path.write_text(whole.replace("phi-4-mini-instruct", "no-such-model"))
        self.repository.commit("break")
        self.push()
        self.wait_for(self.head(), "break", annotation="kaito.sh/last-attempted-revision")
        path.write_text(whole)
        # Another one is changed, too: what is as before the last good revision would be no change at all.
        self.change()

    def delete_object(self):
        name = self.random.choice(self.names)
        path = f"/apis/apps/v1/namespaces/{run.NAMESPACE}/statefulsets/{name}"
        self.deleted(path, lambda: self.server.ask(path, method="DELETE"))

    def delete_node(self):
        claims = json.loads(self.server.ask("/apis/karpenter.sh/v1/nodeclaims"))["items"]
        path = f"/apis/karpenter.sh/v1/nodeclaims/{self.random.choice(claims)['metadata']['name']}"
        self.deleted(path, lambda: self.server.ask(path, method="DELETE"))

    def deleted(self, path, delete):
        uid = json.loads(self.server.ask(path))["metadata"]["uid"]
        delete()
        self.wait(f"{path} is back", lambda: uid not in (self.server.get(path) or uid))

    def edit_object(self):
        path = f"/apis/apps/v1/namespaces/{run.NAMESPACE}/statefulsets/{self.random.choice(self.names)}"
        body = json.dumps({"spec": {"replicas": 3}}).encode()
        self.server.ask(f"{path}?fieldManager=kubectl-scale", "PATCH", body, "application/merge-patch+json")
        self.wait(f"{path} is put right", lambda: json.loads(self.server.get(path) or "{}").get("spec", {}).get("replicas") == 1)

    def kill_server(self):
        self.while_away(lambda: self.server.restart("kube-apiserver"))

    def kill_etcd(self):
        self.while_away(lambda: self.server.restart("etcd"))

    def stop_server(self):
        self.while_away(lambda: self.stopped("kube-apiserver", self.random.choice([2, 6, 35])))

    def stop_etcd(self):
        self.while_away(lambda: self.stopped("etcd", self.random.choice([2, 6, 35])))

    def stopped(self, name, seconds):
        process = self.server.named(name)
        process.send_signal(signal.SIGSTOP)
        time.sleep(seconds)
        process.send_signal(signal.SIGCONT)
        self.wait("the server is ready", self.server.ready)

    def while_away(self, away):
        """A commit arrives while something is away."""
        self.write(self.random.choice(self.names))
        self.repository.commit("while away")
        self.push()
        away()
        self.keep_two()
        self.wait_for(self.head(), "while away")

    def lose_repository(self):
        """It can't be read for some seconds."""
        hidden = self.repository.bare.with_suffix(".hidden")
        self.repository.bare.rename(hidden)
        self.tell()
        time.sleep(self.random.choice([2, 8]))
        hidden.rename(self.repository.bare)
        self.change()

    def kill_leader(self):
        self.while_away(lambda: self.replace(signal.SIGKILL))

    def end_leader(self):
        self.while_away(lambda: self.replace(signal.SIGTERM))

    # What is waited for.

    def wait_for(self, commit, what, patience=PATIENCE, annotation="kaito.sh/revision"):
        """Waits until the set has a revision, and its history, too."""
        def is_there():
            notes = json.loads(self.server.get(SET) or "{}").get("metadata", {}).get("annotations", {})
            history = json.loads(notes.get("kaito.sh/history", "[]"))
            return notes.get(annotation) == f"main@sha1:{commit}" and history and history[0]["revision"] == f"main@sha1:{commit}"

        self.wait(f"{commit[:7]} ({what}) is in {annotation}", is_there, patience)

    def wait(self, what, is_so, patience=PATIENCE):
        end = time.monotonic() + patience
        while not self.tried(is_so):
            self.keep_two()
            if time.monotonic() > end:
                logs = [(self.home / f"log-{number}").read_text()[-3000:] for _, _, number in self.replicas.values()]
                sys.exit(f"it doesn't come that {what}:\n" + "\n---\n".join(logs))
            time.sleep(0.02)

    def tried(self, is_so):
        try:
            return is_so()
        except (OSError, http.client.HTTPException, ValueError):
            return False

    # What is left of it.

    def judge(self):
        run.progress("what is left")
        time.sleep(10)
        self.ended.set()
        took = sorted(self.took)
        print(f"{os.cpu_count()} CPUs, {self.options.minutes} minutes, seed {self.options.seed}, {len(self.names)} Workspaces in the end\n")
        print(", ".join(f"{count} x {name}" for name, count in sorted(self.done.items())))
        print(f"\n{len(took)} commits waited for; from push to applied: median {statistics.median(took):.2f} s, "
              f"99th percentile {took[int(len(took) * 0.99)]:.2f} s, longest {took[-1]:.2f} s\n")
        return self.growth() + self.differences()

    def growth(self):
        """Prints what each process took, and tells which grows."""
        faults = []
        print("| process | led for, s | memory, MiB: second quarter, last quarter, per hour | threads | open files |")
        print("|--:|--:|--:|--:|--:|")
        for pid, samples in self.samples.items():
            if len(samples) * SAMPLE < LIFE:
                continue
            quarter = len(samples) // 4
            early, late = (list(zip(*part)) for part in (samples[quarter:2 * quarter], samples[-quarter:]))
            before, after = ([statistics.median(values) for values in part] for part in (early, late))
            slope = statistics.linear_regression(range(len(samples) - quarter), [rss for rss, *_ in samples[quarter:]]).slope * 3600 / SAMPLE
            print(f"| {pid} | {len(samples) * SAMPLE} | {before[0]:.1f}, {after[0]:.1f}, {slope:+.1f} | {before[1]:.0f}, {after[1]:.0f} "
                  f"| {before[2]:.0f}, {after[2]:.0f} |")
            faults += [f"process {pid} grows: {was} became {now} {what}" for was, now, may, what in
                       zip(before, after, MAY_GROW, ("MiB", "threads", "open files")) if now > was + may]
        print()
        return faults

    def differences(self):
        """What is other in the cluster than in the last commit."""
        faults = []
        live = subprocess.run([self.kaito, "diff", "--live", "--ask-all", "-n", run.NAMESPACE, "-R", "-f", self.work, "-o", "unified"],
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        if live.returncode:
            faults.append(f"the cluster is not as the last commit says:\n{live.stdout[-3000:]}")
        for group, plural in KINDS:
            items = json.loads(self.server.ask(f"{group}/namespaces/{run.NAMESPACE}/{plural}"))["items"]
            names = {item["metadata"]["name"] for item in items}
            want = {end for name in self.names for end in ([name, f"{name}-headless"] if plural == "services" else [name])}
            faults += [f"{plural}: {sorted(names ^ want)} are there or not, and should not be or be"] if names != want else []
            if plural == "workspaces":
                faults += [f"{item['metadata']['name']} says of itself: {item.get('status')}" for item in items if not is_true(item)]
        claims = json.loads(self.server.ask("/apis/karpenter.sh/v1/nodeclaims"))["items"]
        owners = sorted(claim["metadata"]["labels"]["kaito.sh/workspace"] for claim in claims)
        return faults + ([f"NodeClaims of {owners}, and Workspaces {sorted(self.names)}"] if owners != sorted(self.names) else [])

    def end(self):
        self.ended.set()
        for process, *_ in self.replicas.values():
            process.kill()
            process.wait()
        self.repository.server.shutdown()
        if os.environ.get("KEEP_LOG"):
            for log in self.home.glob("log-*"):
                shutil.copy(log, os.environ["KEEP_LOG"])


def open_files(pid):
    """The files that a process has open, but git's packs: a fetch brings one, and after a hundred they become one again."""
    files = (os.readlink(entry) for entry in Path(f"/proc/{pid}/fd").iterdir())
    return sum(not file.endswith(".pack") for file in files)


def is_true(workspace):
    """Whether a status is of now and says what is: nothing is wrong, and without controllers nothing runs yet."""
    conditions = {condition["type"]: condition for condition in workspace.get("status", {}).get("conditions", [])}
    ready = conditions.get("Ready", {})
    is_of_now = ready.get("observedGeneration") == workspace["metadata"]["generation"]
    return is_of_now and ready["status"] == "False" and conditions.get("Reconciling", {}).get("status") == "True" and "Stalled" not in conditions


if __name__ == "__main__":
    main()

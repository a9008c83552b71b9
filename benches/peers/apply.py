#!/usr/bin/env python3
"""A first apply to a cluster, and a second one that has nothing to do: kaito apply beside its peers. See README.md."""

import argparse
import json
import os
import signal
import sys
from contextlib import contextmanager
from pathlib import Path

import run
from live import furnish
from server import Server

BARE = run.HERE / "bare"
SET = "bench"
# kubectl sends one object after the other, which takes its time.
MOST_FOR_KUBECTL = 100
KINDS = ["/apis/karpenter.sh/v1/nodeclaims"] + [
    f"{group}/namespaces/{run.NAMESPACE}/{plural}" for group, plural in
    [("/api/v1", "services"), ("/api/v1", "configmaps"), ("/api/v1", "secrets"), ("/apis/apps/v1", "statefulsets")]
]
SERVERS_OWN = {"uid", "resourceVersion", "creationTimestamp", "time", "clusterIP", "clusterIPs"}


def main():
    parser = argparse.ArgumentParser(description="Time kaito apply, a client that does nothing but apply, and kubectl apply.")
    parser.add_argument("--rounds", type=run.positive, default=3, metavar="N", help="how often each is timed (default: 3)")
    parser.add_argument("--counts", type=run.positives, default=[100, 1000], metavar="N,...", help="numbers of Workspaces (default: 100,1000)")
    parser.add_argument("--concurrency", type=run.positives, default=[16], metavar="N,...",
                        help="how many objects at a time, by kaito and by the bare client (default: 16)")
    parser.add_argument("--http2", action="store_true", help="let the bare client speak HTTP/2, over one connection")
    options = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    kaito, kubectl, bare = run.find_kaito(), run.find_packed("kubectl"), build_bare()
    print(f"{os.cpu_count()} CPUs, rounds: {options.rounds}\n")
    print("| Workspaces |  | apply | wall, s | CPU, s | peak memory, MiB | requests |\n|--:|---|---|--:|--:|--:|--:|")
    for count in options.counts:
        for row in rows(count, race(count, kaito, kubectl, bare, options)):
            print(row, flush=True)


def build_bare():
    run.progress("building the bare client")
    built = run.CACHE / "bare"
    built.parent.mkdir(parents=True, exist_ok=True)
    run.output(run.program("go", "install it"), "build", "-C", str(BARE), "-o", str(built), ".")
    return str(built)


def race(count, kaito, kubectl, bare, options):
    """What each has needed for the first and for the second apply, each time in a cluster of its own; all must leave the same."""
    ours = [kaito, "apply", "-f", run.prepare_kaito(count, kaito)[-1], "-n", run.NAMESPACE, "--applyset", SET, "--prune", "-o", "name"]
    text = wanted(ours, kubectl)
    objects = run.work_file(count, "objects.json", [text])
    commands = {}
    for number in options.concurrency:
        commands[f"kaito apply, {number} at a time"] = [*ours, f"--concurrency={number}"]
        commands[f"bare client, {number} at a time"] = [bare, f"--concurrency={number}", f"--http2={options.http2}", objects]
    if count <= MOST_FOR_KUBECTL:
        commands["kubectl apply --server-side"] = [kubectl, "apply", "--server-side", "--field-manager=kaito", "-o", "name", "-f", objects]
    runs, expected, amount = {name: ([], []) for name in commands}, None, len(json.loads(text)["items"])
    for number in range(options.rounds):
        for name, command in commands.items():
            run.progress(f"{count}: round {number + 1}, {name}")
            with cluster(kubectl) as server:
                left = apply(server, command, runs[name], name)
            if len(left) != amount:
                sys.exit(f"{name} has left {len(left)} objects and not {amount}, so its time would say nothing")
            expected = expected or left
            run.check_same(expected, left, name)
    run.progress("")
    return runs


def wanted(command, kubectl):
    """The objects as kaito applies them, in that order. It is checked that they are those of `kaito render`, apart from the set's mark."""
    with cluster(kubectl):
        text = run.output(*command[:-1], "json", "--dry-run=client")
    rendered = run.output(command[0], "render", *command[2:6], "-o", "json")
    objects, plain = (json.loads(each)["items"] for each in (text, rendered))
    for item in objects:
        for marks in ("labels", "annotations"):
            item["metadata"].get(marks, {}).pop("applyset.kubernetes.io/part-of", None)
            item["metadata"] = {key: value for key, value in item["metadata"].items() if key != marks or value}
    run.check_same(run.index(plain), run.index(objects), "what kaito applies")
    return text


@contextmanager
def cluster(kubectl):
    """A new one, which is empty."""
    with Server() as server:
        furnish(server, kubectl)
        yield server


def apply(server, command, measured, name):
    """Applies for the first time and again, and gives back what is there then."""
    for measurements in measured:
        objects, before = items(server), server.requests()
        measurement = run.measure(command)
        asked = server.requests()
        # Others are the server's own, such as for the addresses that it gives to Services.
        count = sum(asked[key] - before.get(key, 0) for key in asked if any(path.endswith(f"/{key[1]}") for path in KINDS))
        measurements.append(measurement | {"requests": count})
    # Nothing was to be done the second time: not even a `resourceVersion` is another one.
    if items(server) != objects:
        sys.exit(f"{name}: the second apply has changed something")
    return run.index(comparable(item) for item in objects if item["kind"] != "Secret")


def items(server):
    """What is there of the kinds that are applied."""
    found = []
    for path in KINDS:
        answer = json.loads(server.ask(path))
        kind = answer["kind"].removesuffix("List")
        found += [{"apiVersion": answer["apiVersion"], "kind": kind, **item} for item in answer["items"]]
    return found


def comparable(value):
    """An object without what the server gives another value each time."""
    if isinstance(value, dict):
        return {key: comparable(each) for key, each in value.items() if key not in SERVERS_OWN}
    if isinstance(value, list):
        return [comparable(each) for each in value]
    return value


def rows(count, runs):
    for name, both in runs.items():
        for which, measured in zip(("first", "second"), both):
            yield f"| {count} | {name} | {which} | {' | '.join(run.cells(measured))} | {measured[-1]['requests']} |"
    [ours, *others] = runs
    first, second = runs[ours]
    for name in others:
        yield ratios(f"| {count} | **{name} / {ours}** | first", runs[name][0], first)
        yield ratios(f"| {count} | **{name} / {ours}** | second", runs[name][1], second)
    yield ratios(f"| {count} | **{ours}** | **first / second**", first, second)


def ratios(title, one, other):
    """Of the wall time round by round, since what else the machine does changes from one to the next; of the rest, of the medians."""
    wall = run.spread([its["wall"] / our["wall"] for its, our in zip(one, other)], 1, 2)
    _, cpu, memory = run.ratios(one, other)
    return f"{title} | **{wall}** | **{cpu:.1f}** | **{memory:.1f}** | **{one[-1]['requests'] / other[-1]['requests']:.1f}** |"


if __name__ == "__main__":
    main()

#!/usr/bin/env python3
"""What applying would change in a cluster, where nothing would: kaito diff --live beside kubectl diff. See README.md."""

import argparse
import json
import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import run
from server import Server, until

# The CRD of the NodeClaims.
KARPENTER = "sigs.k8s.io/karpenter@v1.10.0"
NODE_CLAIMS = "pkg/apis/crds/karpenter.sh_nodeclaims.yaml"
NAMES = {"kaito": "`kaito diff --live`", "kubectl": "`kubectl diff --server-side --concurrency=16`"}


def main():
    parser = argparse.ArgumentParser(description="Time kaito diff --live and kubectl diff on a cluster in which nothing would change.")
    parser.add_argument("--rounds", type=run.positive, default=3, metavar="N", help="how often each is timed (default: 3)")
    parser.add_argument("--count", type=run.positive, default=1000, metavar="N", help="number of Workspaces (default: 1000)")
    options = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    kaito, kubectl = run.find_kaito(), run.find_packed("kubectl")
    with Server() as server:
        run.progress(f"{options.count}: applying")
        files = prepare(options.count, kaito, kubectl, server)
        commands = {name: [*command, "-f", files["same"][name]] for name, command in diffs(kaito, kubectl).items()}
        run.progress(f"{options.count}: comparing")
        check(kaito, kubectl, files["changed"])
        run.progress(f"{options.count}: timing")
        runs, asked = {name: [] for name in commands}, {}
        for _ in range(options.rounds):
            for name, command in commands.items():
                before = server.requests()
                runs[name].append(run.measure(command))
                asked[name] = {key: count - before.get(key, 0) for key, count in server.requests().items() if count > before.get(key, 0)}
    run.progress("")
    objects = files["objects"]
    print(f"{options.count} Workspaces, {objects} objects, nothing different; {os.cpu_count()} CPUs, rounds: {options.rounds}\n")
    print("|  | wall, s | CPU, s | peak memory, MiB | requests |\n|---|--:|--:|--:|--:|")
    requests = {name: sum(counts.values()) for name, counts in asked.items()}
    for name, measured in runs.items():
        print(f"| {NAMES[name]} | {' | '.join(run.cells(measured))} | {requests[name]} |")
    ratios = [*run.ratios(runs["kubectl"], runs["kaito"]), requests["kubectl"] / requests["kaito"]]
    print(f"| **kubectl / kaito** | {' | '.join(f'**{ratio:.1f}**' for ratio in ratios)} |\n")
    for name, counts in asked.items():
        print(f"{name}: {', '.join(f'{verb} {resource} {count}' for (verb, resource), count in sorted(counts.items()))}")


def furnish(server, kubectl):
    """Makes a new server the one that programs ask, with the namespace and the kind of NodeClaims."""
    os.environ["KUBECONFIG"] = str(server.kubeconfig)
    crd = json.loads(run.output("go", "mod", "download", "-json", KARPENTER))["Dir"]
    run.output(kubectl, "apply", "--server-side", "-f", str(Path(crd) / NODE_CLAIMS))
    until(lambda: server.get("/apis/karpenter.sh/v1/nodeclaims"))
    run.output(kubectl, "create", "namespace", run.NAMESPACE)


def prepare(count, kaito, kubectl, server):
    """Applies everything; the files with what is there, and with one Workspace that is different, for each program."""
    furnish(server, kubectl)
    same = run.prepare_kaito(count, kaito)[-1]
    # A StatefulSet and a ConfigMap: of what can't be changed, such as a NodeClaim, kubectl says nothing but that.
    name = f"  name: ws-{count // 2}\n"
    before, _, after = Path(same).read_text().partition(name)
    after = after.replace("max-model-len: 16384", "max-model-len: 8192", 1)
    changed = [before, name, "  annotations: {kaito.sh/performance-mode: throughput}\n", after]
    files = {"same": {"kaito": same}, "changed": {"kaito": run.work_file(count, "changed.yaml", changed)}}
    for side in files.values():
        rendered = run.output(kaito, "render", "-f", side["kaito"])
        side["kubectl"] = run.work_file(count, f"rendered-{Path(side['kaito']).name}", [rendered])
    run.output(kubectl, "apply", "--server-side", "--field-manager=kaito", "-f", files["same"]["kubectl"])
    files["objects"] = len(json.loads(run.output(kaito, "render", "-f", same, "-o", "json"))["items"])
    return files


def diffs(kaito, kubectl):
    return {
        "kaito": [kaito, "diff", "--live"],
        "kubectl": [kubectl, "diff", "--server-side", "--field-manager=kaito", "--concurrency=16"],
    }


def check(kaito, kubectl, files):
    """Makes sure that both find the same objects different where one Workspace is changed."""
    # Both hand the same two directories to the same program.
    environment = os.environ | {"KUBECTL_EXTERNAL_DIFF": "diff -r -q"}
    found = {}
    for name, command in diffs(kaito, kubectl).items():
        done = subprocess.run([*command, "-f", files[name]], env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        if done.returncode != 1:
            sys.exit(f"{name} diff ended with {done.returncode}:\n{done.stdout[:2000]}{done.stderr[:2000]}")
        found[name] = sorted(re.findall(r"^Files \S*/LIVE-[^/]+/(\S+) and ", done.stdout, re.MULTILINE))
    if found["kaito"] != found["kubectl"] or not found["kaito"]:
        sys.exit(f"The answers differ, so their times would say nothing:\n{json.dumps(found, indent=2)}")


if __name__ == "__main__":
    main()

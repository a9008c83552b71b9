#!/usr/bin/env python3
"""Compares what kaito renders with the recorded objects of Kaito's own controllers: parity.py SHARED KAITO

Six things are known to differ:
  * Children of sets have random names in the recordings; kaito numbers them. The recordings are renamed.
  * The shell scripts are kaito's own. The recorded ones are put in their place as templates of one's own (--templates), so that
    everything around them, and the values in them, are still compared.
  * The default configurations of tuning have comments in the recordings, and the marks of the tool that made them. Both are
    taken out: kaito itself reads the recorded text and writes it anew.
  * Kaito 0.3 names the leader of several nodes by the address that a Service got; kaito by the Service's name.
  * What Kaito reads from a cluster to stream weights is declared: the storage and the service accounts of the recordings are
    added to the input, and the Job of a mirror gets the name that the API server is left to end.
  * What can't agree is listed in cannot-agree.txt; a case that agrees after all must leave the list.
"""
import collections, glob, json, os, re, shutil, stat, subprocess, sys, tempfile

HERE = os.path.dirname(os.path.abspath(__file__))


# The script of a container, where the recordings hold values in it, and what kaito's templates call them.
SCRIPTS = {
    "puller": ("scripts/pull-image.sh", {r"(IMG_REF=)'[^']*'": "source|shell_quote", r"(VOL_DIR=)'[^']*'": "target|shell_quote"}),
    "data-downloader": ("scripts/fetch-urls.sh", {}),
    "downloader": ("scripts/download-model.sh", {}),
    "sampler": ("scripts/sample-download.sh", {}),
    "pusher": ("scripts/push-image.sh", {
        r"(VOL_DIR=)'[^']*'": "output_dir|shell_quote",
        r"(IMG_REF=)'[^']*'": "output_image|shell_quote",
        r"(ANNOTATIONS_DATA=)'[^']*'": "output_annotations|shell_quote",
        r"(SENTINEL_PATH=)'[^']*'": "(output_dir ~ '/fine_tuning_completed.txt')|shell_quote",
    }),
    "docker-sidecar": ("scripts/push-image.sh", {
        r"(find )\S+": "output_dir",
        r"(docker build -t )\S+": "output_image",
        r"(docker push )\S+": "output_image",
    }),
}


def scripts_of(item):
    """The scripts of an object: the list that holds each as its last item, and its entry in SCRIPTS."""
    for container in containers(item):
        for prefix, script in SCRIPTS.items():
            words = container.get("args") or container.get("command") or [""]
            if container["name"].startswith(prefix) and "\n" in words[-1]:
                yield words, script


def recorded_scripts(corpus):
    """The recorded scripts as templates, with the values as parameters."""
    found = {}
    for path in sorted(glob.glob(f"{corpus}/*/expected.json")):
        for item in json.load(open(path)):
            if "fetch_sas.py" in item.get("data", {}):
                found["scripts/fetch-sas.py"] = as_template(item["data"]["fetch_sas.py"], {})
            for container in containers(item):
                for variable in container.get("env", []):
                    if variable["name"] == "SAMPLER_SCRIPT":
                        found["scripts/sample-download.py"] = as_template(variable["value"], {})
            for words, (name, values) in scripts_of(item):
                found.setdefault(name, as_template(trimmed(words[-1]), values))
    return found


def trimmed(script):
    return script.strip() + "\n"


def as_template(text, values):
    lines = text.splitlines(keepends=True)
    text = "".join(f"{{% raw %}}{line}{{% endraw %}}" if "{{" in line or "{#" in line else line for line in lines)
    for pattern, value in values.items():
        text = re.sub(pattern, lambda match, value=value: f"{match[1]}{{{{ {value} }}}}", text)
    return text


def without_comments(kaito, text):
    """A text of YAML as kaito writes it."""
    whole = f"apiVersion: v1\nkind: Text\nmetadata: {{name: text}}\n{text}"
    written = subprocess.run([kaito, "render", "-f", "-"], input=whole, capture_output=True, text=True, check=True).stdout
    return written[written.index("training_config:"):]


def plain_training_configs(kaito, path):
    """Takes comments and marks out of the recorded default configurations, and space from the ends of scripts."""
    objects = json.load(open(path))
    for item in objects:
        for words, _ in scripts_of(item):
            words[-1] = trimmed(words[-1])
    configs = [item for item in objects if item["kind"] == "ConfigMap" and item["metadata"]["name"].endswith("lora-params-template")]
    for item in configs:
        item["metadata"].pop("annotations", None)
        item["data"]["training_config.yaml"] = without_comments(kaito, item["data"]["training_config.yaml"])
    rewrite(path, objects)


def rewrite(path, objects):
    os.chmod(os.path.dirname(path), 0o755)
    os.chmod(path, 0o644)
    json.dump(objects, open(path, "w"))


def leader_by_name(path):
    """Puts the name of the Service in the place of its address, and the flags where kaito has them."""
    text = open(path).read()
    if "--master_addr=10." not in text:
        return
    objects = json.loads(text)
    for item in objects:
        if item["kind"] == "StatefulSet":
            name, namespace = item["metadata"]["name"], item["metadata"]["namespace"]
            command = item["spec"]["template"]["spec"]["containers"][0]["command"]
            command[2] = re.sub(r"--master_addr=10[.0-9]+", f"--master_addr={name}.{namespace}.svc.cluster.local", command[2])
            command[2] = re.sub(r"(torchrun)((?: --\w+=\S+)*)( --node_rank=\$\(.*?\))", r"\1\3\2", command[2])
    rewrite(path, objects)


def comparable(corpus, copy, kaito):
    """The corpus with the children of sets numbered and without what nobody means."""
    shutil.copytree(corpus, copy)
    for path in glob.glob(f"{copy}/*/expected.json"):
        plain_training_configs(kaito, path)
        leader_by_name(path)
        if not re.search("kind: (InferenceSet|MultiRoleInference)", open(path.replace("expected.json", "input.yaml")).read()):
            continue
        text = open(path).read()
        counts = collections.Counter()
        for name in sorted(item["metadata"]["name"] for item in json.loads(text) if item["kind"] == "StatefulSet"):
            parent = name.rsplit("-", 1)[0]
            text = text.replace(name, f"{parent}-{counts[parent]}")
            counts[parent] += 1
        os.chmod(os.path.dirname(path), 0o755)
        os.chmod(path, 0o644)
        open(path, "w").write(text)


STORAGE = """
---
{apiVersion: storage.k8s.io/v1, kind: StorageClass, metadata: {name: blob-sc}, provisioner: blob.csi.azure.com}
---
{apiVersion: storage.k8s.io/v1, kind: StorageClass, metadata: {name: kaito-bad-sc}, provisioner: disk.csi.azure.com}
---
{apiVersion: v1, kind: ServiceAccount, metadata: {name: default, namespace: NAMESPACE}}
"""
ACCOUNT = """---
{apiVersion: v1, kind: ServiceAccount, metadata: {name: stream-sa, namespace: NAMESPACE, annotations: {azure.workload.identity/client-id: x}}}
"""
VOLUME = """---
apiVersion: v1
kind: PersistentVolume
metadata: {name: pv-CLAIM}
spec:
  claimRef: {namespace: NAMESPACE, name: "CLAIM"}
  csi: {driver: blob.csi.azure.com, volumeHandle: "group#simaccount#pvc-simcontainer#"}
"""


def streaming(unscored, copy):
    """The recordings about streaming, which no case.json describes, as a corpus."""
    for folder in sorted(glob.glob(f"{unscored}/stream-*")):
        name = os.path.basename(folder)
        os.makedirs(f"{copy}/{name}")
        objects = json.load(open(f"{folder}/expected.json"))
        text = open(f"{folder}/input.yaml").read() + STORAGE + (ACCOUNT if name != "stream-nosa" else "")
        for item in objects:
            if item["kind"] == "PersistentVolumeClaim":
                text += VOLUME.replace("CLAIM", item["metadata"]["name"])
            if "generateName" in item["metadata"]:
                item["metadata"]["name"] = item["metadata"]["generateName"].rstrip("-")
            for words, _ in scripts_of(item):
                words[-1] = trimmed(words[-1])
        open(f"{copy}/{name}/input.yaml", "w").write(text.replace("NAMESPACE", name))
        json.dump(objects, open(f"{copy}/{name}/expected.json", "w"))
        gates = re.search("^args: (.*)", open(f"{folder}/notes.txt").read(), re.M)[1].replace("'", '"')
        defaults = ["--default-model-mirror-storage-class", "blob-sc", "--default-streaming-service-account", "stream-sa"]
        case = {"args": json.loads(gates) + defaults, "expect": "objects" if objects else "reject", "why": "it makes nothing"}
        json.dump(case, open(f"{copy}/{name}/case.json", "w"))


def containers(item):
    pod = item.get("spec", {}).get("template", {}).get("spec", {})
    return pod.get("initContainers", []) + pod.get("containers", [])


def wrapper(kaito, folder, scripts):
    """A command that is kaito with the recorded scripts."""
    os.makedirs(f"{folder}/templates/scripts")
    for name, text in scripts.items():
        open(f"{folder}/templates/{name}", "w").write(text)
    path = f"{folder}/kaito"
    open(path, "w").write(f"#!/bin/sh\nexec '{kaito}' \"$@\" --templates '{folder}/templates'\n")
    os.chmod(path, os.stat(path).st_mode | stat.S_IXUSR)
    return path


def main(shared, kaito):
    kaito = os.path.abspath(kaito)
    cannot_agree = {line.strip() for line in open(f"{HERE}/cannot-agree.txt") if line.strip() and not line.startswith("#")}
    wrong = 0
    for corpus in [*sorted(glob.glob(f"{shared}/corpus/0.*")), f"{shared}/corpus/unscored/0.12"]:
        with tempfile.TemporaryDirectory() as folder:
            numbered = f"{folder}/corpus"
            if "/unscored/" in corpus:
                streaming(corpus, numbered)
            else:
                comparable(corpus, numbered, kaito)
            command = wrapper(kaito, folder, recorded_scripts(numbered))
            run = subprocess.run([sys.executable, f"{shared}/tools/parity.py", "--kaito", command, numbered], capture_output=True, text=True)
            cases = {name for name in os.listdir(numbered) if os.path.exists(f"{numbered}/{name}/case.json")}
        failed = {line.split()[1] for line in run.stdout.splitlines() if line.startswith("FAIL ")}
        for name in sorted(failed - cannot_agree):
            print(f"{corpus}/{name} differs:\n{run.stdout.split(f'FAIL {name}' + chr(10))[1].split('FAIL ')[0]}")
        for name in sorted((cannot_agree & cases) - failed):
            print(f"{corpus}/{name} agrees now: take it off .ci/cannot-agree.txt")
        wrong += len(failed - cannot_agree) + len((cannot_agree & cases) - failed)
        print(f"{os.path.relpath(corpus, shared + '/corpus')}: {len(cases - failed)} agree, {len(failed & cannot_agree)} can't")
    print(f"{'no' if not wrong else wrong} surprises")
    sys.exit(1 if wrong else 0)


if __name__ == "__main__":
    main(*sys.argv[1:])

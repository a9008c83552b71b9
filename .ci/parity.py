#!/usr/bin/env python3
"""Compares what kaito renders with the recorded objects of Kaito's own controllers: parity.py SHARED KAITO

Four things are known to differ:
  * Children of sets have random names in the recordings; kaito numbers them. The recordings are renamed.
  * The shell scripts are kaito's own. The recorded ones are put in their place as templates of one's own (--templates), so that
    everything around them, and the values in them, are still compared.
  * The default configurations of tuning have comments in the recordings, and the marks of the tool that made them. Both are
    taken out: kaito itself reads the recorded text and writes it anew.
  * Kinds that kaito does not render yet. They are listed in not-yet.txt; one that is rendered after all must leave the list.
"""
import collections, glob, json, os, re, shutil, stat, subprocess, sys, tempfile

HERE = os.path.dirname(os.path.abspath(__file__))


# Where the recordings hold values, and what kaito's templates call them.
SCRIPTS = {
    "scripts/pull-image.sh": ("puller", {r"(IMG_REF=)'[^']*'": "source", r"(VOL_DIR=)'[^']*'": "target"}),
    "scripts/fetch-urls.sh": ("data-downloader", {}),
    "scripts/push-image.sh": ("pusher", {
        r"(VOL_DIR=)'[^']*'": "output_dir",
        r"(IMG_REF=)'[^']*'": "output_image",
        r"(ANNOTATIONS_DATA=)'[^']*'": "output_annotations",
        r"(SENTINEL_PATH=)'[^']*'": "(output_dir ~ '/fine_tuning_completed.txt')",
    }),
}


def recorded_scripts(corpus):
    """The recorded scripts as templates, with the values as parameters."""
    found = {}
    for path in sorted(glob.glob(f"{corpus}/*/expected.json")):
        for item in json.load(open(path)):
            pod = item.get("spec", {}).get("template", {}).get("spec", {})
            for container in pod.get("initContainers", []) + pod.get("containers", []):
                for name, (prefix, values) in SCRIPTS.items():
                    text = (container.get("args") or container.get("command") or [""])[-1]
                    if name not in found and container["name"].startswith(prefix) and text.startswith("#!"):
                        found[name] = as_template(text, values)
    return found


def as_template(text, values):
    lines = text.splitlines(keepends=True)
    text = "".join(f"{{% raw %}}{line}{{% endraw %}}" if "{{" in line or "{#" in line else line for line in lines)
    for pattern, value in values.items():
        text = re.sub(pattern, lambda match, value=value: f"{match[1]}{{{{ {value}|shell_quote }}}}", text)
    return text


def without_comments(kaito, text):
    """A text of YAML as kaito writes it."""
    whole = f"apiVersion: v1\nkind: Text\nmetadata: {{name: text}}\n{text}"
    written = subprocess.run([kaito, "render", "-f", "-"], input=whole, capture_output=True, text=True, check=True).stdout
    return written[written.index("training_config:"):]


def plain_training_configs(kaito, path):
    """Takes comments and marks out of the recorded default configurations."""
    objects = json.load(open(path))
    configs = [item for item in objects if item["kind"] == "ConfigMap" and item["metadata"]["name"].endswith("lora-params-template")]
    for item in configs:
        item["metadata"].pop("annotations", None)
        item["data"]["training_config.yaml"] = without_comments(kaito, item["data"]["training_config.yaml"])
    if configs:
        os.chmod(os.path.dirname(path), 0o755)
        os.chmod(path, 0o644)
        json.dump(objects, open(path, "w"))


def comparable(corpus, copy, kaito):
    """The corpus with the children of sets numbered and without what nobody means."""
    shutil.copytree(corpus, copy)
    for path in glob.glob(f"{copy}/*/expected.json"):
        plain_training_configs(kaito, path)
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
    not_yet = {line.strip() for line in open(f"{HERE}/not-yet.txt") if line.strip() and not line.startswith("#")}
    wrong = 0
    for corpus in sorted(glob.glob(f"{shared}/corpus/0.12*")):
        with tempfile.TemporaryDirectory() as folder:
            command = wrapper(kaito, folder, recorded_scripts(corpus))
            numbered = f"{folder}/corpus"
            comparable(corpus, numbered, kaito)
            run = subprocess.run([sys.executable, f"{shared}/tools/parity.py", "--kaito", command, numbered], capture_output=True, text=True)
        failed = {line.split()[1] for line in run.stdout.splitlines() if line.startswith("FAIL ")}
        cases = {name for name in os.listdir(corpus) if os.path.exists(f"{corpus}/{name}/case.json")}
        for name in sorted(failed - not_yet):
            print(f"{corpus}/{name} differs:\n{run.stdout.split(f'FAIL {name}' + chr(10))[1].split('FAIL ')[0]}")
        for name in sorted((not_yet & cases) - failed):
            print(f"{corpus}/{name} agrees now: take it off .ci/not-yet.txt")
        wrong += len(failed - not_yet) + len((not_yet & cases) - failed)
        print(f"{os.path.basename(corpus)}: {len(cases - failed)} agree, {len(failed & not_yet)} are not rendered yet")
    print(f"{'no' if not wrong else wrong} surprises")
    sys.exit(1 if wrong else 0)


if __name__ == "__main__":
    main(*sys.argv[1:])

#!/usr/bin/env python3
"""Compares what kaito renders with the recorded objects of Kaito's own controllers: parity.py SHARED KAITO

Three things are known to differ:
  * Children of sets have random names in the recordings; kaito numbers them. The recordings are renamed.
  * The script that pulls an adapter's image is kaito's own. The recorded one is put in its place as a template of one's own
    (--templates), so that everything around it is still compared.
  * Kinds that kaito does not render yet. They are listed in not-yet.txt; one that is rendered after all must leave the list.
"""
import collections, glob, json, os, re, shutil, stat, subprocess, sys, tempfile

HERE = os.path.dirname(os.path.abspath(__file__))


def recorded_script(corpus):
    """The recorded script as a template, with the image and the target as parameters."""
    for path in sorted(glob.glob(f"{corpus}/adapters*/expected.json")):
        for item in json.load(open(path)):
            for container in item.get("spec", {}).get("template", {}).get("spec", {}).get("initContainers", []):
                if container["name"].startswith("puller-"):
                    text = "".join(f"{{% raw %}}{line}{{% endraw %}}" if "{{" in line else line
                                   for line in container["args"][0].splitlines(keepends=True))
                    text = re.sub(r"(IMG_REF=)'[^']*'", r"\1{{ source|shell_quote }}", text)
                    return re.sub(r"(VOL_DIR=)'[^']*'", r"\1{{ target|shell_quote }}", text)
    return None


def copy_with_numbers(corpus, copy):
    """The corpus with the children of sets numbered."""
    shutil.copytree(corpus, copy)
    for path in glob.glob(f"{copy}/*/expected.json"):
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


def wrapper(kaito, folder, script):
    """A command that is kaito with the recorded script."""
    arguments = ""
    if script:
        os.makedirs(f"{folder}/templates/scripts")
        open(f"{folder}/templates/scripts/pull-image.sh", "w").write(script)
        arguments = f" --templates '{folder}/templates'"
    path = f"{folder}/kaito"
    open(path, "w").write(f"#!/bin/sh\nexec '{os.path.abspath(kaito)}' \"$@\"{arguments}\n")
    os.chmod(path, os.stat(path).st_mode | stat.S_IXUSR)
    return path


def main(shared, kaito):
    not_yet = {line.strip() for line in open(f"{HERE}/not-yet.txt") if line.strip() and not line.startswith("#")}
    wrong = 0
    for corpus in sorted(glob.glob(f"{shared}/corpus/0.12*")):
        with tempfile.TemporaryDirectory() as folder:
            command = wrapper(kaito, folder, recorded_script(corpus))
            numbered = f"{folder}/corpus"
            copy_with_numbers(corpus, numbered)
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

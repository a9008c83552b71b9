#!/usr/bin/env python3
"""What is built into kaito for a platform, as an SBOM in the JSON of CycloneDX 1.6.

    scripts/sbom.py --target x86_64-unknown-linux-musl > kaito.cdx.json

The same Cargo.lock gives the same bytes. Needs Cargo and Python 3.11.
"""

import argparse
import json
import os
import subprocess
import tomllib
from datetime import datetime, timezone
from pathlib import Path
from urllib.parse import quote

ROOT = Path(__file__).resolve().parent.parent


def metadata(target):
    command = ["cargo", "metadata", "--locked", "--format-version=1", f"--filter-platform={target}"]
    return json.loads(subprocess.run(command, cwd=ROOT, check=True, stdout=subprocess.PIPE).stdout)


def checksums():
    """The SHA-256 of each package's archive, by name and version."""
    lock = tomllib.loads((ROOT / "Cargo.lock").read_text())
    return {(package["name"], package["version"]): package.get("checksum") for package in lock["package"]}


def is_macro(package):
    return any("proc-macro" in target["kind"] for target in package["targets"])


def reached(nodes, root, kinds, without=()):
    """The packages that are reached from one over dependencies of these kinds."""
    found, open_ = set(), [root]
    while open_:
        package = open_.pop()
        if package not in found and package not in without:
            found.add(package)
            deps = nodes[package]["deps"]
            open_ += [dep["pkg"] for dep in deps if any(kind["kind"] in kinds for kind in dep["dep_kinds"])]
    return found


def purl(package):
    return f"pkg:cargo/{package['name']}@{quote(package['version'])}"


def component(package, hashes, scope):
    # Some still write the SPDX expression as it was before there was one.
    licence = (package["license"] or "NOASSERTION").replace(" / ", " OR ").replace("/", " OR ")
    made = {"type": "library", "bom-ref": purl(package), "name": package["name"], "version": package["version"]}
    made |= {"scope": scope, "licenses": [{"expression": licence}], "purl": purl(package)}
    checksum = hashes.get((package["name"], package["version"]))
    if checksum:
        made["hashes"] = [{"alg": "SHA-256", "content": checksum}]
    if package["repository"]:
        made["externalReferences"] = [{"type": "vcs", "url": package["repository"]}]
    return made


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--target", default="x86_64-unknown-linux-musl", help="the platform, as rustc calls it")
    target = parser.parse_args().target
    known = metadata(target)
    packages = {package["id"]: package for package in known["packages"]}
    nodes = {node["id"]: node for node in known["resolve"]["nodes"]}
    root, hashes = known["resolve"]["root"], checksums()
    macros = {package for package in packages if is_macro(packages[package])}
    # What only builds, or is run by the compiler, is in no program.
    built_in = reached(nodes, root, {None}, without=macros)
    used = reached(nodes, root, {None, "build"})
    scope = {package: "required" if package in built_in else "excluded" for package in used - {root}}
    components = [component(packages[package], hashes, scope[package]) for package in scope]
    depends = lambda package: sorted({purl(packages[dep["pkg"]]) for dep in nodes[package]["deps"] if dep["pkg"] in used
                                      and any(kind["kind"] in (None, "build") for kind in dep["dep_kinds"])})
    dependencies = [{"ref": purl(packages[package]), "dependsOn": depends(package)} for package in used]
    own = component(packages[root], hashes, "required") | {"type": "application"}
    about = {"component": own, "properties": [{"name": "cdx:rustc:sbom:target:triple", "value": target}]}
    if epoch := os.environ.get("SOURCE_DATE_EPOCH"):
        about["timestamp"] = datetime.fromtimestamp(int(epoch), timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")
    print(json.dumps({
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "version": 1,
        "metadata": about,
        "components": sorted(components, key=lambda component: component["bom-ref"]),
        "dependencies": sorted(dependencies, key=lambda dependency: dependency["ref"]),
    }, indent=2))


if __name__ == "__main__":
    main()

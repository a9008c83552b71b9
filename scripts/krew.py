#!/usr/bin/env python3
"""The manifest by which krew installs kaito as a plugin of kubectl, from the checksums of a release.

    scripts/krew.py --tag v0.1.0 --repository acme/kaito --checksums SHA256SUMS > kaito-gitops.yaml

It is called kaito-gitops, since kaito is the plugin of Kaito itself, which is never touched.
"""

import argparse
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
ARCHITECTURES = ["amd64", "arm64"]

MANIFEST = """\
apiVersion: krew.googlecontainertools.github.com/v1alpha2
kind: Plugin
metadata:
  name: kaito-gitops
spec:
  version: {tag}
  homepage: https://github.com/{repository}
  shortDescription: Render, diff and apply Kaito Workspaces
  description: |
    {description}, compares them with
    a cluster or between commits, applies them, and tells how they are doing:

      kubectl kaito-gitops render -f workspace.yaml
      kubectl kaito-gitops diff -R -f clusters/prod --live
      kubectl kaito-gitops status -A
  caveats: |
    For `kubectl kaito render` and other verbs beside the plugin of Kaito itself, now and after each upgrade:

      kubectl kaito-gitops install-plugins "${{KREW_ROOT:-$HOME/.krew}}/bin"
  platforms:
"""

PLATFORM = """\
  - selector:
      matchLabels:
        os: linux
        arch: {arch}
    uri: https://github.com/{repository}/releases/download/{tag}/{archive}
    sha256: {sha256}
    files:
    - from: kaito
      to: .
    - from: LICENSE
      to: .
    bin: kaito
"""


def checksums(path):
    """The SHA-256 of each file, as sha256sum has written them."""
    return {name.lstrip("*"): digest for digest, name in (line.split() for line in path.read_text().splitlines())}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--tag", required=True)
    parser.add_argument("--repository", required=True, help="OWNER/NAME")
    parser.add_argument("--checksums", required=True, type=Path)
    args = parser.parse_args()
    digests = checksums(args.checksums)
    description = tomllib.loads((ROOT / "Cargo.toml").read_text())["package"]["description"]
    text = MANIFEST.format(tag=args.tag, repository=args.repository, description=description)
    for arch in ARCHITECTURES:
        archive = f"kaito-linux-{arch}.tar.gz"
        if archive not in digests:
            parser.error(f"{args.checksums} has no {archive}")
        text += PLATFORM.format(arch=arch, repository=args.repository, tag=args.tag, archive=archive, sha256=digests[archive])
    print(text, end="")


if __name__ == "__main__":
    main()

#!/bin/sh
# Fetches the folder /data of an image into a volume.
#
#   pull-image.sh [IMAGE [TARGET]]
#
# The image is tried without credentials first, then with each file below ~/.docker/config.d.
set -eux

image="${1:-}"
target="${2:-}"
[ -n "$image" ] || image={{ source|shell_quote }}
[ -n "$target" ] || target={{ target|shell_quote }}

work="$(mktemp -d)"
layout="$work/layout"
rootfs="$work/rootfs"
mkdir -p "$rootfs"

fetch() {
  rm -rf "$layout"
  skopeo copy --dest-decompress "$@" "docker://$image" "dir:$layout"
}

fetch_with_credentials() {
  [ -d "$HOME/.docker/config.d" ] || return 1
  # Kubernetes keeps each file of a Secret a second time in a folder ..DATE.
  find -L "$HOME/.docker/config.d" -name '..*' -prune -o -type f -print > "$work/credentials"
  while IFS= read -r file; do
    if fetch --authfile="$file"; then
      return 0
    fi
  done < "$work/credentials"
  return 1
}

fetch || fetch_with_credentials

# A layer is listed as sha256:HEX and lies in a file called HEX.
skopeo inspect --format '{{ "{{range .Layers}}{{println .}}{{end}}" }}' "dir:$layout" > "$work/layers"
while IFS= read -r layer; do
  [ -z "$layer" ] || tar -x -f "$layout/${layer#*:}" -C "$rootfs"
done < "$work/layers"

# The target may be where a volume is mounted, and may hold half of an earlier try.
mkdir -p "$target"
cp -R "$rootfs/data/." "$target"

#!/usr/bin/env bash
# Packs a program with its licence; the same program and SOURCE_DATE_EPOCH give the same bytes.
#
#     scripts/archive.sh PROGRAM ARCHIVE.tar.gz
set -euo pipefail

program=$1 archive=$2
here=$(cd "$(dirname "$0")/.." && pwd)
files=$(mktemp -d)
trap 'rm -rf "$files"' EXIT
install -m 755 "$program" "$files/kaito"
install -m 644 "$here/LICENSE" "$files/LICENSE"
tar --create --directory "$files" --sort=name --owner=0 --group=0 --numeric-owner --mtime="@${SOURCE_DATE_EPOCH:-0}" LICENSE kaito |
  gzip -9n > "$archive"

#!/bin/sh
# Pushes the adapter that a training leaves as an image, when the training is done.
set -eu

results={{ output_dir|shell_quote }}
image={{ output_image|shell_quote }}
annotations={{ output_annotations|shell_quote }}

until [ -e "$results/fine_tuning_completed.txt" ]; do
  sleep 1
done

# One layer with the folder /data, where the puller of adapters looks.
work="$(mktemp -d)"
mkdir "$work/data"
cp -R "$results/adapter_config.json" "$results/adapter_model.safetensors" "$work/data"
cd "$work"
tar -c -f layer.tar data
digest="$(sha256sum layer.tar | cut -d ' ' -f 1)"
gzip -9 layer.tar

printf '{"rootfs":{"diff_ids":["sha256:%s"]}}' "$digest" > config.json
printf '%s' "$annotations" > annotations.json
oras push --annotation-file annotations.json \
  --config config.json:application/vnd.oci.image.config.v1+json \
  --oci-layout layout:latest \
  layer.tar.gz:application/vnd.oci.image.layer.v1.tar+gzip
oras cp --from-oci-layout layout:latest "$image"

# The pod ends when its pause container does.
killall -SIGCHLD pause || true

# Builds an image of the adapter that a training leaves, when the training is done, and pushes it.
results={{ output_dir|shell_quote }}
image={{ output_image|shell_quote }}

dockerd &
until docker info > /dev/null 2>&1; do
  sleep 1
done

while true; do
  marker="$(find "$results" -name fine_tuning_completed.txt | head -n 1)"
  [ -z "$marker" ] || break
  sleep 10
done

# The adapter lies in /data, where the puller of adapters looks.
adapter="$(dirname "$marker")"
work="$(mktemp -d)"
cp -r "$adapter/adapter_config.json" "$adapter/adapter_model.safetensors" "$work"
printf 'FROM busybox:latest\nRUN mkdir -p /data\nADD adapter_config.json adapter_model.safetensors /data/\n' > "$work/Dockerfile"
docker build -t "$image" "$work" && docker push "$image" || exit 1

# So that a restart doesn't push again.
rm -r "$work" "$marker"

#!/bin/sh
# Downloads the model $MODEL_ID into /models, once: a Job that is made again finds its mark and leaves the weights alone.
set -eu

target="/models/$MODEL_ID"
mark="/models/.kaito/$MODEL_ID"

if [ -e "$mark" ] && [ -n "$(ls -A "$target" 2>/dev/null)" ]; then
  echo "$MODEL_ID is there already"
  exit 0
fi

export HF_HUB_DOWNLOAD_TIMEOUT=300
pip install -q huggingface-hub==1.18.0
hf download "$MODEL_ID" --max-workers 4 --exclude 'original/*' --local-dir "$target"

# In a blob container a folder becomes an object without content, and the streamer fails over such.
find "$target" -mindepth 1 -maxdepth 1 -type d -exec rm -rf {} +

# The mark lies outside of what is streamed.
mkdir -p "$(dirname "$mark")"
date -u > "$mark"

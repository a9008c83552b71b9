# Downloads the files that $DATA_URLS names, with spaces between them, into $DATA_VOLUME_PATH. One that fails three times is
# left out, as Kaito 0.3 has it: the training then says what it misses.
for url in $DATA_URLS; do
  file="$DATA_VOLUME_PATH/$(basename "$url" | tr '?=&' '___')"
  tries=0
  until curl -sSL "$url" -o "$file" && [ -s "$file" ]; do
    tries=$((tries + 1))
    if [ "$tries" -ge 3 ]; then
      echo "$url could not be downloaded in $tries tries" >&2
      break
    fi
    sleep 2
  done
done

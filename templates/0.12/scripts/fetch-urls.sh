#!/bin/sh
# Downloads the files that $DATA_URLS names, with spaces between them, into $DATA_VOLUME_PATH.
set -uf

if [ -z "$DATA_URLS" ]; then
  echo "DATA_URLS is empty" >&2
  exit 1
fi

# fetch URL FILE: whether the server said 200 and sent something.
fetch() {
  status="$(curl -sSLg --proto '=http,https' -w '%{http_code}' -o "$2" "$1")" && [ "$status" = 200 ] && [ -f "$2" ] && [ -s "$2" ]
}

for url in $DATA_URLS; do
  path="${url%%[?#]*}"
  file="$DATA_VOLUME_PATH/$(basename "$path")"
  tries=1
  until fetch "$url" "$file"; do
    rm -f "$file"
    if [ "$tries" -ge 3 ]; then
      echo "$url could not be downloaded in $tries tries" >&2
      exit 1
    fi
    tries=$((tries + 1))
    sleep 2
  done
  echo "$url is in $file"
done

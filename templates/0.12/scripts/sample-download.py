"""Tells how far the download of $MODEL_ID is: its speed and the time it still takes, as Prometheus gauges on port 9100."""

import fnmatch
import os
import signal
import sys
import time
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread

PORT = 9100
SECONDS_BETWEEN_SAMPLES = 60

model = os.environ["MODEL_ID"]
folder = Path("/models", model)
exclude = [pattern for pattern in os.environ.get("EXCLUDE_PATTERNS", "").split(",") if pattern]
# Bytes in a second since the start, and seconds to go: 0 when it is done, -1 while that isn't known.
speed, remaining = 0.0, -1


def size():
    """The bytes that are there. Files come and go while the download runs."""
    total = 0
    for parent, _, names in os.walk(folder):
        for name in names:
            try:
                status = os.lstat(os.path.join(parent, name))
            except OSError:
                continue
            total += status.st_size
    return total


def is_done():
    """Whether something is there and no file is half-way."""
    unfinished = folder.joinpath(".cache", "huggingface", "download").rglob("*.incomplete")
    return size() > 0 and next(unfinished, None) is None


def whole_size():
    """The bytes of the model on the hub; 0 if it doesn't say."""
    try:
        from huggingface_hub import HfFileSystem

        files = HfFileSystem(token=os.environ.get("HF_TOKEN") or None).ls(model, detail=True)
    except Exception as error:
        print("the size of", model, "isn't known:", error, file=sys.stderr)
        return 0
    total = 0
    for file in files:
        name = file["name"].removeprefix(model + "/")
        if file["type"] == "file" and not any(fnmatch.fnmatch(name, pattern) for pattern in exclude):
            total += file.get("size") or 0
    return total


class Metrics(BaseHTTPRequestHandler):
    def do_GET(self):
        if self.path != "/metrics":
            return self.send_error(404)
        gauges = (
            ("model_mirror_download_speed_bytes_per_second", "Bytes in a second since the download started", round(speed)),
            ("model_mirror_download_remaining_seconds", "Seconds until the download is done, -1 if unknown", remaining),
        )
        lines = []
        for name, meaning, value in gauges:
            lines += ["# HELP %s %s" % (name, meaning), "# TYPE %s gauge" % name, "%s %d" % (name, value)]
        body = "\n".join(lines + [""]).encode()
        self.send_response(200)
        self.send_header("Content-Type", "text/plain; version=0.0.4")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        """Being asked is nothing to tell of."""


# The first process of a container gets no signal that it doesn't ask for.
signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
Thread(target=HTTPServer(("", PORT), Metrics).serve_forever, daemon=True).start()

# What an earlier try has left is not part of the speed of this one.
before, start = size(), time.monotonic()
whole = whole_size()
while True:
    if is_done():
        speed, remaining = 0.0, 0
    else:
        have, seconds = size(), time.monotonic() - start
        speed = max(0.0, (have - before) / seconds) if seconds > 0 else 0.0
        remaining = int(max(0, whole - have) / speed) if whole and speed else -1
    time.sleep(SECONDS_BETWEEN_SAMPLES)

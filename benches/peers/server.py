"""A real API server on this machine: etcd and kube-apiserver, as the tests of kaito have them."""

import http.client
import json
import os
import platform
import re
import secrets
import shutil
import socket
import ssl
import subprocess
import tempfile
import time
import urllib.request
from pathlib import Path

TOOLS = Path(__file__).resolve().parents[2] / "tests/cluster/tools/go.mod"
CACHE = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "kaito/test-cluster"
PATIENCE = 120


class Server:
    """Runs within a `with` statement; its processes and files are gone afterwards."""

    def __enter__(self):
        self.home = Path(tempfile.mkdtemp(prefix="kaito-bench-cluster-"))
        self.processes = []
        try:
            self.start()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_):
        for process in self.processes:
            process.kill()
            process.wait()
        shutil.rmtree(self.home, ignore_errors=True)

    def start(self):
        folder = programs()
        etcd_port, port = free_ports()
        self.url, self.token = f"https://127.0.0.1:{port}", secrets.token_hex(16)
        (self.home / "tokens.csv").write_text(f"{self.token},admin,admin,system:masters\n")
        etcd = f"http://127.0.0.1:{etcd_port}"
        self.run(folder / "etcd", "--data-dir=etcd", "--unsafe-no-fsync", "--listen-peer-urls=http://127.0.0.1:0",
                 f"--listen-client-urls={etcd}", f"--advertise-client-urls={etcd}")
        key = "certificates/apiserver.key"
        self.run(folder / "kube-apiserver", "--bind-address=127.0.0.1", "--advertise-address=127.0.0.1",
                 "--endpoint-reconciler-type=none", "--cert-dir=certificates", "--token-auth-file=tokens.csv",
                 "--authorization-mode=RBAC", "--service-cluster-ip-range=10.0.0.0/16",
                 "--service-account-issuer=https://kubernetes.default.svc", f"--service-account-signing-key-file={key}",
                 f"--service-account-key-file={key}", f"--etcd-servers={etcd}", f"--secure-port={port}")
        self.certificate = self.home / "certificates/apiserver.crt"
        until(self.ready)
        self.kubeconfig = self.home / "kubeconfig"
        self.kubeconfig.write_text(json.dumps({
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [{"name": "bench", "cluster": {"server": self.url, "certificate-authority": str(self.certificate)}}],
            "users": [{"name": "bench", "user": {"token": self.token}}],
            "contexts": [{"name": "bench", "context": {"cluster": "bench", "user": "bench"}}],
            "current-context": "bench",
        }))

    def run(self, name, *flags):
        log = open(self.home / f"{name.name}.log", "ab")
        self.processes.append(subprocess.Popen([name, *flags], cwd=self.home, stdin=subprocess.DEVNULL, stdout=log, stderr=log))

    def ready(self):
        return self.alive() and self.certificate.exists() and self.get("/readyz") and self.get("/api/v1/namespaces/default")

    def named(self, name):
        """The process of one of the programs, etcd or kube-apiserver."""
        return next(process for process in self.processes if Path(process.args[0]).name == name)

    def restart(self, name):
        """Kills a program, which has no time for anything, and starts it again as it was."""
        process = self.named(name)
        process.kill()
        process.wait()
        self.processes.remove(process)
        self.run(*process.args)
        until(self.ready)

    def alive(self):
        for process in self.processes:
            if process.poll() is not None:
                log = (self.home / f"{Path(process.args[0]).name}.log").read_text()
                raise SystemExit(f"{process.args[0]} has ended:\n{log[-2000:]}")
        return True

    def ask(self, path, method="GET", body=None, form="application/json"):
        """What stands at a path, as text."""
        headers = {"Authorization": f"Bearer {self.token}", "Content-Type": form}
        request = urllib.request.Request(self.url + path, body, headers, method=method)
        context = ssl.create_default_context(cafile=str(self.certificate))
        with urllib.request.urlopen(request, context=context) as answer:
            return answer.read().decode()

    def get(self, path):
        try:
            return self.ask(path)
        except (OSError, http.client.HTTPException):
            return None

    def requests(self):
        """How many requests for objects the server has answered, by what was done to which resource; watches and its leases apart."""
        counts = {}
        for line in self.ask("/metrics").splitlines():
            if line.startswith("apiserver_request_total{"):
                labels = dict(re.findall(r'(\w+)="([^"]*)"', line))
                if labels["verb"] not in ("WATCH", "CONNECT") and labels["resource"] not in ("", "leases"):
                    key = (labels["verb"], labels["resource"])
                    counts[key] = counts.get(key, 0) + int(float(line.rsplit(" ", 1)[1]))
        return counts


def programs():
    """The folder with both programs: KUBEBUILDER_ASSETS, or what the tests have built."""
    given = os.environ.get("KUBEBUILDER_ASSETS")
    versions = "-".join(f"{name}-{version(module)}" for name, module in
                        [("kubernetes", "k8s.io/kubernetes"), ("etcd", "go.etcd.io/etcd/server/v3")])
    folder = Path(given) if given else CACHE / f"{versions}-{platform.system().lower()}-{platform.machine()}"
    if not all((folder / name).is_file() for name in ("etcd", "kube-apiserver")):
        raise SystemExit(f"{folder} has no etcd and kube-apiserver: `cargo test cluster` builds them once, or set KUBEBUILDER_ASSETS")
    return folder


def version(module):
    return re.search(rf"{re.escape(module)} v(\S+)", TOOLS.read_text())[1]


def free_ports():
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(2)]
    ports = [each.getsockname()[1] for each in sockets]
    for each in sockets:
        each.close()
    return ports


def until(is_so):
    end = time.monotonic() + PATIENCE
    while not is_so():
        if time.monotonic() > end:
            raise SystemExit(f"the API server isn't ready after {PATIENCE} s")
        time.sleep(0.1)

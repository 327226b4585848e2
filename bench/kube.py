#!/usr/bin/env python3
"""1,000 pods created by eight connections, listed and watched, in a cluster of its own.

    cargo build --release; bench/kube.py [PODS]

Prints seconds and the lab's memory. A real kube-apiserver 1.32 on etcd 3.5, measured on the same kind of machine,
took 4.2 s for the pods (with fsync, as here), 0.12 to 0.46 s for the list, and 295 MiB of memory idle.
"""

import base64
import http.client
import json
import os
import ssl
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
SKYLAB = Path(os.environ.get("SKYLAB", ROOT / "target/release/skylab"))
PODS = int(sys.argv[1]) if len(sys.argv) > 1 else 1000
CONNECTIONS = 8


class Api:
    """A connection with an API server, by a kubeconfig that has a token."""

    def __init__(self, config):
        cluster, user = config["clusters"][0]["cluster"], config["users"][0]["user"]
        context = ssl.create_default_context(cadata=base64.b64decode(cluster["certificate-authority-data"]).decode())
        self.connection = http.client.HTTPSConnection(cluster["server"].removeprefix("https://"), context=context)
        self.headers = {"Authorization": f"Bearer {user['token']}", "Content-Type": "application/json"}

    def call(self, method, path, body=None):
        self.connection.request(method, path, json.dumps(body) if body else None, self.headers)
        response = self.connection.getresponse()
        data = response.read()
        if response.status >= 300:
            raise SystemExit(f"{method} {path}: {data.decode()}")
        return data

    def lines(self, path):
        self.connection.request("GET", path, None, self.headers)
        return self.connection.getresponse()


def pod(number):
    containers = [{"name": "c", "image": "web:1", "ports": [{"containerPort": 80}]}]
    labels = {"app": f"a{number % 10}"}
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": f"p{number}", "labels": labels},
        "spec": {"containers": containers, "schedulerName": "nobody"},
    }


def measure(config):
    pods = "/api/v1/namespaces/default/pods"
    seen, watching = [], Api(config)
    stream = watching.lines(f"{pods}?watch=true")

    def watch():
        for _ in range(PODS):
            stream.readline()
        seen.append(time.monotonic())

    watcher = threading.Thread(target=watch)
    watcher.start()

    def create(first):
        api = Api(config)
        for number in range(first, PODS, CONNECTIONS):
            api.call("POST", pods, pod(number))

    begun = time.monotonic()
    workers = [threading.Thread(target=create, args=(first,)) for first in range(CONNECTIONS)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    created = time.monotonic()
    watcher.join()
    api = Api(config)
    began = time.monotonic()
    size = len(api.call("GET", pods))
    listed = time.monotonic() - began
    print(f"{PODS} pods: created in {created - begun:.2f} s, watched {max(0, seen[0] - created):.2f} s later, listed in {listed:.3f} s ({size / 1e6:.1f} MB)")


def memory(pid):
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS"):
            return int(line.split()[1]) / 1024
    return 0


def main():
    if os.environ.get("INSIDE"):
        return measure(json.loads(os.environ["INSIDE"]))
    with tempfile.TemporaryDirectory() as folder:
        state = f"{folder}/state"
        lab = lambda *words: subprocess.run([SKYLAB, "--state", state, *words], check=True, capture_output=True, text=True).stdout
        lab("up", "--detach", "--aws-port", "0", "--socks-port", "0")
        try:
            begun = time.monotonic()
            lab("kube", "create", "bench", "--nodes", "0", "--kubeconfig", f"{folder}/config")
            print(f"a cluster serves after {time.monotonic() - begun:.3f} s")
            config = Path(f"{folder}/config").read_text()
            pid = json.loads(lab("status", "--json"))["pid"]
            time.sleep(1)
            before = memory(pid)
            # From inside, so that no proxy is measured.
            script = Path(__file__).read_text()
            inside = ["exec", "internet", "--", "env", f"INSIDE={json.dumps(json.loads(config))}", sys.executable, "-c", script, str(PODS)]
            code = script.replace("Path(__file__).resolve().parent.parent", "Path('/')").replace("Path(__file__).read_text()", "''")
            inside[-2] = code
            print(lab(*inside), end="")
            print(f"the lab: {before:.0f} MiB idle, {memory(pid):.0f} MiB with the pods")
        finally:
            lab("down")


main()

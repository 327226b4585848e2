#!/usr/bin/env python3
"""API calls a second and CPU a call, beside moto_server, in one run.

    pip install botocore 'moto[ec2,server]'; cargo build --release; bench/api.py [CALLS]

Both servers get the same requests, signed beforehand by botocore, over connections that stay open as far as a
server lets them (moto's closes each). The ratio is
what counts; the numbers are this machine's.
"""

import os
import socket
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

ROOT = Path(__file__).resolve().parent.parent
SKYLAB = Path(os.environ.get("SKYLAB", ROOT / "target/release/skylab"))
CALLS = int(sys.argv[1]) if len(sys.argv) > 1 else 200
CONNECTIONS = 4
TICKS = os.sysconf("SC_CLK_TCK")
KINDS = {
    "DescribeVpcs": lambda n: "Action=DescribeVpcs",
    "CreateSecurityGroup": lambda n: f"Action=CreateSecurityGroup&GroupName=g{n}&GroupDescription=d&VpcId={{vpc}}",
    "DescribeSecurityGroups": lambda n: "Action=DescribeSecurityGroups&Filter.1.Name=group-name&Filter.1.Value.1=g7",
    "CreateNetworkInterface": lambda n: "Action=CreateNetworkInterface&SubnetId={subnet}",
    "DescribeNetworkInterfaces": lambda n: "Action=DescribeNetworkInterfaces&MaxResults=100",
}


def signed(address, key, body):
    body = body + "&Version=2016-11-15"
    headers = {"Content-Type": "application/x-www-form-urlencoded", "Host": address}
    request = AWSRequest("POST", f"http://{address}/", headers=headers, data=body)
    SigV4Auth(Credentials(*key), "ec2", "us-west-2").add_auth(request)
    lines = "".join(f"{name}: {value}\r\n" for name, value in request.headers.items())
    return f"POST / HTTP/1.1\r\n{lines}Content-Length: {len(body)}\r\n\r\n{body}".encode()


class Connection:
    def __init__(self, address):
        host, port = address.split(":")
        self.address = (host, int(port))
        self.connect()

    def connect(self):
        self.socket = socket.create_connection(self.address)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.buffer = b""

    def call(self, request):
        self.socket.sendall(request)
        while b"\r\n\r\n" not in self.buffer:
            self.buffer += self.more()
        head, self.buffer = self.buffer.split(b"\r\n\r\n", 1)
        length = next(int(line.split(b":")[1]) for line in head.split(b"\r\n") if line.lower().startswith(b"content-length:"))
        while len(self.buffer) < length:
            self.buffer += self.more()
        body, self.buffer = self.buffer[:length], self.buffer[length:]
        if b"connection: close" in head.lower():
            self.socket.close()
            self.connect()
        if b" 200 " not in head.split(b"\r\n")[0]:
            raise SystemExit(f"refused: {body.decode()}")
        return body.decode()

    def more(self):
        data = self.socket.recv(65536)
        if not data:
            raise SystemExit("the server hung up")
        return data


def cpu(pids):
    total = 0
    for pid in pids:
        fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
        total += int(fields[11]) + int(fields[12])
    return total / TICKS


def element(text, name):
    return text.split(f"<{name}>")[1].split("<")[0]


def measure(address, key, pids):
    setup = Connection(address)
    vpc = element(setup.call(signed(address, key, "Action=CreateVpc&CidrBlock=10.0.0.0/16")), "vpcId")
    make = f"Action=CreateSubnet&VpcId={vpc}&CidrBlock=10.0.0.0/16"
    subnet = element(setup.call(signed(address, key, make)), "subnetId")
    results = {}
    for kind, body in KINDS.items():
        requests = [signed(address, key, body(n).format(vpc=vpc, subnet=subnet)) for n in range(CALLS)]
        connections = [Connection(address) for _ in range(CONNECTIONS)]

        def work(connection, share):
            try:
                for request in share:
                    connection.call(request)
            except SystemExit as refusal:
                refusals.append(refusal)

        refusals = []
        threads = [
            threading.Thread(target=work, args=(connection, requests[index::CONNECTIONS]))
            for index, connection in enumerate(connections)
        ]
        cpu_before, begun = cpu(pids), time.perf_counter()
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        took = time.perf_counter() - begun
        if refusals:
            raise refusals[0]
        results[kind] = (CALLS / took, (cpu(pids) - cpu_before) / CALLS * 1e6)
    return results


def skylab():
    with tempfile.TemporaryDirectory(prefix="skylab-bench-") as state:
        command = [SKYLAB, "--state", state]
        up = ["up", "--detach", "--aws-port", "0", "--socks-port", "0", "--quotas", "none"]
        subprocess.run(command + up, check=True)
        try:
            import json

            out = lambda *words: json.loads(subprocess.check_output(command + list(words)))
            variables, status = out("env", "--format", "json"), out("status", "--json")
            key = (variables["AWS_ACCESS_KEY_ID"], variables["AWS_SECRET_ACCESS_KEY"])
            address = variables["AWS_ENDPOINT_URL"].removeprefix("http://")
            return measure(address, key, [status["pid"]])
        finally:
            subprocess.run(command + ["down"], check=True)


def moto():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    server = subprocess.Popen(
        [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        while True:
            try:
                socket.create_connection(("127.0.0.1", port)).close()
                break
            except ConnectionRefusedError:
                time.sleep(0.1)
        children = Path(f"/proc/{server.pid}/task/{server.pid}/children").read_text().split()
        return measure(f"127.0.0.1:{port}", ("a", "b"), [server.pid, *children])
    finally:
        server.terminate()
        server.wait()


ours, theirs = skylab(), moto()
print(f"{CALLS} calls each over {CONNECTIONS} connections; the lab forwards packets and keeps every change durably")
print(f"{'':<30} {'calls/s':>9} {'moto':>8} {'ratio':>7}   {'CPU µs/call':>11} {'moto':>8} {'ratio':>7}")
for kind, (rate, each) in ours.items():
    moto_rate, moto_each = theirs[kind]
    print(
        f"{kind:<30} {rate:>9.0f} {moto_rate:>8.0f} {rate / moto_rate:>6.1f}x   "
        f"{each:>11.0f} {moto_each:>8.0f} {moto_each / max(each, 1):>6.1f}x"
    )

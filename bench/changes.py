#!/usr/bin/env python3
"""Time from an API call to the packet obeying it, with 10 and with 1,000 instances.

    pip install botocore; cargo build --release; bench/changes.py

A rule of a group that every instance is in is taken away and given back. The call is timed until its
answer; then one packet is sent, which must obey. The ratio is 1,000 instances' time to 10's.
"""

import json
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

sys.argv[1:] = []
source = (Path(__file__).parent / "api.py").read_text().split("ours, theirs")[0]
exec(compile(source, "api.py", "exec"))

TOGGLES = 30
PROBE = """
import socket, sys
for line in sys.stdin:
    host, port = line.split()
    probe = socket.socket()
    probe.settimeout(0.3)
    try:
        probe.connect((host, int(port)))
    except ConnectionRefusedError:
        print("through", flush=True)
    except OSError:
        print("dropped", flush=True)
    probe.close()
"""


def run(count):
    with tempfile.TemporaryDirectory(prefix="skylab-bench-") as state:
        command = [str(SKYLAB), "--state", state]
        up = ["up", "--detach", "--aws-port", "0", "--socks-port", "0", "--quotas", "none"]
        subprocess.run(command + up, check=True)
        try:
            variables = json.loads(subprocess.check_output(command + ["env", "--format", "json"]))
            key = (variables["AWS_ACCESS_KEY_ID"], variables["AWS_SECRET_ACCESS_KEY"])
            address = variables["AWS_ENDPOINT_URL"].removeprefix("http://")
            connection = Connection(address)
            ec2 = lambda body: connection.call(signed(address, key, body))
            vpc = element(ec2("Action=CreateVpc&CidrBlock=10.0.0.0/16"), "vpcId")
            subnet = element(ec2(f"Action=CreateSubnet&VpcId={vpc}&CidrBlock=10.0.0.0/18"), "subnetId")
            groups = ec2(f"Action=DescribeSecurityGroups&Filter.1.Name=vpc-id&Filter.1.Value.1={vpc}")
            group = element(groups, "groupId")
            begun = time.perf_counter()
            launched = ec2(
                f"Action=RunInstances&ImageId=ami-0a1b2c3d4e5f60001&InstanceType=t3.micro&SubnetId={subnet}"
                f"&MinCount={count}&MaxCount={count}"
            )
            booted = time.perf_counter() - begun
            ids = [part.split("<")[0] for part in launched.split("<instanceId>")[1:]]
            target = element(ec2(f"Action=DescribeInstances&InstanceId.1={ids[-1]}"), "privateIpAddress")
            probe = subprocess.Popen(
                command + ["exec", ids[0], "--", sys.executable, "-u", "-c", PROBE],
                stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
            )

            def send():
                probe.stdin.write(f"{target} 9\n")
                probe.stdin.flush()
                return probe.stdout.readline().strip()

            assert send() == "through"
            rule = f"GroupId={group}&IpPermissions.1.IpProtocol=-1&IpPermissions.1.Groups.1.GroupId={group}"
            times = []
            for toggle in range(TOGGLES):
                verb, wanted = [("Revoke", "dropped"), ("Authorize", "through")][toggle % 2]
                begun = time.perf_counter()
                ec2(f"Action={verb}SecurityGroupIngress&{rule}")
                times.append(time.perf_counter() - begun)
                assert send() == wanted, f"a packet did not obey {verb}"
            probe.stdin.close()
            probe.wait()
            memory = next(
                line for line in Path(f"/proc/{json.loads(subprocess.check_output(command + ['status', '--json']))['pid']}/status")
                .read_text().splitlines() if line.startswith("VmRSS")
            )
            return booted, statistics.median(times), max(times), memory.split()[1]
        finally:
            subprocess.run(command + ["down"], check=True)


few = None
for count in (10, 1000):
    booted, median, worst, memory = run(count)
    few = few or median
    print(
        f"{count:>5} instances: launched in {booted:.2f} s; call to packet {median * 1e3:.2f} ms "
        f"(worst {worst * 1e3:.2f} ms), {median / few:.2f} of 10's; lab {int(memory) // 1024} MiB"
    )

"""Streams by the official Python client, which speaks WebSocket alone."""

import sys

from kubernetes import client
from kubernetes.stream import portforward, stream

api_client_configuration = client.Configuration()
api_client_configuration.host = sys.argv[1]
port = int(sys.argv[2])
client.Configuration.set_default(api_client_configuration)


def api():
    # A stream replaces its client's way to make requests.
    return client.CoreV1Api(client.ApiClient(api_client_configuration))


def run(*command, **options):
    wanted = dict(stdin=False, stdout=True, stderr=True, tty=False, _preload_content=False)
    return stream(
        api().connect_get_namespaced_pod_exec, "p", "default", command=list(command), **{**wanted, **options}
    )


output = stream(
    api().connect_get_namespaced_pod_exec,
    "p",
    "default",
    command=["sh", "-c", "echo out; echo err >&2"],
    stdin=False,
    stdout=True,
    stderr=True,
    tty=False,
)
assert sorted(output.split()) == ["err", "out"], output

failing = run("sh", "-c", "echo err >&2; exit 3")
failing.run_forever(timeout=30)
assert failing.read_stderr() == "err\n"
assert failing.returncode == 3, failing.returncode

reading = run("sh", "-c", "read line; echo \"<$line>\"", stdin=True)
reading.write_stdin("typed\n")
reading.run_forever(timeout=30)
assert reading.read_stdout() == "<typed>\n"
assert reading.returncode == 0, reading.returncode

sent = "0123456789abcde\n" * 65536
much = run("head", "-c", str(len(sent)), stdin=True)
much.write_stdin(sent)
much.run_forever(timeout=60)
received = much.read_stdout()
assert received == sent, len(received)

forward = portforward(api().connect_get_namespaced_pod_portforward, "p", "default", ports=str(port))
socket = forward.socket(port)
socket.settimeout(30)
socket.sendall(b"hello")
assert socket.recv(5) == b"hello"
assert forward.error(port) is None, forward.error(port)
socket.close()
print("done")

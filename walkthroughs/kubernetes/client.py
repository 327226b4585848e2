#!/usr/bin/env python3
"""A cluster by Kubernetes' own Python client: typed calls, watches, server-side apply, custom kinds, logs, exec.

    pip install kubernetes pysocks; KUBECONFIG=dev.yaml walkthroughs/kubernetes/client.py

Says each thing that holds and ends at the first that doesn't.
"""

import sys
import time
from urllib.parse import urlsplit

from kubernetes import client, config, dynamic, watch
from kubernetes.client.exceptions import ApiException
from kubernetes.stream import stream
from urllib3 import make_headers

config.load_kube_config()
proxy = urlsplit(client.Configuration.get_default_copy().proxy or "")
if proxy.username:
    # This client opens WebSockets by HTTP's CONNECT and takes the proxy's password from here alone.
    settings = client.Configuration.get_default_copy()
    settings.proxy_headers = make_headers(proxy_basic_auth=f"{proxy.username}:{proxy.password}")
    client.Configuration.set_default(settings)
api = client.ApiClient()
core, apps = client.CoreV1Api(api), client.AppsV1Api(api)
SPACE = "by-python"


def holds(what, condition=True):
    if not condition:
        sys.exit(f"does not hold: {what}")
    print(f"holds: {what}")


def refused(status, reason, call):
    try:
        call()
    except ApiException as refusal:
        holds(f"{status} {reason}", refusal.status == status and f'"reason":"{reason}"' in refusal.body.replace(" ", ""))
    else:
        sys.exit(f"not refused: {reason}")


def pod(labels):
    container = client.V1Container(
        name="web", image="skylab.local/host", image_pull_policy="IfNotPresent", command=["sh", "-c", "echo begun; sleep 600"]
    )
    spec = client.V1PodSpec(containers=[container], termination_grace_period_seconds=1)
    return client.V1PodTemplateSpec(metadata=client.V1ObjectMeta(labels=labels), spec=spec)


holds("nodes are listed", len(core.list_node().items) > 0)
core.create_namespace(client.V1Namespace(metadata=client.V1ObjectMeta(name=SPACE)))
labels = {"app": "web"}
deployment = client.V1Deployment(
    metadata=client.V1ObjectMeta(name="web"),
    spec=client.V1DeploymentSpec(replicas=2, selector=client.V1LabelSelector(match_labels=labels), template=pod(labels)),
)
apps.create_namespaced_deployment(SPACE, deployment)
refused(409, "AlreadyExists", lambda: apps.create_namespaced_deployment(SPACE, deployment))
refused(404, "NotFound", lambda: apps.read_namespaced_deployment("absent", SPACE))

seen = watch.Watch()
for event in seen.stream(apps.list_namespaced_deployment, SPACE, timeout_seconds=60):
    if (event["object"].status.ready_replicas or 0) == 2:
        seen.stop()
        break
else:
    sys.exit("the deployment was not ready within a minute")
holds("a watch tells of two ready replicas")

pods = core.list_namespaced_pod(SPACE, label_selector="app=web").items
holds("pods are found by label", len(pods) == 2)
name = pods[0].metadata.name
holds("logs are read", core.read_namespaced_pod_log(name, SPACE) == "begun\n")
said = stream(
    core.connect_get_namespaced_pod_exec, name, SPACE, command=["echo", "from inside"], stdout=True, stderr=True, stdin=False, tty=False
)
holds("a command is run by WebSocket", said == "from inside\n")

apps.patch_namespaced_deployment_scale("web", SPACE, {"spec": {"replicas": 1}})
until = time.monotonic() + 60
while len(core.list_namespaced_pod(SPACE, label_selector="app=web").items) != 1 and time.monotonic() < until:
    time.sleep(0.2)
holds("scaled down to one", len(core.list_namespaced_pod(SPACE, label_selector="app=web").items) == 1)

kinds = dynamic.DynamicClient(api)
maps = kinds.resources.get(api_version="v1", kind="ConfigMap")
body = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "settings"}, "data": {"a": "1"}}
maps.server_side_apply(body=body, namespace=SPACE, name="settings", field_manager="one")
body["data"] = {"a": "2"}
refused(409, "Conflict", lambda: maps.server_side_apply(body=body, namespace=SPACE, name="settings", field_manager="two"))
maps.server_side_apply(body=body, namespace=SPACE, name="settings", field_manager="two", force_conflicts=True)
holds("server-side apply knows whose a field is", core.read_namespaced_config_map("settings", SPACE).data == {"a": "2"})

schema = {"type": "object", "properties": {"spec": {"type": "object", "properties": {"size": {"type": "integer", "minimum": 1}}}}}
definition = {
    "metadata": {"name": "gadgets.example.com"},
    "spec": {
        "group": "example.com",
        "scope": "Namespaced",
        "names": {"plural": "gadgets", "singular": "gadget", "kind": "Gadget"},
        "versions": [{"name": "v1", "served": True, "storage": True, "schema": {"openAPIV3Schema": schema}}],
    },
}
extensions = client.ApiextensionsV1Api(api)
extensions.create_custom_resource_definition(definition)
until = time.monotonic() + 30
while time.monotonic() < until:
    conditions = extensions.read_custom_resource_definition("gadgets.example.com").status.conditions or []
    if any(c.type == "Established" and c.status == "True" for c in conditions):
        break
    time.sleep(0.1)
custom = client.CustomObjectsApi(api)
gadget = {"apiVersion": "example.com/v1", "kind": "Gadget", "metadata": {"name": "g"}, "spec": {"size": 3}}
custom.create_namespaced_custom_object("example.com", "v1", SPACE, "gadgets", gadget)
found = custom.get_namespaced_custom_object("example.com", "v1", SPACE, "gadgets", "g")
holds("a custom object comes back", found["spec"] == {"size": 3})
gadget = {**gadget, "metadata": {"name": "small"}, "spec": {"size": 0}}
refused(422, "Invalid", lambda: custom.create_namespaced_custom_object("example.com", "v1", SPACE, "gadgets", gadget))
extensions.delete_custom_resource_definition("gadgets.example.com")

core.delete_namespace(SPACE)
until = time.monotonic() + 60
while any(space.metadata.name == SPACE for space in core.list_namespace().items) and time.monotonic() < until:
    time.sleep(0.2)
holds("the namespace goes with all that is in it", all(s.metadata.name != SPACE for s in core.list_namespace().items))

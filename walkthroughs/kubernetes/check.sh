#!/bin/sh
# The chapter's application on a plain cluster: examples/manifests by kubectl, then each of the
# chapter's checks by wget, nc and nslookup. Prints what it runs and ends at the first that fails.
#
#   skylab up; skylab kube create dev --kubeconfig dev.yaml
#   examples/images.sh; skylab image import examples/images/*.oci.tar
#   KUBECONFIG=dev.yaml walkthroughs/kubernetes/check.sh
set -eu
here=$(cd "$(dirname "$0")/../.." && pwd)
kubectl=${KUBECTL:-kubectl}

k() { "$kubectl" "$@"; }
# from the pod dnsutils, until it succeeds or for half a minute
inside() {
    echo "\$ kubectl exec dnsutils -- $*" >&2
    tries=0
    until answer=$(k exec dnsutils -- "$@" 2>&1); do
        tries=$((tries + 1))
        [ "$tries" -lt 30 ] || { echo "$answer" >&2; exit 1; }
        sleep 1
    done
    echo "$answer" | tee /dev/stderr
}
# has TEXT COMMAND…: its answer holds the text.
has() {
    wanted=$1
    shift
    answer=$("$@")
    case $answer in
    *"$wanted"*) ;;
    *) echo "no \"$wanted\" in the answer" >&2; exit 1 ;;
    esac
}
field() { k get "$1" -o "jsonpath={$2}"; }

k apply -f "$here/examples/manifests/dnsutils.yml,$here/examples/manifests/database.yml,$here/examples/manifests/web.yml"
k wait --for=condition=Ready pod/dnsutils --timeout=120s
k rollout status statefulset/postgres --timeout=180s
k rollout status deployment/app --timeout=120s
k get pods -o wide
k get svc,endpoints clusterip-service

address=$(field svc/clusterip-service .spec.clusterIP)
node_port=$(field svc/clusterip-service '.spec.ports[0].nodePort')
app=$(k get pods -l app=app -o 'jsonpath={.items[0].metadata.name}')
app_address=$(field "pod/$app" .status.podIP)
database=$(field pod/postgres-0 .status.podIP)

for place in "$address:80" clusterip-service:80 "$app_address:8080"; do
    has "Database Connected" inside wget -qO- "$place/data"
    has "POD IP:" inside wget -qO- "$place/host"
done
has "POD IP:$app_address" inside wget -qO- "$app_address:8080/host"
for place in "$database" postgres; do
    has succeeded inside nc -z -vv -w 5 "$place" 5432
done
has "$address" inside nslookup clusterip-service.default.svc.cluster.local
for node in $(k get nodes -o 'jsonpath={.items[*].status.addresses[?(@.type=="InternalIP")].address}'); do
    has "POD IP:" inside wget -qO- "$node:$node_port/host"
done
echo "every check of the chapter holds"

#!/usr/bin/env bash
# The chapter's section on EKS, from the cluster to the cleanup, command for command, with aws, kubectl and skylab. Shows
# each command and its answer, and ends at the first that is not as it should be.
#
#   skylab up --detach; eval "$(skylab env)"; walkthroughs/eks/chapter.sh
#
# The sample images are the chapter's when examples/images.sh built them and `skylab image import` took them in; else
# this machine's own files stand in for them, and another web server for PostgreSQL.
set -euo pipefail
here=$(cd "$(dirname "$0")/../.." && pwd)
skylab=${SKYLAB:-skylab}
kubectl=${KUBECTL:-kubectl}
CLUSTER_NAME=${CLUSTER_NAME:-eks-demo}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
export KUBECONFIG=$work/kubeconfig AWS_PAGER="" AWS_REGION=${AWS_REGION:-us-west-2}

step() { printf '\n\033[1m== %s\033[0m\n' "$*"; }
# run COMMAND…: shows it, runs it, shows its answer and keeps it.
run() {
    printf '\n$ %s\n' "$(shown "$@")"
    "$@" 2>&1 | tee "$work/answer"
}
# How a command looks to whoever types it.
shown() {
    local words=() word
    for word in "$@"; do
        case $word in
        "$skylab") word=skylab ;;
        "$kubectl") word=kubectl ;;
        esac
        word=${word//$work\//}
        word=${word//$here\//}
        case $word in *[\ \"\;\&\|\<\>\{\}\*]*) word="'$word'" ;; esac
        words+=("$word")
    done
    echo "${words[*]}"
}
fail() { printf '%s\n' "$*" >&2; exit 1; }
# has TEXT: the last answer holds it.
has() { grep -qF -- "$1" "$work/answer" || fail "no \"$1\" in the answer"; }
empty() { [ -z "$(tr -d '[:space:][]' <"$work/answer" | sed 's/None//')" ] || fail "something is left"; }
# eventually TEXT COMMAND…: runs until the answer holds the text, for a minute; shows the last try only.
eventually() {
    local wanted=$1 tries=0
    shift
    until "$@" >"$work/answer" 2>&1 && grep -qF -- "$wanted" "$work/answer"; do
        tries=$((tries + 1))
        [ "$tries" -lt 120 ] || { cat "$work/answer"; fail "no \"$wanted\" from: $(shown "$@")"; }
        sleep 0.5
    done
    printf '\n$ %s\n' "$(shown "$@")"
    cat "$work/answer"
    # Not every program ends its answer with a line's end.
    [ -z "$(tail -c 1 "$work/answer")" ] || echo
}
field() { "$kubectl" get "$1" -o "jsonpath={$2}"; }
outside=("$skylab" exec internet -- curl -s -m 5)

step "A cluster"
run "$skylab" eks create cluster -N 3 --name "$CLUSTER_NAME" --version=1.20 --kubeconfig "$KUBECONFIG"
run "$kubectl" get nodes -o wide
[ "$(grep -c ' Ready ' "$work/answer")" = 3 ] || fail "not three nodes"

step "The web server, and what it needs"
cp "${MANIFESTS:-$here/examples/manifests}"/{dnsutils,database,web}.yml "$work"
# stand_in NAME FILE [COMMAND]: where a sample image was not imported, this machine's own files are one.
stand_in() {
    "$skylab" image list --json | grep -q "skylab.local/$1" && return
    sed -i "s#image: skylab.local/$1#image: skylab.local/host#" "$work/$2"
    [ -z "${3:-}" ] || sed -i "s#^\( *\)imagePullPolicy: IfNotPresent#&\n\1command: [$3]#" "$work/$2"
    return 1
}
stand_in dnsutils dnsutils.yml || true
stand_in web web.yml "skylab, example-web" || true
database=yes
stand_in postgres database.yml "env, PORT=5432, skylab, example-web" || database=
sed -i 's/type: ClusterIP/type: LoadBalancer/; s/type: NodePort/type: LoadBalancer/' "$work/web.yml"
run "$kubectl" apply -f "$work/dnsutils.yml,$work/database.yml,$work/web.yml"
run "$kubectl" wait --for=condition=Ready pod/dnsutils --timeout=120s
run "$kubectl" rollout status statefulset/postgres --timeout=120s
run "$kubectl" rollout status deployment/app --timeout=120s
run "$kubectl" get pods -o wide
run "$kubectl" get pvc
eventually elb.amazonaws.com "$kubectl" get svc clusterip-service
run "$kubectl" get endpoints clusterip-service

step "From inside"
address=$(field svc/clusterip-service .spec.clusterIP)
node_port=$(field svc/clusterip-service '.spec.ports[0].nodePort')
pod=$(field pods '.items[?(@.metadata.labels.app=="app")].status.podIP')
pod=${pod%% *}
node=$(field nodes '.items[0].metadata.name')
inside() { eventually "$1" "$kubectl" exec dnsutils -- "${@:2}"; }
for place in "$address:80" clusterip-service:80 "$pod:8080"; do
    [ -z "$database" ] || inside "Database Connected" wget -qO- "$place/data"
    inside "POD IP:" wget -qO- "$place/host"
done
for place in "$(field pod/postgres-0 .status.podIP)" postgres; do
    if [ -n "$database" ]; then
        run "$kubectl" exec dnsutils -- nc -z -vv -w 5 "$place" 5432
    else
        run "$kubectl" exec dnsutils -- bash -c "exec 3<>/dev/tcp/$place/5432 && echo $place:5432 open"
    fi
done
inside "POD IP:" wget -qO- "$node:$node_port/host"

step "From outside, through the load balancer"
balancer=$(field svc/clusterip-service '.status.loadBalancer.ingress[0].hostname')
[ -z "$database" ] || eventually "Database Connected" "${outside[@]}" "http://$balancer/data"
eventually "POD IP:" "${outside[@]}" "http://$balancer/host"
seen=$(for _ in $(seq 24); do "${outside[@]}" "http://$balancer/host"; echo; done | sort -u | grep -c "POD IP:")
[ "$seen" -gt 1 ] || fail "every request went to the same pod"
run "$skylab" explain internet "lb/${balancer%%-*}" --port 80

step "The load balancer controller, with a role of its own"
run aws sts get-caller-identity
ACCOUNT_ID=$(aws sts get-caller-identity --query Account --output text)
run "$skylab" eks utils associate-iam-oidc-provider --region "$AWS_REGION" --cluster "$CLUSTER_NAME" --approve
cp "${POLICY:-$here/crates/load-balancer-controller/src/manifest/iam-policy.json}" "$work/iam_policy.json"
run aws iam create-policy --policy-name AWSLoadBalancerControllerIAMPolicy \
    --policy-document "file://$work/iam_policy.json"
policy=arn:aws:iam::$ACCOUNT_ID:policy/AWSLoadBalancerControllerIAMPolicy
run "$skylab" eks create iamserviceaccount --cluster "$CLUSTER_NAME" --namespace kube-system \
    --name aws-load-balancer-controller --attach-policy-arn "$policy" \
    --override-existing-serviceaccounts --approve
run "$kubectl" get sa aws-load-balancer-controller -n kube-system -o yaml
has "eks.amazonaws.com/role-arn: arn:aws:iam::$ACCOUNT_ID:role/eksctl-$CLUSTER_NAME-addon-iamservi"
run "$skylab" eks create addon --cluster "$CLUSTER_NAME" --name aws-load-balancer-controller
run "$kubectl" rollout status -n kube-system deployment/aws-load-balancer-controller --timeout=120s
run "$kubectl" get crd targetgroupbindings.elbv2.k8s.aws ingressclassparams.elbv2.k8s.aws

step "An ingress"
cat >"$work/alb-rules.yml" <<'YAML'
apiVersion: networking.k8s.io/v1
kind: Ingress
metadata:
  name: app
  annotations:
    alb.ingress.kubernetes.io/scheme: internet-facing
    kubernetes.io/ingress.class: alb
spec:
  rules:
  - http:
      paths:
      - {path: /data, pathType: Exact, backend: {service: {name: clusterip-service, port: {number: 80}}}}
      - {path: /host, pathType: Exact, backend: {service: {name: clusterip-service, port: {number: 80}}}}
YAML
run "$kubectl" apply -f "$work/alb-rules.yml"
eventually SuccessfullyReconciled "$kubectl" describe ing app
alb=$(field ing/app '.status.loadBalancer.ingress[0].hostname')
case $alb in k8s-default-app-*) ;; *) fail "the load balancer has the name $alb" ;; esac
[ -z "$database" ] || eventually "Database Connected" "${outside[@]}" "http://$alb/data"
eventually "POD IP:" "${outside[@]}" "http://$alb/host"
run "$skylab" explain internet ing/default/app --port 80

if [ -n "${KEEP:-}" ]; then
    printf '\nThe chapter holds; the cluster %s stays.\n' "$CLUSTER_NAME"
    exit
fi

step "Cleaning up"
run "$kubectl" delete -f "$work/alb-rules.yml"
run "$kubectl" delete -f "$work/dnsutils.yml,$work/database.yml,$work/web.yml"
run "$kubectl" delete pvc --all
run "$skylab" eks delete iamserviceaccount --cluster "$CLUSTER_NAME" --namespace kube-system \
    --name aws-load-balancer-controller
run aws iam delete-policy --policy-arn "$policy"
gone() {
    until "$@" >"$work/answer" 2>&1 && (empty) 2>/dev/null; do sleep 0.5; done
    printf '\n$ %s\n' "$(shown "$@")"
    cat "$work/answer"
}
gone aws ec2 describe-volumes --filters "Name=tag:kubernetes.io/created-for/pv/name,Values=*" \
    --query "Volumes[].{ID:VolumeId}"
gone aws elbv2 describe-load-balancers --query "LoadBalancers[].LoadBalancerArn"
gone aws elb describe-load-balancers --query "LoadBalancerDescriptions[].DNSName"
run "$skylab" eks delete cluster --name "$CLUSTER_NAME"
run aws cloudformation list-stacks --stack-status-filter CREATE_COMPLETE --query "StackSummaries[].StackName"
empty
printf '\nThe whole chapter holds, and nothing is left.\n'

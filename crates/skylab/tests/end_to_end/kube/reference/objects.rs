//! Commands on objects.

use super::{APP, Fails, InTime, OBJECTS, Prints, check};
use crate::cluster::Cluster;
use std::os::unix::fs::PermissionsExt;

/// K8S-API: objects, from discovery to deletion.
#[test]
fn objects() {
    let Some(cluster) = Cluster::start() else {
        return;
    };
    let more = APP.replace("replicas: 2", "replicas: 4");
    let maps = |names: &[&str]| -> String {
        let map = |name: &&str| {
            format!(
                "---\napiVersion: v1\nkind: ConfigMap\nmetadata: {{name: {name}, labels: {{set: s}}}}\n"
            )
        };
        names.iter().map(map).collect()
    };
    let editor = cluster.folder.join("editor");
    std::fs::write(
        &editor,
        "#!/bin/sh\nsed -i 's/replicas: .*/replicas: 3/' \"$1\"\n",
    )
    .unwrap();
    std::fs::set_permissions(&editor, PermissionsExt::from_mode(0o755)).unwrap();
    check(
        &cluster,
        &[
            ("version", "", Prints("Server Version: v1.32")),
            ("get ns", "", Prints("kube-system")),
            ("apply -f -", OBJECTS, Prints("pod/p1 created")),
            ("get pods", "", Prints("p1")),
            ("get pods -o wide", "", Prints("NOMINATED NODE")),
            ("get pod p1 -o yaml", "", Prints("kind: Pod")),
            ("get pod p1 -o name", "", Prints("pod/p1")),
            ("get pods -l app=p1 -A", "", Prints("default")),
            ("get pods --sort-by=.metadata.name", "", Prints("parrot")),
            (
                "get pods -o custom-columns=N:.metadata.name",
                "",
                Prints("N"),
            ),
            (
                "get --raw /api/v1/namespaces/default/pods?limit=1",
                "",
                Prints("\"continue\""),
            ),
            ("apply -f -", APP, Prints("deployment.apps/web created")),
            ("apply -f -", APP, Prints("service/web unchanged")),
            ("diff -f -", &more, Fails("+  replicas: 4")),
            (
                "apply -f -",
                &more,
                Prints("deployment.apps/web configured"),
            ),
            (
                "apply --server-side --force-conflicts -f -",
                APP,
                Prints("web serverside-applied"),
            ),
            (
                "apply view-last-applied deployment web",
                "",
                Prints("replicas: 2"),
            ),
            (
                "apply --prune -l set=s -f -",
                &maps(&["a", "b"]),
                Prints("configmap/b created"),
            ),
            (
                "apply --prune -l set=s -f -",
                &maps(&["a"]),
                Prints("configmap/b pruned"),
            ),
            (
                "create configmap x --from-literal=a=b --dry-run=server",
                "",
                Prints("(server dry run)"),
            ),
            (
                "create configmap x --from-literal=a=b",
                "",
                Prints("configmap/x created"),
            ),
            (
                "create namespace other",
                "",
                Prints("namespace/other created"),
            ),
            ("create token default", "", Prints("ey")),
            (
                "create deployment d --image=i --replicas=1",
                "",
                Prints("deployment.apps/d created"),
            ),
            ("create job j --image=i", "", Prints("job.batch/j created")),
            (
                "create role r --verb=get --resource=pods",
                "",
                Prints("role.rbac.authorization.k8s.io/r created"),
            ),
            (
                "create rolebinding b --role=r --user=u",
                "",
                Prints("rolebinding.rbac.authorization.k8s.io/b created"),
            ),
            (
                "create quota q --hard=pods=90",
                "",
                Prints("resourcequota/q created"),
            ),
            ("get all", "", InTime("replicaset.apps/web-")),
            ("describe ingress ing", "", Prints("web:80")),
            ("describe pod p1", "", Prints("Containers:")),
            (
                "describe deployment web",
                "",
                Prints("RollingUpdateStrategy"),
            ),
            ("describe service web", "", Prints("TargetPort:")),
            (
                "scale deployment web --replicas=1",
                "",
                Prints("deployment.apps/web scaled"),
            ),
            ("autoscale deployment web --max=3", "", Prints("autoscaled")),
            (
                "set env daemonset/agent FOO=bar",
                "",
                Prints("daemonset.apps/agent env updated"),
            ),
            (
                "set image deployment/web c=web:2",
                "",
                Prints("deployment.apps/web image updated"),
            ),
            (
                "set resources deployment/web --limits=cpu=1",
                "",
                Prints("resource requirements updated"),
            ),
            ("label pod p1 x=y", "", Prints("pod/p1 labeled")),
            ("annotate pod p1 x=y", "", Prints("pod/p1 annotated")),
            (
                "patch deployment web -p {\"spec\":{\"replicas\":2}}",
                "",
                Prints("deployment.apps/web patched"),
            ),
            (
                "rollout restart deployment web",
                "",
                Prints("deployment.apps/web restarted"),
            ),
            (
                "rollout pause deployment web",
                "",
                Prints("deployment.apps/web paused"),
            ),
            (
                "rollout resume deployment web",
                "",
                Prints("deployment.apps/web resumed"),
            ),
            ("rollout history deployment web", "", InTime("REVISION")),
            (
                "edit deployment web",
                "",
                Prints("deployment.apps/web edited"),
            ),
            (
                "get deployment web -o jsonpath={.spec.replicas}",
                "",
                Prints("3"),
            ),
            (
                "replace -f -",
                &APP.replace("{selector", "{clusterIP: None, selector"),
                Fails("may not change once set"),
            ),
            (
                "wait pod/p1 --for=jsonpath={.metadata.labels.x}=y --timeout=20s",
                "",
                Prints("condition met"),
            ),
            (
                "explain deployment.spec.replicas",
                "",
                Prints("FIELD: replicas <integer>"),
            ),
            (
                "explain pods --recursive",
                "",
                Prints("ephemeralContainers"),
            ),
            ("cluster-info", "", Prints("control plane")),
            ("api-resources", "", Prints("deployments")),
            ("api-versions", "", Prints("networking.k8s.io/v1")),
            ("auth can-i create pods", "", Prints("yes")),
            ("auth can-i create pods --as=u", "", Fails("no")),
            ("auth can-i get pods --as=u", "", Prints("yes")),
            ("auth can-i --list --as=u", "", Prints("pods")),
            ("auth whoami", "", Prints("Username")),
            (
                "expose deployment web --name=inner --port=80",
                "",
                Prints("service/inner exposed"),
            ),
            ("events", "", InTime("ScalingReplicaSet")),
            ("delete -f -", APP, Prints("service \"web\" deleted")),
            ("wait svc/web --for=delete --timeout=20s", "", Prints("")),
            (
                "delete pod p1 --force",
                "",
                Prints("pod \"p1\" force deleted"),
            ),
            (
                "delete namespace other --timeout=30s",
                "",
                Prints("namespace \"other\" deleted"),
            ),
        ],
    );
}

//! Refusals.

use super::{Fails, Prints, check};
use crate::cluster::Cluster;

/// K8S-API: refusals are what kubectl prints well.
#[test]
fn refusals() {
    let Some(cluster) = Cluster::start() else {
        return;
    };
    let map = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: x, namespace: default, resourceVersion: '1'}\n";
    let pod = |rest: &str| {
        format!("apiVersion: v1\nkind: Pod\nmetadata: {{name: z}}\nspec: {{{rest}}}\n")
    };
    let deep = format!(
        "{{\"data\": {}1{}}}",
        "{\"a\":".repeat(500),
        "}".repeat(500)
    );
    let raw = "create --raw /api/v1/namespaces/default/configmaps -f -";
    check(
        &cluster,
        &[
            ("create configmap x", "", Prints("created")),
            (
                "create configmap x",
                "",
                Fails("error: failed to create configmap: configmaps \"x\" already exists"),
            ),
            (
                "get pod none",
                "",
                Fails("Error from server (NotFound): pods \"none\" not found"),
            ),
            (
                "get nonsense",
                "",
                Fails("error: the server doesn't have a resource type \"nonsense\""),
            ),
            (
                "get --raw /nowhere",
                "",
                Fails(
                    "Error from server (NotFound): the server could not find the requested resource",
                ),
            ),
            (
                "get pods --as=bob",
                "",
                Fails(
                    "Error from server (Forbidden): pods is forbidden: User \"bob\" cannot list resource \"pods\" in API group \"\" in the namespace \"default\"",
                ),
            ),
            (
                "get pods --field-selector=a=b",
                "",
                Fails("Error from server (BadRequest):"),
            ),
            ("replace -f -", map, Fails("Error from server (Conflict)")),
            (
                "create -f -",
                &pod(""),
                Fails("The Pod \"z\" is invalid: spec.containers: Required value"),
            ),
            (
                "create -f -",
                &pod("containers: 7"),
                Fails("Error from server (BadRequest)"),
            ),
            (
                "create -f -",
                &pod("containers: [], more: 1"),
                Fails("unknown field \"spec.more\""),
            ),
            (raw, &deep, Fails("Error from server (BadRequest): ")),
            (raw, "{", Fails("Error from server (BadRequest): ")),
            (
                raw,
                "[]",
                Fails("Error from server (BadRequest): the body of the request was not an object"),
            ),
            (
                "patch cm x --type=json -p [{\"op\":\"remove\",\"path\":\"/data/a\"}]",
                "",
                Fails(
                    "The request is invalid: the server rejected our request due to an error in our request",
                ),
            ),
            (
                "patch cm x --type=merge -p {\"data\":7}",
                "",
                Fails("Error from server (BadRequest)"),
            ),
            (
                "delete namespace default",
                "",
                Fails(
                    "Error from server (Forbidden): namespaces \"default\" is forbidden: this namespace may not be deleted",
                ),
            ),
            (
                "-n none create configmap x",
                "",
                Fails("namespaces \"none\" not found"),
            ),
            (
                "logs none",
                "",
                Fails("(NotFound): pods \"none\" not found in namespace \"default\""),
            ),
            ("rollout undo deployment/none", "", Fails("(NotFound)")),
            (
                "create token none",
                "",
                Fails("serviceaccounts \"none\" not found"),
            ),
            (
                "wait cm/x --for=jsonpath={.data.a}=b --timeout=1s",
                "",
                Fails("timed out waiting for the condition"),
            ),
        ],
    );
}

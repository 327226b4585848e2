//! Kinds that users define, and whose fields are whose.

use crate::cluster::Cluster;
use crate::kube::APP;

const DEFINITION: &str = r#"
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: crontabs.stable.example.com}
spec:
  group: stable.example.com
  scope: Namespaced
  names: {plural: crontabs, singular: crontab, kind: CronTab, shortNames: [ct]}
  versions:
  - name: v1
    served: true
    storage: true
    subresources: {status: {}, scale: {specReplicasPath: .spec.replicas, statusReplicasPath: .status.replicas}}
    additionalPrinterColumns:
    - {name: Spec, type: string, jsonPath: .spec.cronSpec}
    - {name: Replicas, type: integer, jsonPath: .spec.replicas}
    - {name: Age, type: date, jsonPath: .metadata.creationTimestamp}
    schema:
      openAPIV3Schema:
        type: object
        properties:
          spec:
            type: object
            description: What it does
            required: [cronSpec]
            properties:
              cronSpec: {type: string, pattern: '^(\d+|\*)(/\d+)?(\s+(\d+|\*)(/\d+)?){4}$', description: When}
              image: {type: string, default: busybox}
              replicas: {type: integer, minimum: 1, maximum: 10}
          status: {type: object, properties: {replicas: {type: integer}}}
"#;

const CRON_TAB: &str = r#"
apiVersion: stable.example.com/v1
kind: CronTab
metadata: {name: mine}
spec: {cronSpec: "* * * * */5", replicas: 2}
"#;

/// K8S-API: a kind that the user defines: its schema, defaults, columns, scale and end.
#[test]
fn users_define_kinds() {
    let Some(cluster) = Cluster::start() else {
        return;
    };
    cluster.ok(&["apply", "-f", "-"], DEFINITION);
    let name = "crd/crontabs.stable.example.com";
    cluster.ok(
        &["wait", "--for=condition=established", name, "--timeout=10s"],
        "",
    );
    cluster.ok(&["apply", "-f", "-"], CRON_TAB);
    assert!(cluster.ok(&["get", "ct"], "").contains("* * * * */5"));
    let image = ["get", "ct", "mine", "-o", "jsonpath={.spec.image}"];
    assert_eq!(cluster.ok(&image, ""), "busybox");
    cluster.ok(&["scale", "ct/mine", "--replicas=5"], "");
    let replicas = ["get", "ct", "mine", "-o", "jsonpath={.spec.replicas}"];
    assert_eq!(cluster.ok(&replicas, ""), "5");
    assert!(
        cluster
            .ok(&["explain", "crontab.spec.cronSpec"], "")
            .contains("When")
    );
    for (wrong, told) in [
        (
            CRON_TAB.replace("replicas: 2", "replicas: 20"),
            "should be less than or equal to 10",
        ),
        (
            CRON_TAB.replace("* * * * */5", "often"),
            "spec.cronSpec in body should match",
        ),
        (
            CRON_TAB.replace("replicas: 2", "repl: 2"),
            "unknown field \"spec.repl\"",
        ),
        (
            CRON_TAB.replace("cronSpec", "image"),
            "spec.cronSpec: Required value",
        ),
    ] {
        let refused = cluster.refused(&["apply", "-f", "-"], &wrong);
        assert!(refused.contains(told), "{refused}");
    }
    let wrong = DEFINITION.replace("plural: crontabs", "plural: other");
    let refused = cluster.refused(&["apply", "-f", "-"], &wrong);
    assert!(refused.contains("must be spec.names.plural"), "{refused}");
    cluster.ok(&["delete", name], "");
    assert!(cluster.refused(&["get", "ct"], "").contains("NotFound"));
    cluster.ok(&["apply", "-f", "-"], DEFINITION);
    assert!(
        cluster.ok(&["get", "ct"], "").is_empty(),
        "objects outlived their kind"
    );
}

/// K8S-API: server-side apply knows who owns which field, of users' kinds too.
#[test]
fn fields_have_owners() {
    let Some(cluster) = Cluster::start() else {
        return;
    };
    let apply = ["apply", "--server-side", "-f", "-"];
    cluster.ok(&apply, APP);
    let version = [
        "get",
        "svc",
        "web",
        "-o",
        "jsonpath={.metadata.resourceVersion}",
    ];
    let before = cluster.ok(&version, "");
    cluster.ok(&apply, APP);
    assert_eq!(
        cluster.ok(&version, ""),
        before,
        "the same again made a revision"
    );
    cluster.ok(&["scale", "deploy/web", "--replicas=5"], "");
    let refused = cluster.refused(&apply, APP);
    assert!(
        refused.contains("Apply failed with 1 conflict"),
        "{refused}"
    );
    assert!(
        refused.contains("with subresource \"scale\" using apps/v1"),
        "{refused}"
    );
    let replicas = ["get", "deploy", "web", "-o", "jsonpath={.spec.replicas}"];
    assert_eq!(cluster.ok(&replicas, ""), "5");
    cluster.ok(
        &["apply", "--server-side", "--force-conflicts", "-f", "-"],
        APP,
    );
    assert_eq!(cluster.ok(&replicas, ""), "2");
    // What is left out goes, if nobody else owns it.
    cluster.ok(
        &apply,
        &APP.replace(
            ", labels: {app: web}}\nspec:\n  replicas",
            "}\nspec:\n  replicas",
        ),
    );
    let labels = ["get", "deploy", "web", "-o", "jsonpath={.metadata.labels}"];
    assert_eq!(cluster.ok(&labels, ""), "");
    cluster.ok(&apply, DEFINITION);
    cluster.ok(&apply, CRON_TAB);
    let other = ["apply", "--server-side", "--field-manager=other", "-f", "-"];
    let refused = cluster.refused(&other, &CRON_TAB.replace("replicas: 2", "replicas: 3"));
    assert!(refused.contains(".spec.replicas"), "{refused}");
}
